internal import Columns
internal import Core
internal import Plans
internal import TableSchema

/// Applies filters to decoded columns.
enum RowFilters {
    /// The values of an attribute's subcolumns and the rows that have them.
    typealias Subcolumns = [(type: AttributeType, rows: [UInt32], values: Column)]

    static func integers(_ column: Column?) -> Buffer<Int64> {
        if case .integers(let values)? = column { values } else { mismatch() }
    }

    static func strings(_ column: Column?) -> StringColumn {
        if case .strings(let values)? = column { values } else { mismatch() }
    }

    static func fixed(_ column: Column?) -> FixedColumn {
        if case .fixed(let values)? = column { values } else { mismatch() }
    }

    static func keepDoubles(
        _ selection: inout RowSelection, _ column: Column?, _ comparison: Comparison, _ right: Double
    ) {
        guard case .floats(let floats)? = column else { mismatch() }
        let values = floats.span
        switch comparison {
        case .equal: selection.keep { values[$0] == right }
        case .notEqual: selection.keep { values[$0] != right }
        case .less: selection.keep { values[$0] < right }
        case .lessOrEqual: selection.keep { values[$0] <= right }
        case .greater: selection.keep { values[$0] > right }
        case .greaterOrEqual: selection.keep { values[$0] >= right }
        }
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
                    let value = values[slot]
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
                guard RowSelection.remembers(entries: values.dictionary.count, rows: subcolumn.rows.count) else {
                    for (slot, row) in subcolumn.rows.enumerated()
                    where accepts(subcolumn.type, .bytes(values.span(slot))) { matching.insert(Int(row)) }
                    continue
                }
                var answers = [UInt8](repeating: 0, count: values.dictionary.count)
                for (slot, row) in subcolumn.rows.enumerated() {
                    let code = Int(values.codes[slot])
                    if answers[code] == 0 {
                        answers[code] = accepts(subcolumn.type, .bytes(values.dictionary.span(code))) ? 1 : 2
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
                    case .strings(let values)?: accepts(subcolumn.type, .bytes(values.span(slot)))
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
            mismatch()
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

    private static func mismatch() -> Never { preconditionFailure("a filter fits the type of its column") }
}
