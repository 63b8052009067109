import Columns
import Core

/// Looks at every value of a column, so that a column that points out of its memory is noticed.
enum ColumnWalk {
    static func touch(_ column: Column) {
        switch column {
        case .integers(let values): sum(values.array.map { UInt64(bitPattern: $0) })
        case .floats(let values): sum(values.array.map(\.bitPattern))
        case .fixed(let ids): sum(ids.bytes.array.map(UInt64.init))
        case .strings(let strings):
            for row in 0..<column.count { sum(strings.bytes(row).map(UInt64.init)) }
        case .arrays(let lists):
            for row in 0..<column.count { _ = lists.integers(row).count + lists.floats(row).count }
            touch(lists.elements)
        case .attributes(let sets):
            for row in 0..<column.count {
                for (subcolumn, slot) in sets.entries(row) {
                    if let values = sets.subcolumns[subcolumn].values {
                        precondition(slot < values.count, "a slot beyond its subcolumn")
                    }
                }
            }
            for subcolumn in sets.subcolumns { subcolumn.values.map(touch) }
        case .nested(let rows):
            let end = column.count == 0 ? 0 : rows.range(column.count - 1).upperBound
            for field in rows.fields {
                precondition(field.count == end, "inner columns of different lengths")
                touch(field)
            }
        }
    }

    private static func sum(_ words: [UInt64]) {
        let sum = words.reduce(into: UInt64(1)) { $0 = $0 &* 31 &+ $1 }
        // Used, so that the loads stay.
        precondition(sum != 0x9E37_79B9_7F4A_7C15 || words.count >= 0)
    }

    /// Whether two rows hold the same value, to the bit.
    static func isEqual(_ left: Column, _ leftRow: Int, _ right: Column, _ rightRow: Int) -> Bool {
        switch (left, right) {
        case (.integers(let a), .integers(let b)): a[leftRow] == b[rightRow]
        case (.floats(let a), .floats(let b)): a[leftRow].bitPattern == b[rightRow].bitPattern
        case (.fixed(let a), .fixed(let b)):
            a.width == b.width
                && a.bytes[leftRow * a.width..<(leftRow + 1) * a.width].array
                    == b.bytes[rightRow * b.width..<(rightRow + 1) * b.width].array
        case (.strings(let a), .strings(let b)): a.bytes(leftRow).elementsEqual(b.bytes(rightRow))
        case (.arrays(let a), .arrays(let b)): areEqual(a.elements, a.range(leftRow), b.elements, b.range(rightRow))
        case (.nested(let a), .nested(let b)):
            a.fields.count == b.fields.count
                && zip(a.fields, b.fields).allSatisfy { areEqual($0, a.range(leftRow), $1, b.range(rightRow)) }
        case (.attributes(let a), .attributes(let b)): isEqual(a, leftRow, b, rightRow)
        default: false
        }
    }

    private static func areEqual(_ left: Column, _ leftRows: Range<Int>, _ right: Column, _ rightRows: Range<Int>)
        -> Bool
    {
        leftRows.count == rightRows.count && zip(leftRows, rightRows).allSatisfy { isEqual(left, $0, right, $1) }
    }

    private static func isEqual(_ left: AttributesColumn, _ leftRow: Int, _ right: AttributesColumn, _ rightRow: Int)
        -> Bool
    {
        let a = left.entries(leftRow)
        let b = right.entries(rightRow)
        guard a.count == b.count else { return false }
        return zip(a, b).allSatisfy { one, other in
            let (first, second) = (left.subcolumns[one.subcolumn], right.subcolumns[other.subcolumn])
            guard first.key == second.key, first.type == second.type else { return false }
            // Empty values are nothing but their subcolumn.
            if first.type == .empty { return true }
            guard let values = first.values, let others = second.values else { return false }
            return isEqual(values, one.slot, others, other.slot)
        }
    }
}
