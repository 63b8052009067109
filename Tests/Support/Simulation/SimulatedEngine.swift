import Columns
package import Core
package import EngineFixtures
import Files
package import Ingest
import Maintenance
import OTLP
import Rollups
internal import Scheduling
package import Storage
import TableSchema
package import Telemetry

/// One thing that was sent: its number is a log's body or a span's name.
package struct SentRow: Hashable, Sendable, CustomStringConvertible {
    package var tenant: TenantID
    package var isSpan: Bool
    package var number: Int
    /// Which day it is of; partitions of logs are days.
    package var day: Int

    package init(tenant: TenantID, isSpan: Bool, number: Int, day: Int? = nil) {
        self.tenant = tenant
        self.isSpan = isSpan
        self.number = number
        self.day = day ?? number % 3
    }

    static let start: Int64 = 1_699_920_000_000_000_000
    static let dayLength: Int64 = 86_400_000_000_000

    /// Nanoseconds since the epoch.
    package var time: Int64 { Self.start + Int64(day) * Self.dayLength + Int64(number) }

    package var description: String { "\(tenant)/\(isSpan ? "span" : "log")/\(number)@\(day)" }
}

/// The real store, log, tables and flush over the simulated disk, driven from one thread.
package final class SimulatedEngine {
    package let store: Store
    package let log: WriteAheadLog
    package let logs: BufferedTable<LogBuilder>
    package let spans: BufferedTable<SpanBuilder>
    package let worker: FlushWorker
    /// Merges whatever can be merged, at once.
    let merges: MaintenanceWorker
    /// Drops what is three days old.
    let retention: MaintenanceWorker
    /// What was found damaged.
    package let damage = DamageLog()
    let tables: TestTables
    package private(set) var scans: [SegmentScan] = []

    /// - Parameter segmentLength: small enough for a log of several segments.
    package init(
        on disk: SimulatedFileSystem, _ tables: TestTables, durability: Durability = .fsync,
        segmentLength: Int64 = 600
    ) throws {
        self.tables = tables
        store = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk, damage: damage)
        merges = MaintenanceWorker(store, policy: Self.mergePolicy, clock: { .min }, report: { _ in })
        retention = MaintenanceWorker(store, policy: Self.retentionPolicy, clock: { .min }, report: { _ in })
        log = WriteAheadLog(
            directory: "/data/wal", fileSystem: disk, durability: durability,
            flushed: store.flushedPositions.values.max() ?? 0, segmentLength: segmentLength,
            quarantine: Quarantine(directory: "/data", fileSystem: disk))
        logs = BufferedTable(
            tables.logs.definition, store: store, log: log, limits: FlushLimits(),
            makeBuilder: { LogBuilder(tables.logs) })
        spans = BufferedTable(
            tables.spans.definition, store: store, log: log, limits: FlushLimits(),
            makeBuilder: { SpanBuilder(tables.spans) })
        worker = FlushWorker(tables: [logs, spans], log: log, restartPause: .zero) { _ in }
        var found: [SegmentScan] = []
        var failure: (any Error)?
        let flushed = store.flushedPositions
        let (logTable, spanTable) = (tables.logs.definition.id, tables.spans.definition.id)
        try log.start(
            wasFlushed: { record in
                let table = record.request.signal == .logs ? logTable : spanTable
                return record.position <= flushed[TenantTable(tenant: record.request.tenant, table: table)] ?? 0
            },
            report: { found.append($1) },
            replay: { record in
                do { try replay(record) } catch { failure = failure ?? error }
            })
        scans = found
        if let failure { throw failure }
    }

    package static let timeToLive = 3 * SentRow.dayLength

    private static var mergePolicy: MaintenanceWorker.Policy {
        var policy = MaintenanceWorker.Policy()
        policy.merge?.newParts = 2
        policy.merge?.fanIn = 4
        policy.retention = nil
        policy.rollup?.quietTime = 0
        policy.rollup?.settling = 0
        policy.rollup?.parts = 3
        policy.limits.reserve = 0
        policy.busyTime = 0
        policy.firstDelay = 1
        policy.longestDelay = 1
        return policy
    }

    private static var retentionPolicy: MaintenanceWorker.Policy {
        var policy = MaintenanceWorker.Policy()
        policy.merge = nil
        policy.retention?.rules = [RetentionRule(timeToLive: timeToLive)]
        policy.retentionInterval = 0
        policy.limits.reserve = 0
        return policy
    }

    private func replay(_ record: ReplayedRequest) throws {
        let body = record.request.body
        if record.request.signal == .traces {
            _ = try spans.replay(record) { builder in
                try body.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }.accepted > 0
            }
        } else {
            _ = try logs.replay(record) { builder in
                try body.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }.accepted > 0
            }
        }
    }

    /// Sends rows of one tenant and one signal; row `i` goes to partition `i % 3`.
    package func ingest(_ rows: [SentRow]) throws {
        guard let first = rows.first else { return }
        let body = first.isSpan ? Self.traces(rows) : Self.logs(rows)
        let request = LoggedRequest(
            signal: first.isSpan ? .traces : .logs, format: .protobuf, coding: .identity, tenant: first.tenant,
            received: 1, body: body)
        if first.isSpan {
            _ = try spans.ingest(request) { builder in
                try body.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }.accepted > 0
            }
        } else {
            _ = try logs.ingest(request) { builder in
                try body.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }.accepted > 0
            }
        }
    }

    private static func time(_ row: SentRow) -> UInt64 { UInt64(row.time) }

    private static func wrap(_ items: [[UInt8]]) -> [UInt8] {
        var scope = ProtobufWriter()
        for item in items { scope.field(2, bytes: item) }
        var group = ProtobufWriter()
        group.field(2, bytes: scope.bytes)
        var request = ProtobufWriter()
        request.field(1, bytes: group.bytes)
        return request.bytes
    }

    private static func logs(_ rows: [SentRow]) -> [UInt8] {
        wrap(
            rows.map { row in
                var body = ProtobufWriter()
                body.field(1, bytes: Array("\(row.number)".utf8))
                var record = ProtobufWriter()
                record.field(1, fixed64: time(row))
                record.field(5, bytes: body.bytes)
                return record.bytes
            })
    }

    /// As many as there are spans, nearly.
    static func traceID(_ number: Int) -> [UInt8] { [UInt8](repeating: 7, count: 8) + UInt64(number).littleEndianBytes }

    private static func traces(_ rows: [SentRow]) -> [UInt8] {
        wrap(
            rows.map { row in
                var span = ProtobufWriter()
                span.field(1, bytes: traceID(row.number))
                span.field(2, bytes: Array(repeating: 1, count: 8))
                span.field(5, bytes: Array("\(row.number)".utf8))
                span.field(7, fixed64: time(row))
                span.field(8, fixed64: time(row) + 5)
                return span.bytes
            })
    }

    /// How often each row of a tenant is there.
    package func rows(of tenant: TenantID) throws -> [SentRow: Int] {
        var counts: [SentRow: Int] = [:]
        try count(logs.snapshot(tenant, in: .everything), tables.logs.body, tenant, isSpan: false, &counts)
        try count(spans.snapshot(tenant, in: .everything), tables.spans.spanName, tenant, isSpan: true, &counts)
        return counts
    }

    private func count(
        _ snapshot: TableSnapshot, _ column: ColumnHandle<StringColumn>, _ tenant: TenantID, isSpan: Bool,
        _ counts: inout [SentRow: Int]
    ) throws {
        let time = isSpan ? tables.spans.startTime : tables.logs.time
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [column.ordinal, time.ordinal]),
            context: QueryContext(tenant: tenant))
        try scan.run { block in
            Self.add(block, column, time, tenant, isSpan: isSpan, to: &counts)
            return true
        }
    }

    static func add(
        _ block: ScanBlock, _ column: ColumnHandle<StringColumn>, _ time: ColumnHandle<Int64>, _ tenant: TenantID,
        isSpan: Bool, to counts: inout [SentRow: Int]
    ) {
        let values = block.batch[column]
        let times = block.batch[time]
        for row in block.rows {
            let number = Int(values.string(Int(row))) ?? -1
            let day = Int((times.base[Int(row)] - SentRow.start) / SentRow.dayLength)
            counts[SentRow(tenant: tenant, isSpan: isSpan, number: number, day: day), default: 0] += 1
        }
    }

    /// By number of its only span: how many spans the index of traces has for each trace, what waits for it included.
    func indexedSpans(of tenant: TenantID) throws -> [Int: Int] {
        guard let view = tables.catalog.rollups.first(where: { $0.target.name == "otel_trace_index" }) else {
            return [:]
        }
        let aggregate = RollupAggregator(view, source: tables.spans.definition)
        let snapshot = spans.snapshot(tenant, in: .everything, view: view.target, viewRange: .everything)
        let all = Array(view.target.columns.indices)
        var rows = Scan(
            snapshot.view, ScanRequest(range: .everything, columns: all), context: QueryContext(tenant: tenant))
        try rows.run { block in
            try aggregate.add(aggregated: block.batch, rows: block.rows)
            return true
        }
        var pending = Scan(
            snapshot.pending, ScanRequest(range: .everything, columns: aggregate.columns),
            context: QueryContext(tenant: tenant))
        try pending.run { block in
            aggregate.add(block.batch, rows: block.rows)
            return true
        }
        let batch = aggregate.batch()
        let ids = batch[try view.target.fixed("trace_id", width: 16)]
        let counts = batch[try view.target.integers("spans")]
        return Dictionary(
            uniqueKeysWithValues: (0..<batch.rowCount).map {
                (Int(truncatingIfNeeded: ids.traceID($0).low.byteSwapped), Int(counts[$0]))
            })
    }

    package func close() { log.close() }
}
