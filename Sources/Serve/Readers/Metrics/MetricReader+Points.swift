internal import Columns
package import Core
internal import Observability
internal import Parts
internal import Plans
package import QueryModel
package import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Data points as they were sent.
extension MetricReader {
    /// Points of metrics whose OTLP name is `name` (nil: any), newest first, at most `limit`; as `RecordSource` wants them.
    ///
    /// Times alone decide which points are the newest: the other columns are read only of blocks that have some of these.
    package func metricPoints(
        name: String?, service: String?, in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [MetricPoint] {
        guard limit > 0, !range.isEmpty else { return [] }
        let snapshot = metrics.snapshot(context.tenant, in: range)
        let places = try newest(limit, name, service, snapshot, range, context)
        return try points(at: places, snapshot, context)
    }

    private func newest(
        _ limit: Int, _ name: String?, _ service: String?, _ snapshot: TableSnapshot, _ range: TimeRange,
        _ context: QueryContext
    ) throws(QueryError) -> [PointPlace] {
        let parts = [
            name.map { Predicate.text(table.metricName.id, $0.utf8) },
            service.map { Predicate.text(table.serviceName.id, $0.utf8) },
        ]
        let predicate = Predicate.all(parts.compactMap { $0 })
        let time = table.time.ordinal
        let plan = ScanPlan(
            table: table.definition.id, range: range, predicate: predicate,
            result: .rows(Projection(columns: [table.time.id], order: .newestFirst)))
        context.statistics.note(plan: plan.text(table.definition))
        var newest = NewestPoints(limit: limit)
        try SourceErrors.mapping {
            let request = try ScanRequest(
                table.definition, range: range, columns: [time], predicate: predicate, order: .newestFirst)
            var scan = Scan(snapshot, request, context: context)
            try scan.run { (block) throws(QueryError) in
                guard case .integers(let times)? = block.batch.columns[time] else { return true }
                for row in block.rows {
                    newest.insert(
                        PointPlace(
                            time: times[Int(row)], source: block.source, firstRow: block.firstRow,
                            row: Int(row)))
                }
                return !newest.isComplete(bound: block.bound)
            }
        }
        return newest.sorted()
    }

    private func points(
        at places: [PointPlace], _ snapshot: TableSnapshot, _ context: QueryContext
    ) throws(QueryError) -> [MetricPoint] {
        let columns = Array(table.definition.columns.indices)
        var found: [MetricPoint?] = Array(repeating: nil, count: places.count)
        var identities = PointIdentities()
        let byBlock = Dictionary(grouping: places.indices) {
            PointPlace.Block(source: places[$0].source, firstRow: places[$0].firstRow)
        }
        for (block, indices) in byBlock.sorted(by: { $0.value[0] < $1.value[0] }) {
            try context.proceed()
            guard let batch = try read(block, columns, snapshot, context) else { continue }
            let decoder = PointDecoder(table: table, batch: batch)
            for index in indices {
                try context.charge(bytes: 512)
                found[index] = decoder.point(places[index].row, &identities)
            }
        }
        return found.compactMap { $0 }
    }

    /// Nil if the block is damaged, and left out with a warning.
    private func read(
        _ block: PointPlace.Block, _ columns: [Int], _ snapshot: TableSnapshot, _ context: QueryContext
    ) throws(QueryError) -> ColumnBatch? {
        guard let handle = snapshot.parts.first(where: { $0.record.id.number == block.source }) else {
            // As `ScanBlock.source` numbers the batches in memory.
            return snapshot.memory[snapshot.memory.count - Int(UInt64.max - block.source)]
        }
        return try SourceErrors.mapping {
            let part = try handle.part()
            guard let number = (0..<part.blockCount).first(where: { part.firstRow(ofBlock: $0) == block.firstRow })
            else { preconditionFailure("a scan names blocks that are there") }
            return try context.reading(handle, block: number) {
                var batch = ColumnBatch(
                    rowCount: part.rowCount(ofBlock: number),
                    columns: Array(repeating: nil, count: columns.count))
                for column in columns {
                    batch.columns[column] = try part.read(
                        column, block: number, statistics: context.statistics)
                }
                return batch
            }
        }
    }
}

/// Where a point is stored.
struct PointPlace {
    struct Block: Hashable {
        var source: UInt64
        var firstRow: Int
    }

    var time: Int64
    /// `ScanBlock.source`.
    var source: UInt64
    /// Of the block, in its source.
    var firstRow: Int
    /// In the block.
    var row: Int

    /// Newest first; of equal times that which was stored last.
    static func isBefore(_ left: PointPlace, _ right: PointPlace) -> Bool {
        if left.time != right.time { return left.time > right.time }
        return (left.source, left.firstRow, left.row) > (right.source, right.firstRow, right.row)
    }
}

/// The newest points of those that were seen.
struct NewestPoints {
    /// How many more than wanted are held before the older ones are let go.
    private static let slack = 65_536

    private let limit: Int
    private var places: [PointPlace] = []
    /// Once there are enough: older ones are not wanted.
    private var oldest = Int64.min

    init(limit: Int) { self.limit = limit }

    mutating func insert(_ place: PointPlace) {
        guard place.time >= oldest else { return }
        places.append(place)
        if places.count - limit >= Self.slack { prune() }
    }

    private mutating func prune() {
        guard places.count >= limit else { return }
        places.sort(by: PointPlace.isBefore)
        places.removeLast(places.count - limit)
        oldest = places[limit - 1].time
    }

    /// Whether no point that comes later, which is not newer than `bound`, is wanted.
    mutating func isComplete(bound: Int64?) -> Bool {
        guard let bound, places.count >= limit else { return false }
        prune()
        return bound < oldest
    }

    consuming func sorted() -> [PointPlace] {
        places.sort(by: PointPlace.isBefore)
        return Array(places.prefix(limit))
    }
}
