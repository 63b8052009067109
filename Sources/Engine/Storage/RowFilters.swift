internal import Columns
internal import Core
internal import Plans
internal import TableSchema

/// Applies filters to decoded columns.
enum RowFilters {
    /// The values of an attribute's subcolumns and the rows that have them.
    typealias Subcolumns = [(type: AttributeType, rows: [UInt32], values: Column)]

    /// With more entries than this for a row, what was answered is not remembered: most are asked about once.
    private static let entriesPerRow = 4

    static func keepIntegers(_ selection: inout RowSelection, _ column: Column?, _ range: ClosedRange<Int64>) {
        guard case .integers(let values)? = column else { return mismatch() }
        let base = values.base
        let low = range.lowerBound
        let span = UInt64(bitPattern: range.upperBound &- low)
        selection.keepRuns { UInt64(bitPattern: base[$0] &- low) <= span }
        withExtendedLifetime(values) {}
    }

    static func keepIntegers(_ selection: inout RowSelection, _ column: Column?, among values: Set<Int64>) {
        guard case .integers(let integers)? = column else { return mismatch() }
        // Equal values often follow each other.
        var last: (value: Int64, isIn: Bool)?
        selection.keep { row in
            let value = integers.base[row]
            if let last, last.value == value { return last.isIn }
            let isIn = values.contains(value)
            last = (value, isIn)
            return isIn
        }
        withExtendedLifetime(integers) {}
    }

    static func keepDoubles(
        _ selection: inout RowSelection, _ column: Column?, _ comparison: Comparison, _ right: Double
    ) {
        guard case .floats(let values)? = column else { return mismatch() }
        let base = values.base
        switch comparison {
        case .equal: selection.keep { base[$0] == right }
        case .notEqual: selection.keep { base[$0] != right }
        case .less: selection.keep { base[$0] < right }
        case .lessOrEqual: selection.keep { base[$0] <= right }
        case .greater: selection.keep { base[$0] > right }
        case .greaterOrEqual: selection.keep { base[$0] >= right }
        }
        withExtendedLifetime(values) {}
    }

    static func keepShortIDs(_ selection: inout RowSelection, _ column: Column?, _ ids: Set<UInt64>) {
        guard case .fixed(let values)? = column else { return mismatch() }
        selection.keep { ids.contains(values.word($0)) }
    }

    /// Keeps the rows of whose inner rows one satisfies a filter on the fields.
    static func keepElements(
        _ selection: inout RowSelection, offsets: Buffer<UInt32>, _ fields: [Column?], _ filter: BoundFilter
    ) {
        let count = Int(offsets[offsets.count - 1])
        var inner = RowSelection(rowCount: count)
        BlockReader.keep(&inner, filter, ColumnBatch(rowCount: count, columns: fields))
        var found = RowBitmap(rowCount: count)
        inner.insert(into: &found)
        selection.keep { row in (offsets[row]..<offsets[row + 1]).contains { found.contains(Int($0)) } }
    }

    /// - Parameter accepted: by entry of the dictionary that the codes refer to.
    static func keepCodes(_ selection: inout RowSelection, _ column: Column?, _ accepted: [Bool]) {
        guard case .strings(let values)? = column, values.dictionary.count == accepted.count else { return mismatch() }
        let codes = values.codes.base
        // Codes were checked against the dictionary when they were decoded.
        accepted.withUnsafeBufferPointer { accepted in
            selection.keep { accepted[Int(codes[$0])] }
        }
        withExtendedLifetime(values) {}
    }

    static func keepStrings(
        _ selection: inout RowSelection, _ column: Column?, _ accepts: (UnsafeRawBufferPointer) -> Bool
    ) {
        guard case .strings(let values)? = column else { return mismatch() }
        guard values.dictionary.count <= entriesPerRow * selection.count else {
            return selection.keep { accepts(values.bytes($0)) }
        }
        // Entries are asked about as they come up: rows may be few, and entries many.
        var answers = [UInt8](repeating: 0, count: values.dictionary.count)
        selection.keep { row in
            let code = Int(values.codes.base[row])
            if answers[code] == 0 { answers[code] = accepts(values.dictionary.bytes(code)) ? 1 : 2 }
            return answers[code] == 1
        }
    }

    static func keepIDs(_ selection: inout RowSelection, _ column: Column?, _ ids: Set<TraceID>) {
        guard case .fixed(let values)? = column else { return mismatch() }
        if ids.count == 1, let id = ids.first {
            let (high, low) = (id.high.bigEndian, id.low.bigEndian)
            let base = UnsafeRawPointer(values.bytes.base)
            selection.keep { row in
                (base.loadUnaligned(fromByteOffset: row * 16, as: UInt64.self) == high)
                    && (base.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self) == low)
            }
            withExtendedLifetime(values) {}
            return
        }
        // Few rows have one of the ids: a bit for each id's lowest bits tells most of the others.
        let base = UnsafeRawPointer(values.bytes.base)
        let bits = idBits(ids.count)
        let mask = UInt64(bits - 1)
        var words = [UInt64](repeating: 0, count: bits / 64)
        for id in ids { words[Int((id.low & mask) >> 6)] |= 1 << (id.low & 63) }
        words.withUnsafeBufferPointer { words in
            selection.keep { row in
                let low = UInt64(bigEndian: base.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self))
                guard words[Int((low & mask) >> 6)] & (1 << (low & 63)) != 0 else { return false }
                return ids.contains(values.traceID(row))
            }
        }
        withExtendedLifetime(values) {}
    }

    /// A power of two, at least 64 for each id as long as the table stays small.
    private static func idBits(_ count: Int) -> Int {
        var bits = 1024
        while bits < count * 64, bits < 1 << 17 { bits *= 2 }
        return bits
    }

    /// Keeps the rows that have an accepted value in one of the subcolumns.
    ///
    /// - Parameter known: what dictionaries of subcolumns were asked already.
    static func keepAttributes(
        _ selection: inout RowSelection, _ subcolumns: Subcolumns, known: [BoundFilter.SubcolumnAnswers] = [],
        _ accepts: (AttributeType, SubcolumnValue) -> Bool
    ) {
        guard !subcolumns.isEmpty else { return selection.removeAll() }
        var matching = RowBitmap(rowCount: selection.rowCount)
        for subcolumn in subcolumns {
            switch subcolumn.values {
            case .integers(let values):
                // Of equal values that follow each other only the first is asked about.
                var last: (value: Int64, isIn: Bool)?
                for (slot, row) in subcolumn.rows.enumerated() {
                    let value = values.base[slot]
                    let isIn: Bool
                    if let last, last.value == value {
                        isIn = last.isIn
                    } else {
                        isIn = accepts(subcolumn.type, .integer(value))
                        last = (value, isIn)
                    }
                    if isIn { matching.insert(Int(row)) }
                }
            case .floats(let values):
                for (slot, row) in subcolumn.rows.enumerated()
                where accepts(subcolumn.type, .double(values[slot])) { matching.insert(Int(row)) }
            case .strings(let values):
                if let known = known.first(where: { $0.dictionary === values.dictionary })?.accepted {
                    for (slot, row) in subcolumn.rows.enumerated()
                    where known[Int(values.codes[slot])] { matching.insert(Int(row)) }
                    continue
                }
                guard values.dictionary.count <= entriesPerRow * subcolumn.rows.count else {
                    for (slot, row) in subcolumn.rows.enumerated()
                    where accepts(subcolumn.type, .bytes(values.bytes(slot))) { matching.insert(Int(row)) }
                    continue
                }
                var answers = [UInt8](repeating: 0, count: values.dictionary.count)
                for (slot, row) in subcolumn.rows.enumerated() {
                    let code = Int(values.codes[slot])
                    if answers[code] == 0 {
                        answers[code] = accepts(subcolumn.type, .bytes(values.dictionary.bytes(code))) ? 1 : 2
                    }
                    if answers[code] == 1 { matching.insert(Int(row)) }
                }
            default: continue
            }
        }
        selection.keep(in: matching)
    }

    /// As above, of rows in memory, of which few may be left: then the others are not looked at.
    static func keepAttributes(
        _ selection: inout RowSelection, _ column: AttributesColumn, _ key: [UInt8],
        _ accepts: (AttributeType, SubcolumnValue) -> Bool
    ) {
        guard selection.count * 8 < column.count else {
            return keepAttributes(&selection, subcolumns(of: column, key), accepts)
        }
        let subcolumns = column.subcolumns.indices.filter {
            column.subcolumns[$0].key == key || column.subcolumns[$0].type == .overflow
        }
        guard !subcolumns.isEmpty else { return selection.removeAll() }
        selection.keep { row in
            let shape = column.subcolumnsOfShape[Int(column.shapes[row])]
            for place in shape.indices where subcolumns.contains(Int(shape[place])) {
                let subcolumn = column.subcolumns[Int(shape[place])]
                let slot = Int(column.slots[Int(column.starts[row]) + place])
                let isIn =
                    switch subcolumn.values {
                    case .integers(let values)?: accepts(subcolumn.type, .integer(values[slot]))
                    case .floats(let values)?: accepts(subcolumn.type, .double(values[slot]))
                    case .strings(let values)?: accepts(subcolumn.type, .bytes(values.bytes(slot)))
                    default: false
                    }
                if isIn { return true }
            }
            return false
        }
    }

    static func keepNested(
        _ selection: inout RowSelection, _ column: Column?, field: Int, key: [UInt8],
        _ accepts: (AttributeType, SubcolumnValue) -> Bool
    ) {
        guard case .nested(let nested)? = column, case .attributes(let values) = nested.fields[field] else {
            return mismatch()
        }
        var inner = RowSelection(rowCount: values.count)
        keepAttributes(&inner, subcolumns(of: values, key), accepts)
        var found = RowBitmap(rowCount: values.count)
        inner.insert(into: &found)
        selection.keep { row in nested.range(row).contains { found.contains($0) } }
    }

    static func subcolumns(of column: AttributesColumn, _ key: [UInt8]) -> Subcolumns {
        column.subcolumns.indices.compactMap { index in
            let subcolumn = column.subcolumns[index]
            guard subcolumn.key == key || subcolumn.type == .overflow, let values = subcolumn.values else { return nil }
            var rows: [UInt32] = []
            var first = 0
            column.forEachRow(inSubcolumn: index) { row, slot in
                if rows.isEmpty { first = slot }
                rows.append(UInt32(row))
            }
            // A subcolumn has a value for each row that has it, one after the other, from some row on.
            return (subcolumn.type, rows, values.slice(first..<(first + rows.count)))
        }
    }

    private static func mismatch() { preconditionFailure("a filter fits the type of its column") }
}
