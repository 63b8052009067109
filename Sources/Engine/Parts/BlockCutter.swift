internal import Columns
internal import Core
internal import TableSchema

/// Where the blocks of a part end: after `PartLayout.blockRows` rows, or before one of their pages would hold more than
/// readers take. Rows are only weighed where a column has values that are long enough for it to matter.
struct BlockCutter {
    private struct Weight {
        let limit: Int
        let of: (_ row: Int) -> Int
    }

    private let rows: ArraySlice<UInt32>
    private var weights: [Weight] = []

    static func ends(of rows: ArraySlice<UInt32>, in batch: ColumnBatch, _ table: TableDefinition) -> [Int] {
        var cutter = BlockCutter(rows: rows)
        for (definition, column) in zip(table.columns, batch.columns) {
            guard let column else { continue }
            cutter.weights += cutter.weights(of: column, definition.type, lists: 1)
        }
        return cutter.cut()
    }

    private init(rows: ArraySlice<UInt32>) { self.rows = rows }

    private func cut() -> [Int] {
        let count = rows.count
        guard !weights.isEmpty else {
            return stride(from: PartLayout.blockRows, to: count, by: PartLayout.blockRows).map { $0 } + [count]
        }
        var ends: [Int] = []
        var begin = 0
        var sums = weights.map { _ in 0 }
        for (place, row) in rows.enumerated() {
            var isFull = place - begin == PartLayout.blockRows
            let here = weights.map { $0.of(Int(row)) }
            for i in sums.indices {
                sums[i] += here[i]
                if sums[i] > weights[i].limit { isFull = true }
            }
            if isFull, place > begin {
                ends.append(place)
                begin = place
                sums = here
            }
        }
        return ends + [count]
    }

    /// - Parameter lists: how many of the column's values one row of the table has at most.
    private func weights(of column: Column, _ type: ColumnType, lists: Int) -> [Weight] {
        switch column {
        case .integers, .floats, .fixed: return []
        case .strings(let strings):
            // These always get a dictionary, whose pages are cut by themselves.
            if type == .lowCardinality, strings.dictionary.isUnique { return [] }
            guard mayBeLong(strings, lists) else { return [] }
            return [Weight(limit: PartLayout.blockBytes) { strings.dictionary.length(Int(strings.codes[$0])) }]
        case .arrays(let arrays):
            let longest = arrays.offsets.longestList
            guard isMuch(longest, lists, PartLayout.blockValues) else { return [] }
            return [Weight(limit: PartLayout.blockValues) { arrays.range($0).count }]
        case .attributes(let attributes): return weights(of: attributes, lists)
        case .nested(let nested):
            guard case .nested(let fields) = type else { return [] }
            return weights(of: nested, fields, lists)
        }
    }

    private func weights(of attributes: AttributesColumn, _ lists: Int) -> [Weight] {
        var weights: [Weight] = []
        let most = attributes.subcolumnsOfShape.reduce(0) { max($0, $1.count) }
        if isMuch(most, lists, PartLayout.blockValues) {
            weights.append(
                Weight(limit: PartLayout.blockValues) {
                    attributes.subcolumnsOfShape[Int(attributes.shapes[$0])].count
                })
        }
        let isLong = attributes.subcolumns.map { subcolumn in
            if case .strings(let strings)? = subcolumn.values { mayBeLong(strings, lists) } else { false }
        }
        guard isLong.contains(true) else { return weights }
        weights.append(
            Weight(limit: PartLayout.blockBytes) { row in
                attributes.entries(row).reduce(0) { sum, entry in
                    guard isLong[entry.subcolumn],
                        case .strings(let strings)? = attributes.subcolumns[entry.subcolumn].values
                    else { return sum }
                    return sum + strings.dictionary.length(Int(strings.codes[entry.slot]))
                }
            })
        return weights
    }

    private func weights(of nested: NestedColumn, _ fields: [ColumnDefinition], _ lists: Int) -> [Weight] {
        let longest = nested.offsets.longestList
        guard longest > 0 else { return [] }
        var weights: [Weight] = []
        if isMuch(longest, lists, PartLayout.blockValues) {
            weights.append(Weight(limit: PartLayout.blockValues) { nested.range($0).count })
        }
        for (field, values) in zip(fields, nested.fields) {
            for weight in self.weights(of: values, field.type, lists: lists * longest) {
                weights.append(
                    Weight(limit: weight.limit) { row in nested.range(row).reduce(0) { $0 + weight.of($1) } })
            }
        }
        return weights
    }

    /// Whether a block of rows with `lists` lists of `size` each might hold more than `limit`.
    private func isMuch(_ size: Int, _ lists: Int, _ limit: Int) -> Bool {
        size > limit / min(rows.count, PartLayout.blockRows) / lists
    }

    private func mayBeLong(_ strings: StringColumn, _ lists: Int) -> Bool {
        let dictionary = strings.dictionary
        // A dictionary of many other rows is not looked through for a few.
        if dictionary.count > 2 * rows.count * lists { return true }
        let longest = (0..<dictionary.count).reduce(0) { max($0, dictionary.length($1)) }
        return isMuch(longest, lists, PartLayout.blockBytes)
    }
}
