import Core

/// Which blocks may have a token: a split-block Bloom filter for each block, of a size that fits its tokens.
///
/// The filters stand one after the other, cut into pages of 4 KiB; the directory has the size of each filter, in lines of 32 bytes,
/// and the checksum of each page. A lookup reads a line of every block.
package struct TokenBlooms: Sendable, Equatable {
    package static let pageBytes = 4096

    /// By block: where its filter begins, in lines; and where the last one ends.
    private let starts: [Int]
    private let checksums: [UInt32]

    package var blockCount: Int { starts.count - 1 }

    /// The number of all filters' bytes.
    package var byteCount: Int { starts[starts.count - 1] * SplitBlockBloom.blockBytes }

    /// Where the line is that has the token if the block has it; nil if the block has no token at all.
    package func line(of hash: UInt64, block: Int) -> (page: Int, offset: Int)? {
        let lines = starts[block + 1] - starts[block]
        guard lines > 0 else { return nil }
        let offset = (starts[block] + SplitBlockBloom.block(hash, of: lines)) * SplitBlockBloom.blockBytes
        return (offset / Self.pageBytes, offset % Self.pageBytes)
    }

    /// Where a page lies, counted from the first one.
    package func range(ofPage page: Int) -> Range<Int> {
        page * Self.pageBytes..<min((page + 1) * Self.pageBytes, byteCount)
    }

    var pages: [Range<Int>] { checksums.indices.map { range(ofPage: $0) } }

    func checksum(ofPage page: Int) -> UInt32 { checksums[page] }

    package func check(page: Int, _ bytes: UnsafeRawBufferPointer) throws(IndexingError) {
        guard UInt32(truncatingIfNeeded: XXH3.hash(bytes)) == checksums[page] else { throw .corrupt }
    }

    /// Whether one of some tokens is not in a block as far as the filters know.
    ///
    /// - Parameter bytes: all pages, which were checked.
    func denies(_ hashes: [UInt64], block: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        hashes.contains { hash in
            guard let (page, offset) = line(of: hash, block: block) else { return true }
            return !SplitBlockBloom.lineMayContain(hash, bytes, at: page * Self.pageBytes + offset)
        }
    }

    // MARK: Bytes

    package func encode(into bytes: inout [UInt8]) {
        for block in 0..<blockCount {
            ByteCoding.append(varint: UInt64(starts[block + 1] - starts[block]), to: &bytes)
        }
        for checksum in checksums { ByteCoding.append(fixed32: checksum, to: &bytes) }
    }

    init(decoding reader: inout ByteCoding, blockCount: Int) throws(IndexingError) {
        var starts = [0]
        for _ in 0..<blockCount {
            starts.append(starts[starts.count - 1] + (try reader.varint(below: 1 << 22)))
        }
        let bytes = starts[blockCount] * SplitBlockBloom.blockBytes
        let pages = (bytes + Self.pageBytes - 1) / Self.pageBytes
        guard pages <= reader.remaining / 4 else { throw .corrupt }
        var checksums: [UInt32] = []
        for _ in 0..<pages { checksums.append(try reader.fixed32()) }
        self.starts = starts
        self.checksums = checksums
    }

    func trusting(_ pages: [UInt8]) -> TokenBlooms {
        TokenBlooms(starts: starts, checksums: checksums.indices.map { Self.checksum(pages, range(ofPage: $0)) })
    }

    private static func checksum(_ pages: [UInt8], _ range: Range<Int>) -> UInt32 {
        UInt32(truncatingIfNeeded: XXH3.hash(Array(pages[range.clamped(to: pages.indices)])))
    }

    // MARK: Building

    private init(starts: [Int], checksums: [UInt32]) {
        self.starts = starts
        self.checksums = checksums
    }

    package struct Builder {
        private let falsePositives: Double
        private var starts = [0]
        private var bytes: [UInt8] = []

        package init(falsePositives: Double) { self.falsePositives = falsePositives }

        package var blockCount: Int { starts.count - 1 }

        package var byteCount: Int { bytes.count }

        /// Ends a block with these distinct hashes.
        package mutating func endBlock(_ hashes: UnsafeBufferPointer<UInt64>) {
            if !hashes.isEmpty {
                var filter = SplitBlockBloom(expectedKeys: hashes.count, falsePositives: falsePositives)
                filter.insert(contentsOf: hashes)
                bytes.append(contentsOf: filter.bytes)
            }
            starts.append(bytes.count / SplitBlockBloom.blockBytes)
        }

        /// The filters of all blocks so far: their directory, and their bytes. Starts over.
        package mutating func finish() -> (directory: TokenBlooms, pages: [UInt8]) {
            defer { self = Builder(falsePositives: falsePositives) }
            let checksums = stride(from: 0, to: bytes.count, by: TokenBlooms.pageBytes).map { start in
                TokenBlooms.checksum(bytes, start..<(start + TokenBlooms.pageBytes))
            }
            return (TokenBlooms(starts: starts, checksums: checksums), bytes)
        }
    }
}
