import Columns
import Core
import EngineFixtures
import Files
import Ingest
import OTLP
import Storage
import TableSchema
import Telemetry
import Testing

/// One thing that was sent: its id is a log body or a span's name.
struct SentRow: Hashable, CustomStringConvertible {
    var tenant: TenantID
    var isSpan: Bool
    var number: Int

    var description: String { "\(tenant)/\(isSpan ? "span" : "log")/\(number)" }
}

/// The real store, log, tables and flush over the simulated disk, driven from one thread.
final class SimulatedEngine {
    let store: Store
    let log: WriteAheadLog
    let logs: BufferedTable<LogBuilder>
    let spans: BufferedTable<SpanBuilder>
    let worker: FlushWorker
    private let tables: TestTables
    private(set) var scans: [SegmentScan] = []

    /// - Parameter segmentLength: small enough for a log of several segments.
    init(
        on disk: SimulatedFileSystem, _ tables: TestTables, durability: Durability = .fsync,
        segmentLength: Int64 = 600
    ) throws {
        self.tables = tables
        store = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk)
        log = WriteAheadLog(
            directory: "/data/wal", fileSystem: disk, durability: durability,
            flushed: store.flushedPositions.values.max() ?? 0, segmentLength: segmentLength)
        logs = BufferedTable(
            tables.logs.definition, store: store, log: log, limits: FlushLimits(),
            makeBuilder: { LogBuilder(tables.logs) })
        spans = BufferedTable(
            tables.spans.definition, store: store, log: log, limits: FlushLimits(),
            makeBuilder: { SpanBuilder(tables.spans) })
        worker = FlushWorker(tables: [logs, spans], log: log, restartPause: .zero) { _ in }
        var found: [SegmentScan] = []
        var failure: (any Error)?
        try log.start(
            report: { found.append($1) },
            replay: { record in
                do { try replay(record) } catch { failure = failure ?? error }
            })
        scans = found
        if let failure { throw failure }
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
    func ingest(_ rows: [SentRow]) throws {
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

    private static func time(_ row: SentRow) -> UInt64 {
        1_700_000_000_000_000_000 + UInt64(row.number % 3) * 86_400_000_000_000 + UInt64(row.number)
    }

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

    private static func traces(_ rows: [SentRow]) -> [UInt8] {
        wrap(
            rows.map { row in
                var span = ProtobufWriter()
                span.field(1, bytes: Array(repeating: UInt8(row.number % 250 + 1), count: 16))
                span.field(2, bytes: Array(repeating: 1, count: 8))
                span.field(5, bytes: Array("\(row.number)".utf8))
                span.field(7, fixed64: time(row))
                span.field(8, fixed64: time(row) + 5)
                return span.bytes
            })
    }

    /// How often each row of a tenant is there.
    func rows(of tenant: TenantID) throws -> [SentRow: Int] {
        var counts: [SentRow: Int] = [:]
        try count(logs.snapshot(tenant, in: .everything), tables.logs.body, tenant, isSpan: false, &counts)
        try count(spans.snapshot(tenant, in: .everything), tables.spans.spanName, tenant, isSpan: true, &counts)
        return counts
    }

    private func count(
        _ snapshot: TableSnapshot, _ column: ColumnHandle<StringColumn>, _ tenant: TenantID, isSpan: Bool,
        _ counts: inout [SentRow: Int]
    ) throws {
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [column.ordinal]),
            context: QueryContext(tenant: tenant))
        try scan.run { block in
            let values = block.batch[column]
            for row in block.rows {
                let number = Int(values.string(Int(row))) ?? -1
                counts[SentRow(tenant: tenant, isSpan: isSpan, number: number), default: 0] += 1
            }
            return true
        }
    }

    func close() { log.close() }
}

/// What must be there: acknowledged rows once, others once at most.
struct NaiveStore {
    static let tenants: [TenantID] = [.default, TenantID("other") ?? .default]

    private(set) var acknowledged: Set<SentRow> = []
    private(set) var attempted: Set<SentRow> = []
    /// Refused in the engine's present life: nobody may see them.
    private(set) var refused: Set<SentRow> = []
    /// Refused before something else was acknowledged: nobody may ever see them, since their sender has sent them again.
    private(set) var disowned: Set<SentRow> = []
    private var shown: Set<SentRow> = []
    private var next = 0

    /// Rows for a new request.
    mutating func rows(_ count: Int, _ random: inout SeededRandom) -> [SentRow] {
        let tenant = random.pick(Self.tenants)
        let isSpan = random.oneIn(3)
        let rows = (0..<count).map { SentRow(tenant: tenant, isSpan: isSpan, number: next + $0) }
        next += count
        attempted.formUnion(rows)
        return rows
    }

    /// Sends the rows, and notes how that went.
    mutating func send(_ rows: [SentRow], to engine: SimulatedEngine) -> Bool {
        do {
            try engine.ingest(rows)
            acknowledged.formUnion(rows)
            disowned.formUnion(refused)
            return true
        } catch {
            refused.formUnion(rows)
            return false
        }
    }

    mutating func endLife() { refused = [] }

    /// - Returns: what is wrong with what the engine shows, or nil.
    mutating func fault(in engine: SimulatedEngine) throws -> String? {
        var found: [SentRow: Int] = [:]
        for tenant in Self.tenants { found.merge(try engine.rows(of: tenant)) { $0 + $1 } }
        if let row = found.first(where: { $0.value > 1 }) { return "\(row.key) is there \(row.value) times" }
        if let row = acknowledged.first(where: { found[$0] == nil }) { return "\(row) was acknowledged and is gone" }
        if let row = found.keys.first(where: { !attempted.contains($0) }) { return "\(row) was never sent" }
        if let row = refused.first(where: { found[$0] != nil }) { return "\(row) was refused and is shown" }
        if let row = disowned.first(where: { found[$0] != nil }) { return "\(row) was disowned and is shown" }
        if let row = shown.first(where: { found[$0] == nil }) { return "\(row) was shown and is gone" }
        shown.formUnion(found.keys)
        return nil
    }
}
