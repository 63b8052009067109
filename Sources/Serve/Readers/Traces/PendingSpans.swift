internal import Columns
internal import Core
internal import Scheduling
internal import Storage
internal import Telemetry

/// Where a span is, and which of several conditions it meets.
typealias BatchRow = (batch: ColumnBatch, row: Int, met: UInt64)

/// Rows that passed, kept until no newer ones can come.
struct PendingSpans {
    private struct Item {
        let time: Int64
        let source: UInt64
        let row: Int
        let batch: ColumnBatch
        let batchRow: Int
        let met: UInt64
        /// The memory of the batch.
        let lease: MemoryLease?
    }

    private var items: [Item] = []

    mutating func add(_ block: ScanBlock, _ table: SpanTable) {
        let times = block.batch[table.startTime]
        var met: [UInt64] = []
        if !block.conditions.isEmpty {
            met = Array(repeating: 0, count: block.batch.rowCount)
            for (number, rows) in block.conditions.enumerated() {
                for row in rows { met[Int(row)] |= 1 << UInt64(number) }
            }
        }
        for row in block.rows {
            items.append(
                Item(
                    time: times[Int(row)], source: block.source, row: block.firstRow + Int(row),
                    batch: block.batch, batchRow: Int(row), met: met.isEmpty ? 1 : met[Int(row)], lease: block.lease))
        }
    }

    /// Takes the rows that are newer than everything still to come, newest first.
    mutating func take(beyond bound: Int64?) -> [BatchRow] {
        // Those that stay are put in order when they are taken.
        let first = bound.map { bound in items.partition { $0.time > bound } } ?? 0
        if first == items.count { return [] }
        items[first...].sort { ($0.time, $0.source, $0.row) > ($1.time, $1.source, $1.row) }
        defer { items.removeSubrange(first...) }
        return items[first...].map { ($0.batch, $0.batchRow, $0.met) }
    }
}
