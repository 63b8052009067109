internal import Columns
internal import Core
internal import Encoding
internal import TableSchema

/// Which rows of a column go to a part, in the part's order, and where its blocks end.
struct RowSelection {
    var rows: [UInt32]
    /// For each block, the end of its rows in `rows`.
    var blockEnds: [Int]

    func rows(ofBlock block: Int) -> Range<Int> {
        (block == 0 ? 0 : blockEnds[block - 1])..<blockEnds[block]
    }

    /// The inner rows of lists whose ends are `offsets`, and the length of each row's list.
    func inner(_ offsets: Buffer<UInt32>) -> (selection: RowSelection, lengths: [UInt32]) {
        var lengths: [UInt32] = []
        lengths.reserveCapacity(rows.count)
        var inner = RowSelection(rows: [], blockEnds: [])
        for block in blockEnds.indices {
            for row in rows[self.rows(ofBlock: block)] {
                let start = offsets[Int(row)]
                let end = offsets[Int(row) + 1]
                lengths.append(end - start)
                var item = start
                while item < end {
                    inner.rows.append(item)
                    item += 1
                }
            }
            inner.blockEnds.append(inner.rows.count)
        }
        return (inner, lengths)
    }
}

/// Encodes the columns of one part, leaf by leaf, into memory.
///
/// A string column gets a dictionary of the part if its type says so or if its values repeat; its entries are then sorted, so
/// that codes have the order of the strings, and blocks carry the least and greatest code.
struct ColumnEncoder: ~Copyable {
    /// A column's dictionary is dropped if it has more distinct values than this share of its rows.
    private static let distinctShare = 2
    /// Larger dictionaries that are not part of the sort order keep the order of first use.
    private static let sortedEntries = 1 << 16
    private static let dictionaryPageBytes = 1 << 16

    private(set) var leaves: [LeafEntry] = []
    /// The stored pages of each leaf, one after the other.
    private(set) var leafBytes: [[UInt8]] = []
    private(set) var dictionaries: [DictionaryEntry] = []
    private(set) var dictionaryBytes: [UInt8] = []
    private(set) var shapes: [ShapesEntry] = []
    var indexer: ColumnIndexer
    var encoder: PageEncoder
    /// The columns whose codes must be ordered like their strings.
    private let orderedColumns: Set<UInt16>
    /// The column whose values many rows share, if any does.
    private let timeColumn: UInt16
    private var integerScratch: [Int64] = []
    private var floatScratch: [Double] = []
    private var codeScratch: [UInt32] = []
    var byteScratch: [UInt8] = []
    private var siblingScratch: [UInt8] = []
    /// The last leaf of ids of 8 bytes, which those of later columns may refer to.
    private var idLeaf: (leaf: Int, values: FixedColumn)?

    init(
        zstdLevel: Int32, orderedColumns: Set<UInt16>, timeColumn: UInt16, indexer: ColumnIndexer
    ) {
        self.indexer = indexer
        encoder = PageEncoder(zstdLevel: zstdLevel)
        self.orderedColumns = orderedColumns
        self.timeColumn = timeColumn
    }

    /// - Parameter isInner: whether the column is a field of a nested one.
    mutating func encode(
        _ column: Column, _ definition: ColumnDefinition, _ selection: RowSelection, isInner: Bool = false
    ) {
        let key = LeafKey(column: definition.id.number, role: .values)
        switch (column, definition.type) {
        case (.integers(let values), _):
            if key.column == timeColumn, encode(listed: values, key, selection) { return }
            encode(integers: values, key, selection, zones: true)
        case (.floats(let values), _): encode(floats: values, key, selection)
        case (.fixed(let values), _):
            indexer.add(column, definition.id, selection)
            // Where the table is ordered by the ids, equal ones are neighbours already.
            if !isInner, !orderedColumns.contains(key.column), encode(listed: values, key, selection) { return }
            encode(fixed: values, key, selection, sibling: isInner ? nil : idLeaf)
            if !isInner, values.width == 8, leaves[leaves.count - 1].kind == .fixed8 {
                idLeaf = (leaves.count - 1, values)
            }
        case (.strings(let strings), let type):
            indexer.add(column, definition.id, selection)
            encode(strings: strings, key, selection, isLowCardinality: type == .lowCardinality)
        case (.arrays(let arrays), _): encode(arrays: arrays, key, selection)
        case (.attributes(let attributes), _):
            encode(attributes: attributes, definition.id.number, selection)
        case (.nested(let nested), .nested(let fields)):
            let (inner, lengths) = selection.inner(nested.offsets)
            encode(naturals: lengths, LeafKey(column: definition.id.number, role: .lengths), selection)
            for (field, values) in zip(fields, nested.fields) { encode(values, field, inner, isInner: true) }
        case (.nested, _): preconditionFailure("nested rows in a column that is not nested")
        }
    }

    // MARK: Leaves

    /// Adds a leaf whose pages `encodePage` makes, one per block.
    mutating func addLeaf(
        _ key: LeafKey, _ kind: LeafKind, dictionary: Int? = nil, zones: [Zone] = [],
        _ selection: RowSelection,
        _ encodePage: (inout ColumnEncoder, _ block: Int, _ rows: Range<Int>) -> EncodedPage
    ) {
        var leaf = LeafEntry(key: key, kind: kind, dictionary: dictionary, pages: [], zones: zones)
        var bytes: [UInt8] = []
        for block in selection.blockEnds.indices {
            let page = encodePage(&self, block, selection.rows(ofBlock: block))
            leaf.pages.append(encoder.store(page, into: &bytes))
        }
        leaves.append(leaf)
        leafBytes.append(bytes)
    }

    /// Adds a dictionary or list, and returns its number.
    mutating func add(_ dictionary: EncodedDictionary) -> Int {
        dictionaries.append(dictionary.entry)
        dictionaryBytes.append(contentsOf: dictionary.bytes)
        return dictionaries.count - 1
    }

    /// Sets the zones of the last leaf.
    mutating func setZones(_ zones: [Zone]) { leaves[leaves.count - 1].zones = zones }

    private mutating func encode(
        integers values: Buffer<Int64>, _ key: LeafKey, _ selection: RowSelection, zones: Bool
    ) {
        var found: [Zone] = []
        addLeaf(key, .integers, selection) { encoder, _, range in
            encoder.integerScratch.removeAll(keepingCapacity: true)
            var least = Int64.max
            var greatest = Int64.min
            for row in selection.rows[range] {
                let value = values.base[Int(row)]
                encoder.integerScratch.append(value)
                least = min(least, value)
                greatest = max(greatest, value)
            }
            found.append(Zone(least: least, greatest: greatest))
            return encoder.encodeIntegers()
        }
        if zones, selection.blockEnds.last == selection.rows.count, !selection.rows.isEmpty {
            leaves[leaves.count - 1].zones = found
        }
    }

    private mutating func encodeIntegers() -> EncodedPage {
        let scratch = integerScratch
        return scratch.withUnsafeBufferPointer { encoder.encode(integers: $0) }
    }

    private mutating func encode(
        floats values: Buffer<Double>, _ key: LeafKey, _ selection: RowSelection
    ) {
        addLeaf(key, .floats, selection) { encoder, _, range in
            encoder.floatScratch.removeAll(keepingCapacity: true)
            for row in selection.rows[range] { encoder.floatScratch.append(values.base[Int(row)]) }
            let scratch = encoder.floatScratch
            return scratch.withUnsafeBufferPointer { encoder.encoder.encode(floats: $0) }
        }
    }

    /// - Parameter sibling: the leaf of ids that these may refer to, and its values.
    private mutating func encode(
        fixed values: FixedColumn, _ key: LeafKey, _ selection: RowSelection, sibling: (leaf: Int, values: FixedColumn)?
    ) {
        let width = values.width
        guard width == 8, let sibling else {
            addLeaf(key, width == 8 ? .fixed8 : .fixed16, selection) { encoder, _, range in
                Self.gather(values, selection.rows[range], into: &encoder.byteScratch)
                let scratch = encoder.byteScratch
                return scratch.withUnsafeBufferPointer { encoder.encoder.encode(fixed: $0, width: width) }
            }
            return
        }
        addLeaf(key, .related8, selection) { encoder, _, range in
            Self.gather(values, selection.rows[range], into: &encoder.byteScratch)
            Self.gather(sibling.values, selection.rows[range], into: &encoder.siblingScratch)
            let scratch = encoder.byteScratch
            let siblings = encoder.siblingScratch
            return scratch.withUnsafeBufferPointer { ids in
                siblings.withUnsafeBufferPointer { encoder.encoder.encode(ids: ids, beside: $0) }
            }
        }
        leaves[leaves.count - 1].sibling = sibling.leaf
    }

    static func gather(_ values: FixedColumn, _ rows: ArraySlice<UInt32>, into scratch: inout [UInt8]) {
        let width = values.width
        scratch.removeAll(keepingCapacity: true)
        for row in rows {
            scratch.append(
                contentsOf: UnsafeBufferPointer(start: values.bytes.base + Int(row) * width, count: width))
        }
    }

    /// Lengths and shapes: values in the part's order already.
    private mutating func encode(naturals: [UInt32], _ key: LeafKey, _ selection: RowSelection) {
        addLeaf(key, .naturals, selection) { encoder, _, range in
            naturals.withUnsafeBufferPointer {
                encoder.encoder.encode(codes: UnsafeBufferPointer(rebasing: $0[range]))
            }
        }
    }

    private mutating func encode(
        arrays: ArrayColumn, _ key: LeafKey, _ selection: RowSelection
    ) {
        let (inner, lengths) = selection.inner(arrays.offsets)
        switch arrays.elements {
        case .integers(let values):
            let gathered = inner.rows.map { values[Int($0)] }
            addLeaf(key, .integerRows, selection) { encoder, block, range in
                let items = inner.rows(ofBlock: block)
                return lengths.withUnsafeBufferPointer { lengths in
                    gathered.withUnsafeBufferPointer { values in
                        encoder.encoder.encode(
                            integerRows: UnsafeBufferPointer(rebasing: lengths[range]),
                            values: UnsafeBufferPointer(rebasing: values[items]))
                    }
                }
            }
        case .floats(let values):
            let gathered = inner.rows.map { values[Int($0)] }
            addLeaf(key, .floatRows, selection) { encoder, block, range in
                let items = inner.rows(ofBlock: block)
                return lengths.withUnsafeBufferPointer { lengths in
                    gathered.withUnsafeBufferPointer { values in
                        encoder.encoder.encode(
                            floatRows: UnsafeBufferPointer(rebasing: lengths[range]),
                            values: UnsafeBufferPointer(rebasing: values[items]))
                    }
                }
            }
        default: preconditionFailure("arrays hold integers or floats")
        }
    }

    // MARK: Strings

    private mutating func encode(
        strings: StringColumn, _ key: LeafKey, _ selection: RowSelection, isLowCardinality: Bool
    ) {
        let mustOrder = orderedColumns.contains(key.column) && key.role == .values
        if let (codes, entry) = makeDictionary(
            strings, selection, force: mustOrder, generous: isLowCardinality)
        {
            let isSorted = dictionaries[entry].isSorted
            var zones: [Zone] = []
            addLeaf(key, .codes, dictionary: entry, selection) { encoder, _, range in
                codes.withUnsafeBufferPointer {
                    let page = UnsafeBufferPointer(rebasing: $0[range])
                    var least = UInt32.max
                    var greatest = UInt32.min
                    for code in page {
                        least = min(least, code)
                        greatest = max(greatest, code)
                    }
                    zones.append(Zone(least: Int64(least), greatest: Int64(greatest)))
                    return encoder.encoder.encode(codes: page)
                }
            }
            if isSorted, key.role == .values { leaves[leaves.count - 1].zones = zones }
            return
        }
        let areTexts = key.role == .values && indexer.areTexts(key.column)
        addLeaf(key, .strings, selection) { encoder, _, range in
            encoder.codeScratch.removeAll(keepingCapacity: true)
            encoder.byteScratch.removeAll(keepingCapacity: true)
            for row in selection.rows[range] {
                let bytes = strings.bytes(Int(row))
                encoder.codeScratch.append(UInt32(bytes.count))
                encoder.byteScratch.append(contentsOf: bytes)
            }
            let lengths = encoder.codeScratch
            let bytes = encoder.byteScratch
            let page = lengths.withUnsafeBufferPointer { lengths in
                bytes.withUnsafeBufferPointer {
                    encoder.encoder.encode(strings: lengths, bytes: $0, areTexts: areTexts)
                }
            }
            if areTexts { encoder.indexer.add(page, encoder.encoder.output[page.bytes], of: key.column) }
            return page
        }
    }

    /// The codes of the selected rows in a new dictionary of the part, or nil if the values do not repeat enough.
    private mutating func makeDictionary(
        _ strings: StringColumn, _ selection: RowSelection, force: Bool, generous: Bool
    ) -> (codes: [UInt32], entry: Int)? {
        let source = strings.dictionary
        guard source.isUnique || force else { return nil }
        var newCode = [UInt32](repeating: .max, count: source.count)
        var used: [UInt32] = []
        for row in selection.rows {
            let code = strings.codes.base[Int(row)]
            if newCode[Int(code)] == .max {
                newCode[Int(code)] = 0
                used.append(code)
            }
        }
        let share = generous ? 1 : Self.distinctShare
        guard force || used.count * share <= max(selection.rows.count, 1), !used.isEmpty else {
            return nil
        }
        let isSorted = force || used.count <= Self.sortedEntries
        if isSorted {
            used.sort { ByteOrder.compare(source.bytes(Int($0)), source.bytes(Int($1))) < 0 }
        }
        var entries: [UInt32] = []
        for code in used {
            if let last = entries.last, !source.isUnique,
                ByteOrder.compare(source.bytes(Int(last)), source.bytes(Int(code))) == 0
            {
                newCode[Int(code)] = UInt32(entries.count - 1)
            } else {
                newCode[Int(code)] = UInt32(entries.count)
                entries.append(code)
            }
        }
        store(dictionary: source, entries, isSorted: isSorted)
        return (
            selection.rows.map { newCode[Int(strings.codes.base[Int($0)])] }, dictionaries.count - 1
        )
    }

    private mutating func store(
        dictionary source: StringDictionary, _ entries: [UInt32], isSorted: Bool
    ) {
        var entry = DictionaryEntry(count: entries.count, isSorted: isSorted, pages: [])
        var index = 0
        while index < entries.count {
            codeScratch.removeAll(keepingCapacity: true)
            byteScratch.removeAll(keepingCapacity: true)
            while index < entries.count, codeScratch.count < PartLayout.blockRows,
                byteScratch.count < Self.dictionaryPageBytes
            {
                let bytes = source.bytes(Int(entries[index]))
                codeScratch.append(UInt32(bytes.count))
                byteScratch.append(contentsOf: bytes)
                index += 1
            }
            let lengths = codeScratch
            let bytes = byteScratch
            let page = lengths.withUnsafeBufferPointer { lengths in
                bytes.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0) }
            }
            var stored: [UInt8] = []
            entry.pages.append(encoder.store(page, into: &stored))
            dictionaryBytes.append(contentsOf: stored)
        }
        dictionaries.append(entry)
    }

    // MARK: Attributes

    private mutating func encode(
        attributes: AttributesColumn, _ column: UInt16, _ selection: RowSelection
    ) {
        let subcolumns = UsedSubcolumns(attributes, selection)
        indexer.add(
            attributes, column, subcolumns: subcolumns.subcolumns, subcolumns.selections,
            blocks: selection.blockEnds.count)
        encode(naturals: subcolumns.shapeCodes, LeafKey(column: column, role: .shapes), selection)
        shapes.append(subcolumns.entry(column, attributes))
        for (number, subcolumn) in subcolumns.subcolumns.enumerated() {
            let key = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(number))
            switch attributes.subcolumns[subcolumn].values {
            case .integers(let values)?:
                encode(integers: values, key, subcolumns.selections[number], zones: false)
            case .floats(let values)?: encode(floats: values, key, subcolumns.selections[number])
            case .strings(let values)?:
                encode(strings: values, key, subcolumns.selections[number], isLowCardinality: false)
            default: preconditionFailure("a subcolumn holds integers, floats or strings")
            }
        }
    }
}

/// The shapes and subcolumns of an attributes column that the rows of a part use, numbered anew.
private struct UsedSubcolumns {
    /// By row of the part.
    var shapeCodes: [UInt32] = []
    /// By new number: the subcolumn's number in the column.
    var subcolumns: [Int] = []
    /// By new number of the subcolumn: the values that go to the part.
    var selections: [RowSelection] = []
    private var shapes: [UInt32] = []
    private var newSubcolumn: [UInt32]

    init(_ column: AttributesColumn, _ selection: RowSelection) {
        var newShape = [UInt32](repeating: .max, count: column.subcolumnsOfShape.count)
        newSubcolumn = [UInt32](repeating: .max, count: column.subcolumns.count)
        shapeCodes.reserveCapacity(selection.rows.count)
        for block in selection.blockEnds.indices {
            for row in selection.rows[selection.rows(ofBlock: block)] {
                let shape = Int(column.shapes.base[Int(row)])
                if newShape[shape] == .max {
                    newShape[shape] = UInt32(shapes.count)
                    shapes.append(UInt32(shape))
                    for subcolumn in column.subcolumnsOfShape[shape] where newSubcolumn[Int(subcolumn)] == .max {
                        newSubcolumn[Int(subcolumn)] = UInt32(subcolumns.count)
                        subcolumns.append(Int(subcolumn))
                        selections.append(
                            RowSelection(rows: [], blockEnds: Array(repeating: 0, count: block)))
                    }
                }
                shapeCodes.append(newShape[shape])
                var slot = Int(column.starts.base[Int(row)])
                for subcolumn in column.subcolumnsOfShape[shape] {
                    selections[Int(newSubcolumn[Int(subcolumn)])].rows.append(column.slots.base[slot])
                    slot += 1
                }
            }
            for i in selections.indices { selections[i].blockEnds.append(selections[i].rows.count) }
        }
    }

    func entry(_ number: UInt16, _ column: AttributesColumn) -> ShapesEntry {
        ShapesEntry(
            column: number,
            subcolumns: subcolumns.map {
                SubcolumnEntry(key: column.subcolumns[$0].key, type: column.subcolumns[$0].type)
            },
            shapes: shapes.map { column.subcolumnsOfShape[Int($0)].map { newSubcolumn[Int($0)] } })
    }
}
