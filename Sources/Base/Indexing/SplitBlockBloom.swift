private import Glibc

/// A set of 64-bit hashes that may say "maybe" wrongly and never "no" wrongly: one 32-byte line per key.
///
/// The split-block Bloom filter of Apache Parquet (its specification, "Bloom Filter", after Putze, Sanders and
/// Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). The filter is `n` blocks of eight
/// little-endian 32-bit words and nothing else. The hash's upper half picks the block, `(upper * n) >> 32`;
/// each word has one bit set, number `(lower * salt[word]) >> 27` modulo 2^32. Filters of one size are united
/// by OR.
package struct SplitBlockBloom: Sendable, Equatable {
    package static let blockBytes = 32

    /// A filter of 64 MiB has a fitting size for 40 million keys; what needs more should be split.
    private static let mostBlocks = 1 << 21

    private static let salt = SIMD8<UInt32>(
        0x47B6_137B, 0x4497_4D91, 0x8824_AD5B, 0xA2B7_289D, 0x7054_95C7, 0x2DF1_424B, 0x9EFC_4947, 0x5C6B_FB31)

    package private(set) var bytes: [UInt8]

    /// An empty filter that says "maybe" to a share of `falsePositives` of other hashes, once it holds
    /// `expectedKeys`.
    package init(expectedKeys: Int, falsePositives: Double) {
        bytes = Array(repeating: 0, count: Self.blocks(expectedKeys, falsePositives) * Self.blockBytes)
    }

    /// A filter that was stored.
    package init(bytes: [UInt8]) throws(IndexingError) {
        guard Self.isWellFormed(bytes.count) else { throw .corrupt }
        self.bytes = bytes
    }

    package mutating func insert(_ hash: UInt64) {
        bytes.withUnsafeMutableBytes { memory in
            let start = Self.block(hash, of: memory.count / Self.blockBytes) &* Self.blockBytes
            var line = memory.loadUnaligned(fromByteOffset: start, as: SIMD8<UInt32>.self)
            line |= Self.mask(hash)
            memory.storeBytes(of: line, toByteOffset: start, as: SIMD8<UInt32>.self)
        }
    }

    /// Inserts many hashes, at a third of the price of one by one.
    package mutating func insert(contentsOf hashes: UnsafeBufferPointer<UInt64>) {
        bytes.withUnsafeMutableBytes { memory in
            let blocks = memory.count / Self.blockBytes
            for hash in hashes {
                let start = Self.block(hash, of: blocks) &* Self.blockBytes
                var line = memory.loadUnaligned(fromByteOffset: start, as: SIMD8<UInt32>.self)
                line |= Self.mask(hash)
                memory.storeBytes(of: line, toByteOffset: start, as: SIMD8<UInt32>.self)
            }
        }
    }

    package func mayContain(_ hash: UInt64) -> Bool {
        bytes.withUnsafeBytes { Self.mayContain(hash, in: $0) }
    }

    /// Asks a stored filter where it lies. Bytes that are no filter say "maybe", so that damage never hides a row.
    package static func mayContain(_ hash: UInt64, in filter: UnsafeRawBufferPointer) -> Bool {
        guard isWellFormed(filter.count) else { return true }
        return lineMayContain(hash, filter, at: block(hash, of: filter.count / blockBytes) &* blockBytes)
    }

    /// Where the line of a hash begins in a filter of `count` bytes; nil if there is no such filter.
    package static func offset(ofLine hash: UInt64, filterBytes count: Int) -> Int? {
        isWellFormed(count) ? block(hash, of: count / blockBytes) &* blockBytes : nil
    }

    /// Asks the line of 32 bytes that begins at `start`; "maybe" if there is none.
    package static func lineMayContain(_ hash: UInt64, _ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard start >= 0, start <= bytes.count - blockBytes else { return true }
        let line = bytes.loadUnaligned(fromByteOffset: start, as: SIMD8<UInt32>.self)
        let missing = mask(hash) & ~line
        return missing == .zero
    }

    /// The union with a filter of the same size; nil if the sizes differ.
    package func union(_ other: SplitBlockBloom) -> SplitBlockBloom? {
        guard other.bytes.count == bytes.count else { return nil }
        var united = self
        for i in united.bytes.indices { united.bytes[i] |= other.bytes[i] }
        return united
    }

    private static func isWellFormed(_ count: Int) -> Bool {
        count >= blockBytes && count % blockBytes == 0 && count / blockBytes <= Int(UInt32.max)
    }

    @inline(__always)
    static func block(_ hash: UInt64, of count: Int) -> Int {
        Int(truncatingIfNeeded: ((hash &>> 32) &* UInt64(truncatingIfNeeded: count)) &>> 32)
    }

    @inline(__always)
    private static func mask(_ hash: UInt64) -> SIMD8<UInt32> {
        let key = SIMD8<UInt32>(repeating: UInt32(truncatingIfNeeded: hash))
        let shifts = (key &* salt) &>> SIMD8(repeating: 27)
        return SIMD8(repeating: 1) &<< shifts
    }

    private static func blocks(_ keys: Int, _ falsePositives: Double) -> Int {
        let wanted = min(max(falsePositives, 1e-6), 0.5)
        // Keys per block for which the rate is just the one wanted, by bisection.
        var low = 0.5
        var high = 256.0
        for _ in 0..<16 {
            let middle = (low + high) / 2
            if rate(keysPerBlock: middle) > wanted { high = middle } else { low = middle }
        }
        let blocks = (Double(max(keys, 0)) / low).rounded(.up)
        return max(Int(min(blocks, Double(mostBlocks))), 1)
    }

    /// The share of false answers: keys fall on blocks unevenly, by Poisson's law, and a block of `i` keys is
    /// wrong at `(1 - (31/32)^i)^8`.
    private static func rate(keysPerBlock: Double) -> Double {
        var share = exp(-keysPerBlock)
        var free = 1.0
        var sum = 0.0
        for i in 1...512 {
            share *= keysPerBlock / Double(i)
            free *= 31.0 / 32
            let taken = (1 - free) * (1 - free)
            sum += share * taken * taken * taken * taken
            if Double(i) > keysPerBlock && share < 1e-12 { break }
        }
        return sum
    }
}
