internal import Columns
internal import Indexing
internal import TableSchema

/// Writes the footer's numbers: little-endian base-128 varints, zigzag for signed ones.
struct FooterWriter {
    var bytes: [UInt8] = []

    mutating func natural(_ value: Int) { word(UInt64(value)) }

    mutating func word(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func integer(_ value: Int64) {
        word(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    mutating func fixed32(_ value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func fixed64(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func text(_ value: [UInt8]) {
        natural(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func page(_ page: PageEntry) {
        bytes.append(page.encoding)
        bytes.append(page.compression)
        natural(page.count)
        natural(page.rawLength)
        natural(page.storedLength)
        if page.storedLength > 0 { fixed32(page.checksum) }
    }
}

/// Reads what `FooterWriter` wrote; every read is checked.
struct FooterReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    /// What is left, which bounds every count of things that take at least a byte each.
    var remaining: Int { bytes.count - position }

    mutating func byte() throws(PartError) -> UInt8 {
        guard position < bytes.count else { throw .corruptFooter("it ends early") }
        position += 1
        return bytes[position - 1]
    }

    mutating func word() throws(PartError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63, next > 1 { throw .corruptFooter("a number is too long") }
            result |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return result }
            shift += 7
            if shift > 63 { throw .corruptFooter("a number is too long") }
        }
    }

    mutating func natural(below limit: Int) throws(PartError) -> Int {
        let value = try word()
        guard value < UInt64(limit) else { throw .corruptFooter("a number is out of range") }
        return Int(value)
    }

    /// A number of things that follow.
    mutating func count() throws(PartError) -> Int { try natural(below: remaining + 1) }

    mutating func integer() throws(PartError) -> Int64 {
        let value = try word()
        return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
    }

    mutating func fixed32() throws(PartError) -> UInt32 {
        var value: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 32, by: 8) { value |= UInt32(try byte()) << shift }
        return value
    }

    mutating func fixed64() throws(PartError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 8) { value |= UInt64(try byte()) << shift }
        return value
    }

    mutating func text() throws(PartError) -> [UInt8] {
        let length = try count()
        // `count` is bounded by what was left before the length itself was read.
        guard length <= remaining else { throw .corruptFooter("it ends early") }
        position += length
        return Array(bytes[(position - length)..<position])
    }

    mutating func page() throws(PartError) -> PageEntry {
        let encoding = try byte()
        let compression = try byte()
        let count = try natural(below: PartLayout.pageValueLimit + 1)
        let raw = try natural(below: PartLayout.footerLimit)
        let stored = try natural(below: PartLayout.footerLimit)
        let checksum = stored > 0 ? try fixed32() : 0
        return PageEntry(
            encoding: encoding, compression: compression, count: count, rawLength: raw,
            storedLength: stored, checksum: checksum)
    }
}

extension PartFooter {
    func encoded() -> [UInt8] {
        var writer = FooterWriter()
        writer.natural(Int(table.number))
        writer.fixed64(fingerprint)
        writer.integer(partition)
        writer.integer(leastTime)
        writer.integer(greatestTime)
        writer.natural(groupBlocks.count)
        var block = 0
        for blocks in groupBlocks {
            writer.natural(blocks)
            for rows in blockRows[block..<(block + blocks)] { writer.natural(rows) }
            block += blocks
        }
        writeDictionaries(&writer)
        writeLeaves(&writer)
        writeShapes(&writer)
        writer.natural(blooms.count)
        for bloom in blooms {
            writer.natural(Int(bloom.column))
            writer.natural(bloom.group.map { $0 + 1 } ?? 0)
            writer.integer(bloom.page.offset)
            writer.page(bloom.page)
        }
        writeTokenIndexes(&writer)
        writer.origin(origin)
        return writer.bytes
    }

    private func writeTokenIndexes(_ writer: inout FooterWriter) {
        writer.natural(tokenIndexes.count)
        for index in tokenIndexes {
            writer.natural(Int(index.column))
            writer.natural(Int(index.kind.rawValue))
            writer.natural(index.firstBlock)
            writer.natural(index.blockCount)
            writer.integer(index.offset)
            writer.integer(index.directory.offset)
            writer.page(index.directory)
        }
    }

    private func writeDictionaries(_ writer: inout FooterWriter) {
        writer.natural(dictionaries.count)
        for dictionary in dictionaries {
            writer.natural(dictionary.count)
            writer.natural(dictionary.isSorted ? 1 : 0)
            writer.natural(dictionary.pages.count)
            writer.integer(dictionary.pages.first?.offset ?? 0)
            for page in dictionary.pages { writer.page(page) }
        }
    }

    private func writeLeaves(_ writer: inout FooterWriter) {
        writer.natural(leaves.count)
        for leaf in leaves {
            writer.natural(Int(leaf.key.column))
            writer.natural(Int(leaf.key.role.rawValue))
            writer.natural(Int(leaf.key.subcolumn))
            writer.natural(Int(leaf.kind.rawValue))
            writer.natural((leaf.dictionary ?? leaf.sibling).map { $0 + 1 } ?? 0)
            var block = 0
            for blocks in groupBlocks {
                writer.integer(leaf.pages[block].offset)
                for page in leaf.pages[block..<(block + blocks)] { writer.page(page) }
                block += blocks
            }
            writer.natural(leaf.zones.isEmpty ? 0 : 1)
            for zone in leaf.zones {
                writer.integer(zone.least)
                writer.word(UInt64(bitPattern: zone.greatest &- zone.least))
            }
        }
    }

    private func writeShapes(_ writer: inout FooterWriter) {
        writer.natural(shapes.count)
        for entry in shapes {
            writer.natural(Int(entry.column))
            writer.natural(entry.subcolumns.count)
            for subcolumn in entry.subcolumns {
                writer.text(subcolumn.key)
                writer.natural(Int(subcolumn.type.rawValue))
            }
            writer.natural(entry.shapes.count)
            for shape in entry.shapes {
                writer.natural(shape.count)
                for subcolumn in shape { writer.natural(Int(subcolumn)) }
            }
        }
    }

    /// Reads a footer; the file's `length` bounds what it may point at.
    init(
        decoding bytes: [UInt8], fileLength: Int64, version: UInt32 = PartLayout.version
    ) throws(PartError) {
        var reader = FooterReader(bytes)
        table = TableID(number: UInt16(try reader.natural(below: 1 << 16)))
        fingerprint = try reader.fixed64()
        partition = try reader.integer()
        leastTime = try reader.integer()
        greatestTime = try reader.integer()
        blockRows = []
        groupBlocks = []
        var rows = 0
        for _ in 0..<(try reader.count()) {
            let blocks = try reader.count()
            guard blocks > 0 else { throw .corruptFooter("a row group is empty") }
            groupBlocks.append(blocks)
            for _ in 0..<blocks {
                blockRows.append(try reader.natural(below: PartLayout.pageValueLimit + 1))
                rows += blockRows[blockRows.count - 1]
            }
        }
        guard rows <= PartLayout.rowLimit else { throw .corruptFooter("too many rows") }
        let limit = fileLength
        try readDictionaries(&reader, limit)
        try readLeaves(&reader, limit)
        try readShapes(&reader)
        for _ in 0..<(try reader.count()) {
            let column = UInt16(try reader.natural(below: 1 << 16))
            let group = try reader.natural(below: groupBlocks.count + 1)
            let offset = try reader.integer()
            var page = try reader.page()
            var end = offset
            try page.place(&end, limit)
            blooms.append(BloomEntry(column: column, group: group == 0 ? nil : group - 1, page: page))
        }
        // In version 1 there is nothing where there are none.
        if version > 1 || !reader.isAtEnd { try readTokenIndexes(&reader, limit) }
        if version > 1 { origin = try reader.origin() }
        guard reader.isAtEnd else { throw .corruptFooter("it goes on after its end") }
    }

    private mutating func readTokenIndexes(
        _ reader: inout FooterReader, _ limit: Int64
    ) throws(PartError) {
        for _ in 0..<(try reader.count()) {
            let column = UInt16(try reader.natural(below: 1 << 16))
            guard let kind = TokenIndex.Kind(rawValue: UInt8(try reader.natural(below: 256))) else {
                throw .corruptFooter("an index's kind is unknown")
            }
            let first = try reader.natural(below: blockRows.count)
            let blocks = try reader.natural(below: blockRows.count - first + 1)
            guard blocks > 0 else { throw .corruptFooter("an index has no blocks") }
            let offset = try reader.integer()
            guard offset >= 0, offset <= limit else { throw .corruptFooter("an index lies outside the file") }
            var end = try reader.integer()
            var directory = try reader.page()
            try directory.place(&end, limit)
            tokenIndexes.append(
                TokenIndexEntry(
                    column: column, kind: kind, firstBlock: first, blockCount: blocks, offset: offset,
                    directory: directory))
        }
    }

    private mutating func readDictionaries(
        _ reader: inout FooterReader, _ limit: Int64
    ) throws(PartError) {
        for _ in 0..<(try reader.count()) {
            let count = try reader.natural(below: PartLayout.rowLimit)
            let isSorted = try reader.natural(below: 2) == 1
            let pageCount = try reader.count()
            var offset = try reader.integer()
            var pages: [PageEntry] = []
            var total = 0
            for _ in 0..<pageCount {
                var page = try reader.page()
                try page.place(&offset, limit)
                total += page.count
                pages.append(page)
            }
            guard total == count else { throw .corruptFooter("a dictionary's pages do not add up") }
            dictionaries.append(DictionaryEntry(count: count, isSorted: isSorted, pages: pages))
        }
    }

    private mutating func readLeaves(
        _ reader: inout FooterReader, _ limit: Int64
    ) throws(PartError) {
        for _ in 0..<(try reader.count()) {
            let column = UInt16(try reader.natural(below: 1 << 16))
            guard let role = LeafRole(rawValue: UInt8(try reader.natural(below: 256))) else {
                throw .corruptFooter("a leaf's role is unknown")
            }
            let subcolumn = UInt16(try reader.natural(below: 1 << 16))
            guard let kind = LeafKind(rawValue: UInt8(try reader.natural(below: 256))) else {
                throw .corruptFooter("a leaf's kind is unknown")
            }
            var leaf = LeafEntry(key: LeafKey(column: column, role: role, subcolumn: subcolumn), kind: kind)
            try readReference(of: &leaf, &reader)
            for blocks in groupBlocks {
                var offset = try reader.integer()
                for _ in 0..<blocks {
                    var page = try reader.page()
                    try page.place(&offset, limit)
                    leaf.pages.append(page)
                }
            }
            if try reader.natural(below: 2) == 1 {
                for _ in blockRows {
                    let least = try reader.integer()
                    let width = Int64(bitPattern: try reader.word())
                    leaf.zones.append(Zone(least: least, greatest: least &+ width))
                }
            }
            leaves.append(leaf)
        }
    }

    /// Reads what a leaf refers to: the dictionary of its codes, or an earlier leaf of ids.
    private func readReference(of leaf: inout LeafEntry, _ reader: inout FooterReader) throws(PartError) {
        switch leaf.kind {
        case .codes, .listedIntegers, .listed16:
            let number = try reader.natural(below: dictionaries.count + 1)
            guard number > 0 else { throw .corruptFooter("codes without a dictionary, or entries without a list") }
            leaf.dictionary = number - 1
        case .related8:
            let number = try reader.natural(below: leaves.count + 1)
            guard number > 0, leaves[number - 1].kind == .fixed8 else {
                throw .corruptFooter("ids that refer to no leaf of ids")
            }
            leaf.sibling = number - 1
        default:
            guard try reader.word() == 0 else { throw .corruptFooter("a dictionary without codes") }
        }
    }

    private mutating func readShapes(_ reader: inout FooterReader) throws(PartError) {
        for _ in 0..<(try reader.count()) {
            let column = UInt16(try reader.natural(below: 1 << 16))
            var subcolumns: [SubcolumnEntry] = []
            for _ in 0..<(try reader.count()) {
                let key = try reader.text()
                guard let type = AttributeType(rawValue: UInt8(try reader.natural(below: 256))) else {
                    throw .corruptFooter("an attribute's type is unknown")
                }
                subcolumns.append(SubcolumnEntry(key: key, type: type))
            }
            var shapes: [[UInt32]] = []
            for _ in 0..<(try reader.count()) {
                var shape: [UInt32] = []
                for _ in 0..<(try reader.count()) {
                    shape.append(UInt32(try reader.natural(below: subcolumns.count)))
                }
                shapes.append(shape)
            }
            self.shapes.append(ShapesEntry(column: column, subcolumns: subcolumns, shapes: shapes))
        }
    }
}

extension PageEntry {
    /// Puts the page at `offset`, and `offset` behind the page.
    fileprivate mutating func place(_ offset: inout Int64, _ limit: Int64) throws(PartError) {
        self.offset = offset
        guard offset >= 0, offset <= limit, Int64(storedLength) <= limit - offset else {
            throw .corruptFooter("a page lies outside the file")
        }
        offset += Int64(storedLength)
    }
}
