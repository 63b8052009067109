internal import Core
internal import Encoding
internal import Files
internal import Indexing
internal import TableSchema

/// The bytes of a part on their way to its file, and where in the file they will stand.
struct PartOutput {
    private(set) var bytes: [UInt8] = []
    /// Bytes that are in the file already.
    private var written = 0

    /// Where the next byte will stand.
    var offset: Int { written + bytes.count }

    /// Begins the file.
    init() {
        bytes.append(contentsOf: PartLayout.magic)
        append(fixed32: PartLayout.version)
        append(fixed32: 0)
    }

    mutating func append(_ some: some Collection<UInt8>) { bytes.append(contentsOf: some) }

    private mutating func append(fixed32 value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(fixed64 value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Moves what has gathered to the file.
    mutating func write(to file: any ObjectWriter) throws(FileError) {
        try file.append(bytes)
        written += bytes.count
        bytes.removeAll(keepingCapacity: true)
    }

    /// Appends the dictionaries' pages, and notes in the footer where they are.
    mutating func append(dictionaries: [UInt8], _ footer: inout PartFooter) {
        var place = Int64(offset)
        for dictionary in footer.dictionaries.indices {
            for page in footer.dictionaries[dictionary].pages.indices {
                footer.dictionaries[dictionary].pages[page].offset = place
                place += Int64(footer.dictionaries[dictionary].pages[page].storedLength)
            }
        }
        bytes.append(contentsOf: dictionaries)
    }

    /// Appends a bloom filter over `keys`: of one row group, or of the whole part.
    mutating func append(
        bloom keys: [UInt64], _ falsePositives: Double, _ column: ColumnID, group: Int?, _ footer: inout PartFooter
    ) {
        var bloom = SplitBlockBloom(expectedKeys: keys.count, falsePositives: falsePositives)
        for key in keys { bloom.insert(key) }
        let filter = bloom.bytes
        let checksum = UInt32(truncatingIfNeeded: XXH3.hash(filter))
        footer.blooms.append(
            BloomEntry(
                column: column.number, group: group,
                page: PageEntry(
                    encoding: EncodingID.plain.rawValue, compression: CompressionID.none.rawValue,
                    count: keys.count, rawLength: filter.count, storedLength: filter.count,
                    checksum: checksum, offset: Int64(offset))))
        bytes.append(contentsOf: filter)
    }

    /// Appends an index of tokens: its pages, and the directory behind them.
    mutating func append(
        _ segment: TokenIndexWriter.Segment, _ column: ColumnID, _ kind: TokenIndex.Kind, _ footer: inout PartFooter
    ) {
        let start = Int64(offset)
        bytes.append(contentsOf: segment.pages)
        let directory = segment.directory
        footer.tokenIndexes.append(
            TokenIndexEntry(
                column: column.number, kind: kind, firstBlock: segment.firstBlock, blockCount: segment.blockCount,
                offset: start,
                directory: PageEntry(
                    encoding: EncodingID.plain.rawValue, compression: CompressionID.none.rawValue,
                    count: 0, rawLength: directory.count, storedLength: directory.count,
                    checksum: UInt32(truncatingIfNeeded: XXH3.hash(directory)), offset: Int64(offset))))
        bytes.append(contentsOf: directory)
    }

    /// Appends an index of templates.
    mutating func append(_ segment: TemplateIndexWriter.Segment, _ column: UInt16, _ footer: inout PartFooter) {
        var encoder = PageEncoder(zstdLevel: 3)
        let page = segment.bytes.withUnsafeBufferPointer { encoder.encode(raw: $0) }
        let start = Int64(offset)
        var directory = encoder.store(page, into: &bytes)
        directory.offset = start
        footer.tokenIndexes.append(
            TokenIndexEntry(
                column: column, kind: .templates, firstBlock: segment.firstBlock, blockCount: segment.blockCount,
                offset: start, directory: directory))
    }

    /// Appends the footer and the trailer, which end the file.
    mutating func append(_ footer: PartFooter) {
        let raw = footer.encoded()
        var encoder = PageEncoder(zstdLevel: 3)
        let page = raw.withUnsafeBufferPointer { encoder.encode(raw: $0) }
        let stored = encoder.output[page.bytes]
        let start = offset
        bytes.append(contentsOf: stored)
        let checksum = stored.withUnsafeBytes { XXH3.hash($0) }
        append(fixed64: UInt64(start))
        append(fixed32: UInt32(raw.count))
        append(fixed32: UInt32(page.compression.rawValue))
        append(fixed64: checksum)
        bytes.append(contentsOf: PartLayout.magic)
    }
}

extension PageEntry {
    /// The entry of a page that lies in `encoder`'s output; its place is not known yet.
    init(_ page: EncodedPage, checksum: UInt32) {
        self.init(
            encoding: page.encoding.rawValue, compression: page.compression.rawValue, count: page.count,
            rawLength: page.rawLength, storedLength: page.storedLength, checksum: checksum)
    }
}

extension PageEncoder {
    /// Moves a page from the encoder's output to the end of `bytes`.
    mutating func store(_ page: EncodedPage, into bytes: inout [UInt8]) -> PageEntry {
        let stored = output[page.bytes]
        let checksum = stored.withUnsafeBytes { UInt32(truncatingIfNeeded: XXH3.hash($0)) }
        bytes.append(contentsOf: stored)
        output.removeAll(keepingCapacity: true)
        return PageEntry(page, checksum: checksum)
    }
}
