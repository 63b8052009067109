import Core

/// Some rows in a row of a batch, sharing its memory.
extension ColumnBatch {
    /// - Parameter ordinals: the columns that the result has; one that was not read stays away.
    package func slice(_ rows: Range<Int>, columns ordinals: some Sequence<Int>) -> ColumnBatch {
        if rows.count == rowCount { return self }
        var slice = ColumnBatch(rowCount: rows.count, columns: Array(repeating: nil, count: columns.count))
        for ordinal in ordinals { slice.columns[ordinal] = columns[ordinal]?.slice(rows) }
        return slice
    }
}

extension Column {
    package func slice(_ rows: Range<Int>) -> Column {
        switch self {
        case .integers(let values): .integers(values[rows])
        case .floats(let values): .floats(values[rows])
        case .fixed(let column):
            .fixed(
                FixedColumn(
                    width: column.width,
                    bytes: column.bytes[(rows.lowerBound * column.width)..<(rows.upperBound * column.width)]))
        case .strings(let column):
            .strings(StringColumn(codes: column.codes[rows], dictionary: column.dictionary))
        case .arrays(let column):
            .arrays(
                ArrayColumn(
                    offsets: Self.rebased(column.offsets, rows),
                    elements: column.elements.slice(Self.inner(column.offsets, rows))))
        case .attributes(let column):
            // Slots say where in the subcolumns the values are, which stay whole.
            .attributes(
                AttributesColumn(
                    shapes: column.shapes[rows], subcolumnsOfShape: column.subcolumnsOfShape,
                    subcolumns: column.subcolumns,
                    starts: column.starts[rows], slots: column.slots))
        case .nested(let column):
            .nested(
                NestedColumn(
                    offsets: Self.rebased(column.offsets, rows),
                    fields: column.fields.map { $0.slice(Self.inner(column.offsets, rows)) }))
        }
    }

    private static func inner(_ offsets: Buffer<UInt32>, _ rows: Range<Int>) -> Range<Int> {
        Int(offsets[rows.lowerBound])..<Int(offsets[rows.upperBound])
    }

    /// The ends of the rows' lists, counted from where the first of them begins.
    private static func rebased(_ offsets: Buffer<UInt32>, _ rows: Range<Int>) -> Buffer<UInt32> {
        let some = offsets[rows.lowerBound..<(rows.upperBound + 1)]
        let first = some[0]
        return first == 0 ? some : Buffer(some.unsafeElements.map { $0 - first })
    }
}
