package import Columns
package import Core
internal import Encoding
package import Files
internal import Indexing
package import Observability
internal import Synchronization
package import TableSchema

/// One immutable part, open for reading. Its footer stays in memory; dictionaries are read when they are first wanted, pages
/// each time. Safe to use from any thread.
package final class Part: Sendable {
    package let table: TableDefinition
    let footer: PartFooter
    private let file: any ReadableFile
    let leafOfKey: [LeafKey: Int]
    let shapesOfColumn: [UInt16: Int]
    let leavesOfColumn: [UInt16: [Int]]
    private let dictionaries: DictionaryPool
    private let pages: PagePool?
    /// By which the pool knows the part.
    private let number: UInt64
    let tokenIndexes: PartCache<TokenIndex>
    let templateIndexes: PartCache<TemplateIndex>
    /// By bloom filter: its bytes, once they were read and their checksum was found right; none of a large one.
    private let knownBlooms: PartCache<[UInt8]>
    /// Larger filters are read one line at a time.
    private static let keptBloomBytes = 1 << 16
    /// Dictionaries up to this, which is less than a page takes, live as long as a kept page that refers to them.
    private static let heldDictionaryBytes = 1 << 13
    /// Bytes of indexes and lists that were read and are kept.
    private let keptBytes = Atomic<Int>(0)
    private let grown: (@Sendable (Part) -> Void)?
    let integerLists = ListCache<Int64>()
    let idLists = ListCache<UInt8>()
    /// By block: the number of rows before it.
    private let firstRows: [Int]

    /// Opens a part and checks its footer.
    ///
    /// - Parameters:
    ///   - dictionaries: where those that were read are kept; nil keeps them as long as the part.
    ///   - pages: where decoded pages are kept for readers who want that; goes with `dictionaries`. Nil keeps none.
    ///   - grown: called when `heldBytes` has become more, by the thread that read something.
    package init(
        _ file: any ReadableFile, table: TableDefinition, dictionaries: DictionaryPool? = nil,
        pages: PagePool? = nil, grown: (@Sendable (Part) -> Void)? = nil
    ) throws(PartError) {
        self.file = file
        self.grown = grown
        self.dictionaries = dictionaries ?? DictionaryPool(byteLimit: .max)
        self.pages = dictionaries == nil ? nil : pages
        number = self.dictionaries.makePartNumber()
        self.table = table
        footer = try FooterFile.read(file)
        guard footer.table == table.id else {
            throw .wrongTable(expected: table.id, found: footer.table)
        }
        leafOfKey = Dictionary(
            footer.leaves.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
        shapesOfColumn = Dictionary(
            footer.shapes.enumerated().map { ($1.column, $0) }, uniquingKeysWith: { first, _ in first })
        leavesOfColumn = Dictionary(grouping: footer.leaves.indices) { [footer] in footer.leaves[$0].key.column }
        tokenIndexes = PartCache(count: footer.tokenIndexes.count)
        templateIndexes = PartCache(count: footer.tokenIndexes.count)
        knownBlooms = PartCache(count: footer.blooms.count)
        var rows = 0
        firstRows = footer.blockRows.map { count in
            rows += count
            return rows - count
        }
        try checkShapes()
    }

    deinit {
        dictionaries.forget(part: number)
        pages?.forget(part: number)
    }

    /// Bytes of memory that the open part takes by now, about, without its dictionaries.
    package var heldBytes: Int { footerBytes + keptBytes.load(ordering: .relaxed) }

    /// Counts what was read and will be kept.
    func keep(bytes: Int) {
        keptBytes.add(bytes, ordering: .relaxed)
        grown?(self)
    }

    package var blockCount: Int { footer.blockRows.count }
    package var rowCount: Int { footer.rowCount }
    package var partition: Int64 { footer.partition }
    package var leastTime: Int64 { footer.leastTime }
    package var greatestTime: Int64 { footer.greatestTime }
    package var fingerprint: UInt64 { footer.fingerprint }

    package func rowCount(ofBlock block: Int) -> Int { footer.blockRows[block] }

    /// The number of rows in the blocks before `block`.
    package func firstRow(ofBlock block: Int) -> Int { firstRows[block] }

    /// The least and greatest value of an integer column in a block, or of its codes in a sorted dictionary; nil if unknown.
    package func zone(_ ordinal: Int, block: Int) -> ClosedRange<Int64>? {
        guard let leaf = leafOfKey[LeafKey(column: table.columns[ordinal].id.number, role: .values)],
            !footer.leaves[leaf].zones.isEmpty, footer.leaves[leaf].kind != .listed16
        else { return nil }
        let zone = footer.leaves[leaf].zones[block]
        return zone.least <= zone.greatest ? zone.least...zone.greatest : nil
    }

    /// Whether the part, or one of its row groups, may hold a value with that hash in a column: never a wrong "no".
    package func mayContain(
        _ hash: UInt64, column ordinal: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> Bool {
        let column = table.columns[ordinal].id.number
        guard let bloom = footer.blooms.firstIndex(where: { $0.column == column && $0.group == nil }) else {
            return true
        }
        return try probe(bloom, hash, statistics)
    }

    /// Those of the hashes of which the part may hold values.
    package func filter(
        _ hashes: [UInt64], column ordinal: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> [UInt64] {
        let column = table.columns[ordinal].id.number
        guard let first = hashes.first,
            let bloom = footer.blooms.firstIndex(where: { $0.column == column && $0.group == nil })
        else { return hashes }
        // The first one reads the filter if nobody has.
        var left = try probe(bloom, first, statistics) ? [first] : []
        let length = footer.blooms[bloom].page.storedLength
        guard let known = knownBlooms[bloom], !known.isEmpty else {
            for hash in hashes.dropFirst() where try probe(bloom, hash, statistics) { left.append(hash) }
            return left
        }
        known.withUnsafeBytes { bytes in
            for hash in hashes.dropFirst() {
                guard let line = SplitBlockBloom.offset(ofLine: hash, filterBytes: length) else {
                    left.append(hash)
                    continue
                }
                if SplitBlockBloom.lineMayContain(hash, bytes, at: line) { left.append(hash) }
            }
        }
        return left
    }

    /// The blocks whose row group may hold a value with that hash.
    package func blocks(
        mayContaining hash: UInt64, column ordinal: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> [Int] {
        guard try mayContain(hash, column: ordinal, statistics: statistics) else { return [] }
        let column = table.columns[ordinal].id.number
        let groups = footer.blooms.indices.filter {
            footer.blooms[$0].column == column && footer.blooms[$0].group != nil
        }
        guard !groups.isEmpty else { return Array(0..<blockCount) }
        var blocks: [Int] = []
        var first = 0
        for (group, count) in footer.groupBlocks.enumerated() {
            if let bloom = groups.first(where: { footer.blooms[$0].group == group }),
                try !probe(bloom, hash, statistics)
            {
                first += count
                continue
            }
            blocks.append(contentsOf: first..<(first + count))
            first += count
        }
        return blocks
    }

    /// Asks a filter. The first time it is read whole and checked; a part does not change, so of a large one a line is enough
    /// later.
    private func probe(
        _ number: Int, _ hash: UInt64, _ statistics: QueryStatistics?
    ) throws(PartError) -> Bool {
        let bloom = footer.blooms[number]
        guard let line = SplitBlockBloom.offset(ofLine: hash, filterBytes: bloom.page.storedLength) else { return true }
        if let known = knownBlooms[number] {
            if !known.isEmpty { return known.withUnsafeBytes { SplitBlockBloom.lineMayContain(hash, $0, at: line) } }
            let bytes = try readBytes(at: bloom.page.offset + Int64(line), count: SplitBlockBloom.blockBytes)
            statistics?[.bloom].bytesRead.add(bytes.count, ordering: .relaxed)
            return bytes.withUnsafeBytes { SplitBlockBloom.lineMayContain(hash, $0, at: 0) }
        }
        let bytes = try read(bloom.page, column: bloom.column, block: 0)
        let isKept = bytes.count <= Self.keptBloomBytes
        if knownBlooms.insert(isKept ? bytes : [], number), isKept { keep(bytes: bytes.count) }
        statistics?[.bloom].bytesRead.add(bytes.count, ordering: .relaxed)
        return bytes.withUnsafeBytes { SplitBlockBloom.lineMayContain(hash, $0, at: line) }
    }

    // MARK: Columns

    /// Decodes a column of a block. A column that the part does not have, because it is younger, reads as zeros and empty.
    ///
    /// - Parameter wanted: the rows that somebody will look at, ascending; nil: all. Of attributes and nested rows only what these
    ///   have is read, and other rows of the result are without meaning.
    package func read(
        _ ordinal: Int, block: Int, wanted: [UInt32]? = nil, keepsPages: Bool = false,
        statistics: QueryStatistics? = nil
    ) throws(PartError) -> Column {
        let access = PageAccess(statistics, keepsPages: keepsPages)
        return try read(table.columns[ordinal], rows: footer.blockRows[block], wanted, block: block, access)
    }

    /// Decodes only some fields of a nested column of a block: the result's fields are these, in the order of `fields`.
    package func readNested(
        _ ordinal: Int, fields: [Int], block: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> NestedColumn {
        let column = table.columns[ordinal]
        guard case .nested(let definitions) = column.type else {
            preconditionFailure("column \(column.name) is not nested")
        }
        let rows = footer.blockRows[block]
        let key = LeafKey(column: column.id.number, role: .lengths)
        let access = PageAccess(statistics)
        let offsets = try readOffsets(key, rows, block, access)
        let inner = Int(offsets[offsets.count - 1])
        var columns: [Column] = []
        for field in fields {
            columns.append(try read(definitions[field], rows: inner, nil, block: block, access))
        }
        return NestedColumn(offsets: offsets, fields: columns)
    }

    /// Decodes some fields of a nested column of a block: where the inner rows of each row begin, and the last one's end; and by
    /// field its values, of those that are wanted.
    package func readFields(
        _ ordinal: Int, fields: [Int], block: Int, keepsPages: Bool = false, statistics: QueryStatistics? = nil
    ) throws(PartError) -> (offsets: Buffer<UInt32>, fields: [Column?]) {
        let column = table.columns[ordinal]
        guard case .nested(let definitions) = column.type else {
            preconditionFailure("column \(column.name) is not nested")
        }
        let access = PageAccess(statistics, keepsPages: keepsPages)
        let offsets = try readOffsets(
            LeafKey(column: column.id.number, role: .lengths), footer.blockRows[block], block, access)
        var columns = [Column?](repeating: nil, count: definitions.count)
        for field in fields where columns[field] == nil {
            columns[field] = try read(
                definitions[field], rows: Int(offsets[offsets.count - 1]), nil, block: block, access)
        }
        return (offsets, columns)
    }

    /// The dictionary of a string column, or nil if the part keeps the column without one.
    package func dictionary(_ ordinal: Int) throws(PartError) -> StringDictionary? {
        let key = LeafKey(column: table.columns[ordinal].id.number, role: .values)
        guard let leaf = leafOfKey[key], let number = footer.leaves[leaf].dictionary else { return nil }
        return try dictionary(number, column: key.column)
    }

    private func read(
        _ column: ColumnDefinition, rows: Int, _ wanted: [UInt32]?, block: Int, _ access: PageAccess
    ) throws(PartError) -> Column {
        let number = column.id.number
        switch column.type {
        case .attributes: return .attributes(try readAttributes(number, rows, wanted, block, access))
        case .nested(let fields):
            let offsets = try readOffsets(LeafKey(column: number, role: .lengths), rows, block, access)
            let inner = Int(offsets[offsets.count - 1])
            let wantedInside = wanted.map { $0.flatMap { offsets[Int($0)]..<offsets[Int($0) + 1] } }
            if inner > 0, wantedInside?.isEmpty == true {
                let none = Buffer<UInt32>(repeatElement(0, count: rows + 1))
                return .nested(NestedColumn(offsets: none, fields: fields.map { Self.missing($0.type, 0) }))
            }
            var columns: [Column] = []
            for field in fields {
                columns.append(try read(field, rows: inner, wantedInside, block: block, access))
            }
            return .nested(NestedColumn(offsets: offsets, fields: columns))
        default:
            return try readLeaf(
                LeafKey(column: number, role: .values), column.type, rows, block, access)
        }
    }

    func readLeaf(
        _ key: LeafKey, _ type: ColumnType, _ rows: Int, _ block: Int, _ access: PageAccess
    ) throws(PartError) -> Column {
        guard let index = leafOfKey[key] else { return Self.missing(type, rows) }
        let leaf = footer.leaves[index]
        let page = leaf.pages[block]
        guard page.count == rows, Self.fits(leaf.kind, type) else {
            throw .corruptPage(column: key.column, block: block)
        }
        switch keptPage(index, block) {
        case .column(let known): return known
        case .naturals(let codes): return .strings(try strings(codes, leaf))
        case nil: break
        }
        let column = try decode(leaf, block, access)
        // A kept page holds no large dictionary: these have a limit of their own.
        if case .strings(let strings) = column, leaf.kind == .codes,
            strings.dictionary.byteCount > Self.heldDictionaryBytes
        {
            keep(.naturals(strings.codes), index, block, access)
        } else {
            keep(.column(column), index, block, access)
        }
        return column
    }

    private func strings(_ codes: Buffer<UInt32>, _ leaf: LeafEntry) throws(PartError) -> StringColumn {
        guard let number = leaf.dictionary else { throw .corruptFooter("codes without a dictionary") }
        return StringColumn(codes: codes, dictionary: try dictionary(number, column: leaf.key.column))
    }

    private func decode(
        _ leaf: LeafEntry, _ block: Int, _ access: PageAccess
    ) throws(PartError) -> Column {
        let key = leaf.key
        let page = leaf.pages[block]
        let statistics = access.statistics
        let bytes = try read(page, column: key.column, block: block, statistics)
        var decoder = LeafDecoder(page: page, column: key.column, block: block)
        switch leaf.kind {
        case .integers: return .integers(try decoder.integers(bytes))
        case .floats: return .floats(try decoder.floats(bytes))
        case .fixed8: return .fixed(try decoder.fixed(bytes, width: 8))
        case .related8: return .fixed(try related(leaf, bytes, block, statistics))
        case .listed16: return .fixed(try listed(ids: leaf, bytes, block, statistics))
        case .listedIntegers: return .integers(try listed(integers: leaf, bytes, block))
        case .fixed16: return .fixed(try decoder.fixed(bytes, width: 16))
        case .strings: return .strings(try decoder.strings(bytes))
        case .integerRows: return .arrays(try decoder.integerRows(bytes))
        case .floatRows: return .arrays(try decoder.floatRows(bytes))
        case .codes:
            let none = try strings(.empty, leaf)
            let codes = try decoder.naturals(bytes, below: none.dictionary.count)
            return .strings(StringColumn(codes: codes, dictionary: none.dictionary))
        case .naturals: throw .corruptPage(column: key.column, block: block)
        }
    }

    static func fits(_ kind: LeafKind, _ type: ColumnType) -> Bool {
        switch (kind, type) {
        case (.integers, .integer), (.listedIntegers, .integer), (.floats, .float), (.integerRows, .array(.integer)),
            (.floatRows, .array(.float)):
            true
        case (.fixed8, .fixed(let width)), (.related8, .fixed(let width)): width == 8
        case (.fixed16, .fixed(let width)), (.listed16, .fixed(let width)): width == 16
        case (.codes, .string), (.codes, .lowCardinality), (.codes, .aggregateState),
            (.strings, .string), (.strings, .lowCardinality), (.strings, .aggregateState):
            true
        default: false
        }
    }

    private static func missing(_ type: ColumnType, _ rows: Int) -> Column {
        switch type {
        case .integer: .integers(Buffer<Int64>(repeatElement(0, count: rows)))
        case .float: .floats(Buffer(repeatElement(0, count: rows)))
        case .fixed(let width):
            .fixed(FixedColumn(width: width, bytes: Buffer(repeatElement(0, count: rows * width))))
        case .array(let element):
            .arrays(
                ArrayColumn(
                    offsets: Buffer(repeatElement(0, count: rows + 1)), elements: missing(element, 0)))
        case .attributes:
            .attributes(
                AttributesColumn(
                    shapes: Buffer(repeatElement(0, count: rows)), subcolumnsOfShape: [[]], subcolumns: [],
                    starts: Buffer(repeatElement(0, count: rows)), slots: .empty))
        case .string, .lowCardinality, .aggregateState, .nested:
            .strings(
                StringColumn(
                    codes: Buffer(repeatElement(0, count: rows)),
                    dictionary: StringDictionary(
                        offsets: Buffer([0, 0]), contents: .empty, isUnique: true, isSorted: true)))
        }
    }

    private func readOffsets(
        _ key: LeafKey, _ rows: Int, _ block: Int, _ access: PageAccess
    ) throws(PartError) -> Buffer<UInt32> {
        guard let index = leafOfKey[key] else { return Buffer(repeatElement(0, count: rows + 1)) }
        let lengths = try readNaturals(index, rows, block, below: PartLayout.pageValueLimit, access)
        guard let offsets = Offsets.make(lengths, limit: PartLayout.pageValueLimit) else {
            throw .corruptPage(column: key.column, block: block)
        }
        return offsets
    }

    func readNaturals(
        _ leaf: Int, _ rows: Int, _ block: Int, below limit: Int, _ access: PageAccess
    ) throws(PartError) -> Buffer<UInt32> {
        let entry = footer.leaves[leaf]
        let page = entry.pages[block]
        guard page.count == rows, entry.kind == .naturals else {
            throw .corruptPage(column: entry.key.column, block: block)
        }
        // The limit is one of the leaf, so that what was kept is below it.
        if case .naturals(let known)? = keptPage(leaf, block) { return known }
        let bytes = try read(page, column: entry.key.column, block: block, access.statistics)
        var decoder = LeafDecoder(page: page, column: entry.key.column, block: block)
        let values = try decoder.naturals(bytes, below: limit)
        keep(.naturals(values), leaf, block, access)
        return values
    }

    // MARK: Pages

    private func keptPage(_ leaf: Int, _ block: Int) -> DecodedPage? {
        pages?.find(Self.pageNumber(leaf, block), ofPart: number)
    }

    private func keep(_ page: @autoclosure () -> DecodedPage, _ leaf: Int, _ block: Int, _ access: PageAccess) {
        guard access.keepsPages, let pages else { return }
        _ = pages.insert(page(), Self.pageNumber(leaf, block), ofPart: number)
    }

    private static func pageNumber(_ leaf: Int, _ block: Int) -> Int { leaf << 32 | block }

    func dictionary(_ number: Int, column: UInt16) throws(PartError) -> StringDictionary {
        if let known = dictionaries.find(number, ofPart: self.number) { return known }
        let entry = footer.dictionaries[number]
        var offsets = BufferBuilder<UInt32>.offsets()
        var contents = BufferBuilder<UInt8>()
        for page in entry.pages {
            let bytes = try read(page, column: column, block: 0)
            var decoder = LeafDecoder(page: page, column: column, block: 0)
            let strings = try decoder.strings(bytes)
            for row in 0..<strings.codes.count {
                let text = strings.bytes(row)
                contents.append(
                    contentsOf: UnsafeBufferPointer(
                        start: text.baseAddress?.assumingMemoryBound(to: UInt8.self), count: text.count))
                guard contents.count <= Int(UInt32.max) else {
                    throw .corruptPage(column: column, block: 0)
                }
                offsets.append(UInt32(contents.count))
            }
        }
        let dictionary = StringDictionary(
            offsets: offsets.snapshot(), contents: contents.snapshot(), isUnique: true,
            isSorted: entry.isSorted)
        return dictionaries.insert(dictionary, number, ofPart: self.number)
    }

    /// Reads the stored bytes of a page and checks them.
    func read(
        _ page: PageEntry, column: UInt16, block: Int, _ statistics: QueryStatistics? = nil
    ) throws(PartError) -> [UInt8] {
        guard page.storedLength > 0 else { return [] }
        let bytes = try readBytes(at: page.offset, count: page.storedLength)
        guard UInt32(truncatingIfNeeded: XXH3.hash(bytes)) == page.checksum else {
            throw .checksumMismatch(column: column, block: block)
        }
        statistics?.bytesRead.add(page.storedLength, ordering: .relaxed)
        return bytes
    }

    /// Reads bytes that somebody else checks.
    func readBytes(at offset: Int64, count: Int) throws(PartError) -> [UInt8] {
        do throws(FileError) {
            return try file.readExactly(at: offset, count: count)
        } catch {
            throw error.isEndOfFile
                ? .truncated : .file(operation: error.operation.rawValue, errno: error.code)
        }
    }
}

/// How pages are read.
struct PageAccess {
    let statistics: QueryStatistics?
    /// Whether pages are kept once they were decoded, since the next query may want them too.
    let keepsPages: Bool

    init(_ statistics: QueryStatistics?, keepsPages: Bool = false) {
        self.statistics = statistics
        self.keepsPages = keepsPages
    }
}
