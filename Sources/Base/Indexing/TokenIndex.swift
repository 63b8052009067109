import Core

/// What is kept of an index of tokens over some blocks in a row, less its pages: its *directory*, which stays in memory once it
/// was read.
package struct TokenIndex: Sendable, Equatable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        case blooms = 1
        case postings = 2
        /// What texts are made of, in another form than the others (`TemplateIndex` in Encoding).
        case templates = 3
    }

    package enum Form: Sendable, Equatable {
        case blooms(TokenBlooms)
        case postings(TokenPostings)
    }

    package let form: Form
    /// By block; none for an index of values, which are looked up whole.
    package let stamps: [TokenStamps]

    package init(_ form: Form, stamps: [TokenStamps]) {
        self.form = form
        self.stamps = stamps
    }

    package var blockCount: Int {
        switch form {
        case .blooms(let blooms): blooms.blockCount
        case .postings(let postings): postings.blockCount
        }
    }

    /// The number of all pages' bytes.
    package var byteCount: Int {
        switch form {
        case .blooms(let blooms): blooms.byteCount
        case .postings(let postings): postings.byteCount
        }
    }

    /// Marks the blocks, counted from `first`, that may have the token, or for which the index cannot be asked.
    ///
    /// - Parameter read: the bytes of the pages' range that it is given.
    package func find<Failure: Error>(
        _ condition: TokenCondition, first: Int, _ blocks: inout BlockSet,
        read: (Range<Int>) throws(Failure) -> [UInt8]
    ) throws(TokenIndexFailure<Failure>) {
        if let piece = condition.piece {
            guard stamps.count == blockCount else {
                return (first..<(first + blockCount)).forEach { blocks.insert($0) }
            }
            var unsure = 0
            for (block, stamp) in stamps.enumerated() where stamp.mayContain(piece) {
                blocks.insert(first + block)
                unsure += 1
            }
            if unsure == blockCount { return }
        }
        switch form {
        case .postings(let postings):
            guard let page = postings.page(of: condition.hash) else { return }
            let bytes = try Self.bytes(postings.range(ofPage: page), read)
            try Self.check(bytes, Failure.self) { (bytes) throws(IndexingError) in
                try postings.find(condition.hash, inPage: page, bytes, first: first, &blocks)
            }
        case .blooms(let blooms):
            var known: (page: Int, bytes: [UInt8])?
            for block in 0..<blooms.blockCount where !blocks.contains(first + block) {
                guard let (page, offset) = blooms.line(of: condition.hash, block: block) else { continue }
                if known?.page != page {
                    let bytes = try Self.bytes(blooms.range(ofPage: page), read)
                    try Self.check(bytes, Failure.self) { (bytes) throws(IndexingError) in
                        try blooms.check(page: page, bytes)
                    }
                    known = (page, bytes)
                }
                let mayContain =
                    known?.bytes.withUnsafeBytes {
                        SplitBlockBloom.lineMayContain(condition.hash, $0, at: offset)
                    } ?? true
                if mayContain { blocks.insert(first + block) }
            }
        }
    }

    private static func check<Failure: Error>(
        _ bytes: [UInt8], _ failure: Failure.Type, _ body: (UnsafeRawBufferPointer) throws(IndexingError) -> Void
    ) throws(TokenIndexFailure<Failure>) {
        let result: Result<Void, IndexingError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(IndexingError) in try body(bytes) }
        }
        if case .failure(let error) = result { throw .indexing(error) }
    }

    private static func bytes<Failure: Error>(
        _ range: Range<Int>, _ read: (Range<Int>) throws(Failure) -> [UInt8]
    ) throws(TokenIndexFailure<Failure>) -> [UInt8] {
        do throws(Failure) { return try read(range) } catch { throw .read(error) }
    }

    /// Bytes of memory that the directory takes, about.
    package var memoryBytes: Int {
        // Of a page its place, its checksum and its first hash; of a block where it begins, and the stamps with their two lists.
        128 + pages.count * 40 + blockCount * 8 + stamps.reduce(0) { $0 + 80 + 4 * ($1.words.count + $1.runs.count) }
    }

    /// Whether the index says "no" of a token that a block has.
    ///
    /// - Parameters:
    ///   - hashes: of the block's tokens, ascending.
    ///   - stamps: the block's, if they are known.
    ///   - block: counted from the index's first.
    ///   - pages: all of them, which were checked.
    package func denies(
        _ hashes: [UInt64], _ stamps: TokenStamps?, block: Int, pages: [UInt8]
    ) throws(IndexingError) -> Bool {
        if let stamps, self.stamps.count == blockCount, !stamps.isCovered(by: self.stamps[block]) { return true }
        let result: Result<Bool, IndexingError> = pages.withUnsafeBytes { bytes in
            Result { () throws(IndexingError) in
                switch form {
                case .blooms(let blooms): blooms.denies(hashes, block: block, bytes)
                case .postings(let postings): try postings.denies(hashes, block: block, bytes)
                }
            }
        }
        return try result.get()
    }

    /// The places of all pages, counted from the first one.
    package var pages: [Range<Int>] {
        switch form {
        case .blooms(let blooms): blooms.pages
        case .postings(let postings): (0..<postings.pageCount).map { postings.range(ofPage: $0) }
        }
    }

    /// Checks a page's bytes.
    package func check(page: Int, _ bytes: [UInt8]) throws(IndexingError) {
        let checksum = UInt32(truncatingIfNeeded: XXH3.hash(bytes))
        let expected =
            switch form {
            case .blooms(let blooms): blooms.checksum(ofPage: page)
            case .postings(let postings): postings.checksum(ofPage: page)
            }
        guard checksum == expected else { throw .corrupt }
    }

    /// The same index with the checksums that these pages have: for tests of what damage behind a right checksum does.
    package func trusting(_ pages: [UInt8]) -> TokenIndex {
        switch form {
        case .blooms(let blooms): TokenIndex(.blooms(blooms.trusting(pages)), stamps: stamps)
        case .postings(let postings): TokenIndex(.postings(postings.trusting(pages)), stamps: stamps)
        }
    }

    // MARK: Bytes

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        switch form {
        case .blooms(let blooms): blooms.encode(into: &bytes)
        case .postings(let postings): postings.encode(into: &bytes)
        }
        ByteCoding.append(varint: UInt64(stamps.count), to: &bytes)
        for stamp in stamps { stamp.encode(into: &bytes) }
        return bytes
    }

    package init(decoding bytes: [UInt8], kind: Kind, blockCount: Int) throws(IndexingError) {
        var reader = ByteCoding(bytes)
        form =
            switch kind {
            case .blooms: .blooms(try TokenBlooms(decoding: &reader, blockCount: blockCount))
            case .postings: .postings(try TokenPostings(decoding: &reader, blockCount: blockCount))
            case .templates: throw .corrupt
            }
        var stamps: [TokenStamps] = []
        let count = try reader.varint(below: blockCount + 1)
        guard count == 0 || count == blockCount else { throw .corrupt }
        for _ in 0..<count { stamps.append(try TokenStamps(decoding: &reader)) }
        guard reader.remaining == 0 else { throw .corrupt }
        self.stamps = stamps
    }
}

/// Why a lookup ended: the index is damaged, or its pages could not be read.
package enum TokenIndexFailure<Failure: Error>: Error {
    case indexing(IndexingError)
    case read(Failure)
}
