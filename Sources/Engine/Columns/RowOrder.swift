private import Core
package import TableSchema

/// The rows of a batch that go to one partition, in the table's order.
package struct PartitionRows: Sendable {
    /// The partition's start, nanoseconds since the epoch.
    package let partition: Int64
    /// Row numbers of the batch.
    package let rows: ArraySlice<UInt32>
}

/// Puts the rows of a batch in the order of its table, partition by partition.
///
/// Each sort expression becomes a component: one unsigned word per row whose order is the expression's (strings by the rank of
/// their entry). As many leading bits of the components as fit are packed into one 64-bit key, which is sorted by radix; rows
/// with equal keys are then ordered by the components that did not fit. The order is stable.
package struct RowOrder {
    private struct Component {
        var words: [UInt64]
        var bits: Int
    }

    private let rowCount: Int
    private var components: [Component] = []

    package static func partitions(
        of batch: ColumnBatch, table: TableDefinition
    ) -> [PartitionRows] {
        guard batch.rowCount > 0 else { return [] }
        let times = integers(batch, table, table.partitionColumn)
        var order = RowOrder(rowCount: batch.rowCount)
        let unit = table.partitionUnit
        let starts = order.addPartitions(times, unit)
        for expression in table.order { order.add(expression, batch, table) }
        let rows = order.sorted()
        return split(rows, starts)
    }

    private init(rowCount: Int) { self.rowCount = rowCount }

    private static func integers(
        _ batch: ColumnBatch, _ table: TableDefinition, _ id: ColumnID
    ) -> Buffer<Int64> {
        guard let ordinal = table.ordinal(of: id), case .integers(let values)? = batch.columns[ordinal]
        else { preconditionFailure("a table is partitioned by an integer column") }
        return values
    }

    private static func split(_ rows: [UInt32], _ starts: [Int64]) -> [PartitionRows] {
        var result: [PartitionRows] = []
        var begin = 0
        while begin < rows.count {
            let partition = starts[Int(rows[begin])]
            var end = begin + 1
            while end < rows.count, starts[Int(rows[end])] == partition { end += 1 }
            result.append(PartitionRows(partition: partition, rows: rows[begin..<end]))
            begin = end
        }
        return result
    }

    private mutating func addPartitions(_ times: Buffer<Int64>, _ unit: PartitionUnit) -> [Int64] {
        var starts = [Int64](repeating: 0, count: rowCount)
        var lastStart = unit.start(of: times[0])
        var lastEnd = unit.end(ofPartitionAt: lastStart)
        for row in 0..<rowCount {
            let time = times.base[row]
            if time < lastStart || time >= lastEnd {
                lastStart = unit.start(of: time)
                lastEnd = unit.end(ofPartitionAt: lastStart)
            }
            starts[row] = lastStart
        }
        addIntegers { starts[$0] }
        return starts
    }

    private mutating func add(
        _ expression: SortExpression, _ batch: ColumnBatch, _ table: TableDefinition
    ) {
        switch expression {
        case .startOfMinute(let id):
            let times = Self.integers(batch, table, id)
            addIntegers { times.base[$0].minute }
        case .column(let id):
            guard let ordinal = table.ordinal(of: id), let column = batch.columns[ordinal] else {
                preconditionFailure("a sort column is part of the batch")
            }
            switch column {
            case .integers(let values): addIntegers { values.base[$0] }
            case .fixed(let values):
                for offset in stride(from: 0, to: values.width, by: 8) {
                    add((0..<rowCount).map { values.word($0, at: offset) })
                }
            case .strings(let values): addRanks(values)
            case .floats, .arrays, .attributes, .nested:
                preconditionFailure("tables are ordered by integers, ids and strings")
            }
        }
    }

    private mutating func addIntegers(_ value: (Int) -> Int64) {
        add((0..<rowCount).map { UInt64(bitPattern: value($0)) ^ (1 << 63) })
    }

    private mutating func addRanks(_ column: StringColumn) {
        let ranks = column.dictionary.ranks()
        add(column.codes.unsafeElements.map { UInt64(ranks[Int($0)]) })
    }

    private mutating func add(_ words: [UInt64]) {
        var least = UInt64.max
        var greatest = UInt64.min
        for word in words {
            least = min(least, word)
            greatest = max(greatest, word)
        }
        let bits = 64 - (greatest - least).leadingZeroBitCount
        guard bits > 0 else { return }
        components.append(Component(words: words.map { $0 - least }, bits: bits))
    }

    /// Row numbers in order.
    private func sorted() -> [UInt32] {
        var keys = [UInt64](repeating: 0, count: rowCount)
        var free = 64
        var firstUnpacked = components.count
        for (index, component) in components.enumerated() {
            let taken = min(free, component.bits)
            let drop = component.bits - taken
            free -= taken
            for row in 0..<rowCount { keys[row] |= (component.words[row] >> UInt64(drop)) << UInt64(free) }
            if drop > 0 || free == 0 {
                firstUnpacked = drop > 0 ? index : index + 1
                break
            }
        }
        var rows = Radix.sort(keys: &keys, bits: free..<64)
        if firstUnpacked < components.count { orderTies(&rows, keys, from: firstUnpacked) }
        return rows
    }

    private func orderTies(_ rows: inout [UInt32], _ keys: [UInt64], from first: Int) {
        var begin = 0
        while begin < rows.count {
            var end = begin + 1
            while end < rows.count, keys[end] == keys[begin] { end += 1 }
            if end - begin > 1 {
                rows[begin..<end].sort { precedes($0, $1, from: first) }
            }
            begin = end
        }
    }

    private func precedes(_ left: UInt32, _ right: UInt32, from first: Int) -> Bool {
        for component in components[first...] {
            let a = component.words[Int(left)]
            let b = component.words[Int(right)]
            if a != b { return a < b }
        }
        return left < right
    }
}

/// Least-significant-digit radix sort with 11-bit digits.
enum Radix {
    /// Sorts `keys`, of which only the given bits count, and answers where each key had been. Stable.
    static func sort(keys: inout [UInt64], bits: Range<Int>) -> [UInt32] {
        let count = keys.count
        var rows = (0..<UInt32(count)).map { $0 }
        guard count > 1, !bits.isEmpty else { return rows }
        var otherKeys = [UInt64](repeating: 0, count: count)
        var otherRows = [UInt32](repeating: 0, count: count)
        var shift = bits.lowerBound
        while shift < bits.upperBound {
            pass(keys, rows, shift, &otherKeys, &otherRows)
            swap(&keys, &otherKeys)
            swap(&rows, &otherRows)
            shift += 11
        }
        return rows
    }

    private static func pass(
        _ keys: [UInt64], _ rows: [UInt32], _ shift: Int, _ toKeys: inout [UInt64],
        _ toRows: inout [UInt32]
    ) {
        var slots = [Int](repeating: 0, count: 2048)
        keys.withUnsafeBufferPointer { keys in
            slots.withUnsafeMutableBufferPointer { slots in
                for key in keys { slots[Int(truncatingIfNeeded: key >> UInt64(shift)) & 2047] &+= 1 }
                var sum = 0
                for digit in 0..<2048 {
                    let here = slots[digit]
                    slots[digit] = sum
                    sum &+= here
                }
                toKeys.withUnsafeMutableBufferPointer { toKeys in
                    toRows.withUnsafeMutableBufferPointer { toRows in
                        for i in keys.indices {
                            let digit = Int(truncatingIfNeeded: keys[i] >> UInt64(shift)) & 2047
                            let slot = slots[digit]
                            toKeys[slot] = keys[i]
                            toRows[slot] = rows[i]
                            slots[digit] = slot &+ 1
                        }
                    }
                }
            }
        }
    }
}

extension Int64 {
    /// The minute of a time in nanoseconds, counted from the epoch; before it rounded down like after it.
    fileprivate var minute: Int64 {
        let unit: Int64 = 60_000_000_000
        return self / unit - (self % unit < 0 ? 1 : 0)
    }
}

extension StringDictionary {
    /// By entry: its place among the distinct entries in ascending order.
    package func ranks() -> [UInt32] {
        if isSorted, isUnique { return (0..<UInt32(count)).map { $0 } }
        let order = (0..<count).sorted { ByteOrder.compare(bytes($0), bytes($1)) < 0 }
        var ranks = [UInt32](repeating: 0, count: count)
        var rank: UInt32 = 0
        for (slot, entry) in order.enumerated() {
            if slot > 0, ByteOrder.compare(bytes(order[slot - 1]), bytes(entry)) != 0 { rank += 1 }
            ranks[entry] = rank
        }
        return ranks
    }
}
