import Core

/// Which blocks have which tokens: one sorted list of hashes for many blocks, so that a lookup reads one page.
///
/// Hashes are cut to *fingerprints* of a few bits more than it takes to tell the tokens apart, so an absent token finds blocks at
/// a rate of 2^-`spareBits`. Their differences are Rice coded, and behind each stand its blocks:
///
/// ```
/// 1      one block, in as many bits as the greatest number needs
/// 01     list: how many more than two, in Rice code with 1 bit; then the least, and each less the one before and one, in Rice code
/// 001    bitmap: a bit for each block
/// 000    everywhere, or nearly so
/// ```
///
/// Pages have at most 4 KiB; the directory has the first fingerprint of each.
package struct TokenPostings: Sendable, Equatable {
    package static let pageBytes = 4096
    /// The most blocks that one index is about: a bitmap of them is an eighth of a page.
    package static let blockLimit = 4096
    /// How much longer fingerprints are than what tells as many tokens apart.
    package static let spareBits = 10
    private static let hashBits = 48

    struct Page: Sendable, Equatable {
        var first: UInt64
        var entries: Int
        var offset: Int
        var length: Int
        var checksum: UInt32
    }

    package let blockCount: Int
    private let fingerprintBits: Int
    private let riceBits: Int
    private let pages: [Page]

    // MARK: Lookup

    /// The page in which a token's fingerprint is, if it is anywhere.
    package func page(of hash: UInt64) -> Int? {
        let fingerprint = hash >> UInt64(64 - fingerprintBits)
        var low = 0
        var high = pages.count
        while low < high {
            let middle = (low + high) / 2
            if pages[middle].first <= fingerprint { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// Where a page lies, counted from the first one.
    package func range(ofPage page: Int) -> Range<Int> {
        pages[page].offset..<(pages[page].offset + pages[page].length)
    }

    var pageCount: Int { pages.count }

    func checksum(ofPage page: Int) -> UInt32 { pages[page].checksum }

    /// The number of all pages' bytes.
    package var byteCount: Int { pages.last.map { $0.offset + $0.length } ?? 0 }

    /// Marks the blocks that may have the token, counted from `first`.
    ///
    /// - Parameter bytes: of the page that `page(of:)` named; they are checked.
    package func find(
        _ hash: UInt64, inPage number: Int, _ bytes: UnsafeRawBufferPointer, first: Int, _ blocks: inout BlockSet
    ) throws(IndexingError) {
        let page = pages[number]
        guard UInt32(truncatingIfNeeded: XXH3.hash(bytes)) == page.checksum else { throw .corrupt }
        let wanted = hash >> UInt64(64 - fingerprintBits)
        var reader = BitReader(bytes)
        var fingerprint = page.first
        for entry in 0..<page.entries {
            let step = try reader.rice(riceBits)
            // Each is above the one before, but the first, which the directory has.
            guard (entry == 0) == (step == 0), step >> UInt64(fingerprintBits) == 0 else { throw .corrupt }
            fingerprint += step
            guard fingerprint <= wanted else { return }
            if fingerprint == wanted {
                try readBlocks(&reader) { blocks.insert(first + $0) }
                return
            }
            try readBlocks(&reader) { _ in }
        }
    }

    /// Whether one of some tokens is not in a block as far as the index knows: each page is read once.
    ///
    /// - Parameters:
    ///   - hashes: ascending.
    ///   - bytes: all pages, which were checked.
    func denies(
        _ hashes: [UInt64], block: Int, _ bytes: UnsafeRawBufferPointer
    ) throws(IndexingError) -> Bool {
        let shift = UInt64(64 - fingerprintBits)
        var next = 0
        for (number, page) in pages.enumerated() {
            let end = number + 1 < pages.count ? pages[number + 1].first : UInt64.max
            guard next < hashes.count else { return false }
            if hashes[next] >> shift >= end { continue }
            guard page.offset + page.length <= bytes.count else { throw .corrupt }
            var reader = BitReader(UnsafeRawBufferPointer(rebasing: bytes[page.offset..<(page.offset + page.length)]))
            var fingerprint = page.first
            for entry in 0..<page.entries where next < hashes.count && hashes[next] >> shift < end {
                let step = try reader.rice(riceBits)
                guard (entry == 0) == (step == 0), step >> UInt64(fingerprintBits) == 0 else { throw .corrupt }
                fingerprint += step
                if hashes[next] >> shift < fingerprint { return true }
                let isAsked = hashes[next] >> shift == fingerprint
                var isHeld = false
                try readBlocks(&reader) { if $0 == block { isHeld = true } }
                if isAsked, !isHeld { return true }
                while isAsked, next < hashes.count, hashes[next] >> shift == fingerprint { next += 1 }
            }
            if next < hashes.count, hashes[next] >> shift < end { return true }
        }
        return next < hashes.count
    }

    private static func width(_ blockCount: Int) -> Int { Int.bitWidth - max(blockCount - 1, 0).leadingZeroBitCount }

    private static func listBits(_ blockCount: Int, _ count: Int) -> Int { max(width(blockCount / count) - 1, 0) }

    @inline(__always)
    private func readBlocks(_ reader: inout BitReader, _ body: (Int) -> Void) throws(IndexingError) {
        if try reader.bits(1) == 1 {
            let block = Int(try reader.bits(Self.width(blockCount)))
            guard block < blockCount else { throw .corrupt }
            body(block)
        } else if try reader.bits(1) == 1 {
            let count = try reader.rice(1) + 2
            guard count <= UInt64(blockCount) else { throw .corrupt }
            let bits = Self.listBits(blockCount, Int(count))
            var block = -1
            for _ in 0..<Int(count) {
                let step = try reader.rice(bits)
                guard step < UInt64(blockCount - 1 - block) else { throw .corrupt }
                block += Int(step) + 1
                body(block)
            }
        } else if try reader.bits(1) == 1 {
            for start in stride(from: 0, to: blockCount, by: 32) {
                var word = try reader.bits(min(32, blockCount - start))
                while word != 0 {
                    body(start + word.trailingZeroBitCount)
                    word &= word - 1
                }
            }
        } else {
            for block in 0..<blockCount { body(block) }
        }
    }

    // MARK: Bytes

    /// The directory.
    package func encode(into bytes: inout [UInt8]) {
        bytes.append(UInt8(fingerprintBits))
        bytes.append(UInt8(riceBits))
        ByteCoding.append(varint: UInt64(pages.count), to: &bytes)
        var last: UInt64 = 0
        for page in pages {
            ByteCoding.append(varint: page.first - last, to: &bytes)
            ByteCoding.append(varint: UInt64(page.entries), to: &bytes)
            ByteCoding.append(varint: UInt64(page.length), to: &bytes)
            ByteCoding.append(fixed32: page.checksum, to: &bytes)
            last = page.first
        }
    }

    init(decoding reader: inout ByteCoding, blockCount: Int) throws(IndexingError) {
        guard blockCount > 0, blockCount <= Self.blockLimit else { throw .corrupt }
        self.blockCount = blockCount
        fingerprintBits = Int(try reader.byte())
        riceBits = Int(try reader.byte())
        guard (1...Self.hashBits).contains(fingerprintBits), riceBits <= fingerprintBits else { throw .corrupt }
        var pages: [Page] = []
        var first: UInt64 = 0
        var offset = 0
        for number in 0..<(try reader.varint(below: reader.remaining + 1)) {
            let step = try reader.word()
            guard step >> UInt64(fingerprintBits) == 0, number == 0 || step > 0 else { throw .corrupt }
            first += step
            guard first >> UInt64(fingerprintBits) == 0 else { throw .corrupt }
            let entries = try reader.varint(below: Self.pageBytes * 8)
            let length = try reader.varint(below: Self.pageBytes + 1)
            let checksum = try reader.fixed32()
            pages.append(Page(first: first, entries: entries, offset: offset, length: length, checksum: checksum))
            offset += length
        }
        self.pages = pages
    }

    func trusting(_ bytes: [UInt8]) -> TokenPostings {
        let pages = pages.map { page in
            var page = page
            let range = (page.offset..<(page.offset + page.length)).clamped(to: bytes.indices)
            page.checksum = UInt32(truncatingIfNeeded: XXH3.hash(Array(bytes[range])))
            return page
        }
        return TokenPostings(
            blockCount: blockCount, fingerprintBits: fingerprintBits, riceBits: riceBits, pages: pages)
    }

    // MARK: Building

    private init(blockCount: Int, fingerprintBits: Int, riceBits: Int, pages: [Page]) {
        self.blockCount = blockCount
        self.fingerprintBits = fingerprintBits
        self.riceBits = riceBits
        self.pages = pages
    }

    /// Gathers hashes block by block, eight bytes for each; sorting takes as much again.
    package struct Builder {
        /// The upper 48 bits of a hash, and the block.
        private var pairs: [UInt64] = []
        package private(set) var blockCount = 0

        package init() {}

        /// How many hashes were added.
        package var count: Int { pairs.count }

        /// Ends a block with these distinct hashes.
        package mutating func endBlock(_ hashes: UnsafeBufferPointer<UInt64>) {
            precondition(blockCount < TokenPostings.blockLimit, "too many blocks for one index")
            let block = UInt64(blockCount)
            pairs.reserveCapacity(pairs.count + hashes.count)
            for hash in hashes { pairs.append(hash & ~0xFFFF | block) }
            blockCount += 1
        }

        /// The index of all blocks so far: its directory, and its pages one after the other. Starts over.
        package mutating func finish() -> (directory: TokenPostings, pages: [UInt8]) {
            defer { self = Builder() }
            let bits = min(
                TokenPostings.hashBits, TokenPostings.width(max(pairs.count, 2)) + TokenPostings.spareBits)
            Self.sort(&pairs, keyBits: bits)
            return TokenPostings.encode(pairs, blockCount: blockCount, fingerprintBits: bits)
        }

        /// Puts pairs in the order of their upper `keyBits` bits; those that are equal in them stay in the order of blocks.
        private static func sort(_ pairs: inout [UInt64], keyBits: Int) {
            guard pairs.count > 1 else { return }
            let digitBits = 11
            var other = [UInt64](repeating: 0, count: pairs.count)
            var shift = 64 - keyBits
            while shift < 64 {
                let bits = min(digitBits, 64 - shift)
                let mask = UInt64(1) << UInt64(bits) - 1
                var slots = [Int](repeating: 0, count: 1 << bits)
                pairs.withUnsafeBufferPointer { source in
                    other.withUnsafeMutableBufferPointer { target in
                        slots.withUnsafeMutableBufferPointer { slots in
                            for pair in source { slots[Int(pair &>> UInt64(shift) & mask)] &+= 1 }
                            var sum = 0
                            for i in 0..<slots.count {
                                let count = slots[i]
                                slots[i] = sum
                                sum &+= count
                            }
                            for pair in source {
                                let digit = Int(pair &>> UInt64(shift) & mask)
                                target[slots[digit]] = pair
                                slots[digit] &+= 1
                            }
                        }
                    }
                }
                swap(&pairs, &other)
                shift += bits
            }
        }
    }

    /// - Parameter pairs: sorted by fingerprint, and those with one fingerprint by block.
    private static func encode(
        _ pairs: [UInt64], blockCount: Int, fingerprintBits: Int
    ) -> (directory: TokenPostings, pages: [UInt8]) {
        let shift = UInt64(64 - fingerprintBits)
        var distinct = 0
        var last: UInt64?
        for pair in pairs where pair >> shift != last {
            distinct += 1
            last = pair >> shift
        }
        let spacing = (UInt64(1) << UInt64(fingerprintBits)) / UInt64(max(distinct, 1))
        let riceBits = max(63 - max(spacing, 1).leadingZeroBitCount, 0)
        var writer = PageWriter(riceBits: riceBits, blockCount: blockCount)
        var blocks: [Int] = []
        var i = 0
        while i < pairs.count {
            let fingerprint = pairs[i] >> shift
            blocks.removeAll(keepingCapacity: true)
            while i < pairs.count, pairs[i] >> shift == fingerprint {
                let block = Int(pairs[i] & 0xFFFF)
                if blocks.last != block { blocks.append(block) }
                i += 1
            }
            writer.append(fingerprint, blocks)
        }
        writer.endPage()
        let directory = TokenPostings(
            blockCount: blockCount, fingerprintBits: fingerprintBits, riceBits: riceBits, pages: writer.pages)
        return (directory, writer.bytes)
    }

    private struct PageWriter {
        let riceBits: Int
        let blockCount: Int
        private(set) var pages: [Page] = []
        private(set) var bytes: [UInt8] = []
        private var writer = BitWriter()
        private var bitCount = 0
        private var first: UInt64 = 0
        private var last: UInt64 = 0
        private var entries = 0

        init(riceBits: Int, blockCount: Int) {
            self.riceBits = riceBits
            self.blockCount = blockCount
        }

        mutating func append(_ fingerprint: UInt64, _ blocks: [Int]) {
            let step = entries == 0 ? 0 : fingerprint - last
            let (form, payload) = form(blocks)
            let cost = Int(step >> UInt64(riceBits)) + 1 + riceBits + payload
            if entries > 0, bitCount + cost > TokenPostings.pageBytes * 8 {
                endPage()
                return append(fingerprint, blocks)
            }
            if entries == 0 { first = fingerprint }
            writer.append(rice: step, bits: riceBits)
            write(form, blocks)
            bitCount += cost
            last = fingerprint
            entries += 1
        }

        private enum Form { case single, list, bitmap, everywhere }

        /// The shortest form, and its bits.
        private func form(_ blocks: [Int]) -> (Form, Int) {
            let width = TokenPostings.width(blockCount)
            if blocks.count == 1 { return (.single, 1 + width) }
            if blocks.count * 8 > blockCount * 7 { return (.everywhere, 3) }
            let bits = TokenPostings.listBits(blockCount, blocks.count)
            var list = 2 + (blocks.count - 2) >> 1 + 2
            var previous = -1
            for block in blocks {
                list += (block - previous - 1) >> bits + 1 + bits
                previous = block
            }
            return list < 3 + blockCount ? (.list, list) : (.bitmap, 3 + blockCount)
        }

        private mutating func write(_ form: Form, _ blocks: [Int]) {
            switch form {
            case .single:
                writer.append(1, 1)
                writer.append(UInt64(blocks[0]), TokenPostings.width(blockCount))
            case .list:
                writer.append(0b10, 2)
                writer.append(rice: UInt64(blocks.count - 2), bits: 1)
                let bits = TokenPostings.listBits(blockCount, blocks.count)
                var previous = -1
                for block in blocks {
                    writer.append(rice: UInt64(block - previous - 1), bits: bits)
                    previous = block
                }
            case .bitmap:
                writer.append(0b100, 3)
                var slot = 0
                for start in stride(from: 0, to: blockCount, by: 32) {
                    let count = min(32, blockCount - start)
                    var word: UInt64 = 0
                    while slot < blocks.count, blocks[slot] < start + count {
                        word |= 1 << UInt64(blocks[slot] - start)
                        slot += 1
                    }
                    writer.append(word, count)
                }
            case .everywhere: writer.append(0, 3)
            }
        }

        mutating func endPage() {
            guard entries > 0 else { return }
            let page = writer.finish()
            pages.append(
                Page(
                    first: first, entries: entries, offset: bytes.count, length: page.count,
                    checksum: UInt32(truncatingIfNeeded: XXH3.hash(page))))
            bytes.append(contentsOf: page)
            entries = 0
            bitCount = 0
        }
    }
}
