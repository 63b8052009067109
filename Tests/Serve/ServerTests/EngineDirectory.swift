import Columns
import Compression
import Core
import Files
import Foundation
import Ingest
import OTLP
import Observability
import QueryModel
import Readers
import Scheduling
import Server
import Storage
import Synchronization
import TableSchema
import Telemetry
import TraceFixtures

/// A data directory of its own, and what opens engines on it.
final class EngineDirectory {
    let path: String
    private let entries = LogEntries()

    init() { path = NSTemporaryDirectory() + "varve-engine-\(UUID().uuidString)" }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What engines on this directory have logged.
    var logged: [Log.Entry] { entries.all }

    func open(
        _ durability: Durability = .written, _ change: (inout EngineConfiguration) -> Void = { _ in }
    ) throws -> Engine {
        var configuration = EngineConfiguration(dataDirectory: path)
        configuration.durability = durability
        configuration.flush.age = .seconds(3600)
        change(&configuration)
        let entries = entries
        return try Engine(
            configuration, fileSystem: PosixFileSystem(), report: Log(level: .info) { entries.add($0) })
    }

    /// The files as they are now: what a crash of the process at this point would leave.
    func crashed() throws -> EngineDirectory {
        let copy = EngineDirectory()
        try FileManager.default.copyItem(atPath: path, toPath: copy.path)
        return copy
    }

    /// Opens an engine, hands it to `body`, and closes it.
    func withEngine<Result>(
        _ durability: Durability = .written, _ body: (Engine) throws -> Result
    ) throws -> Result {
        let engine = try open(durability)
        defer { engine.close() }
        return try body(engine)
    }

    /// Names of the files in a folder, sorted.
    func files(_ folder: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder).sorted()
    }
}

private final class LogEntries: Sendable {
    private let entries = Mutex<[Log.Entry]>([])

    var all: [Log.Entry] { entries.withLock { $0 } }

    func add(_ entry: Log.Entry) { entries.withLock { $0.append(entry) } }
}

extension Engine {
    /// Sends a request as the routes would.
    @discardableResult
    func send(
        _ signal: LoggedRequest.Signal, _ body: [UInt8], format: LoggedRequest.Format = .protobuf,
        coding: LoggedRequest.Coding = .identity, tenant: TenantID = .default, received: Int64 = 77
    ) throws -> DecodeOutcome {
        let request = LoggedRequest(
            signal: signal, format: format, coding: coding, tenant: tenant, received: received, body: body)
        return try ingest(request, protobuf: request.protobuf())
    }

    /// The ids of a tenant's spans, sorted; a span that is there twice is listed twice.
    func spanIDs(_ tenant: TenantID = .default) throws -> [UInt64] {
        var ids: [UInt64] = []
        let query = TraceQuery(range: .everything, limit: .max)
        let reader = TraceReader(table: spanTable, spans: spans)
        try reader.scan(query, context: QueryContext(tenant: tenant)) { spans in
            ids += spans.map(\.spanID.word)
            return true
        }
        return ids.sorted()
    }

    /// The sorted times of a tenant's rows.
    func times(_ signal: LoggedRequest.Signal, _ tenant: TenantID = .default) throws -> [Int64] {
        let (snapshot, column) =
            switch signal {
            case .traces: (spans.snapshot(tenant, in: .everything), spanTable.definition.partitionColumn)
            case .logs: (logs.snapshot(tenant, in: .everything), logTable.definition.partitionColumn)
            case .metrics: (metrics.snapshot(tenant, in: .everything), metricTable.definition.partitionColumn)
            }
        guard let time = snapshot.table.ordinal(of: column) else { return [] }
        let request = ScanRequest(range: .everything, columns: [time])
        var scan = Scan(snapshot, request, context: QueryContext(tenant: tenant))
        var times: [Int64] = []
        try scan.run { (block: ScanBlock) throws(StorageError) -> Bool in
            guard case .integers(let values)? = block.batch.columns[time] else { return false }
            times += block.rows.map { values[Int($0)] }
            return true
        }
        return times.sorted()
    }
}

/// Small requests.
enum Body {
    static let hour: Int64 = 3_600_000_000_000

    /// A span per id, hours apart.
    static func traces(_ ids: [UInt64]) -> [UInt8] {
        TraceRequest.protobuf(ids.map { .make(trace: $0, span: $0, start: Int64($0) * hour + 1) })
    }

    /// A log record per time; one of time zero has none.
    static func logs(_ times: [Int64]) -> [UInt8] {
        var scope = ProtobufWriter()
        for time in times {
            var record = ProtobufWriter()
            if time != 0 { record.field(1, fixed64: UInt64(time)) }
            var value = ProtobufWriter()
            value.field(1, bytes: Array("line \(time)".utf8))
            record.field(5, bytes: value.bytes)
            scope.field(2, bytes: record.bytes)
        }
        return request(scope)
    }

    /// A point of a gauge per time.
    static func metrics(_ times: [Int64]) -> [UInt8] {
        var gauge = ProtobufWriter()
        for time in times {
            var point = ProtobufWriter()
            point.field(3, fixed64: UInt64(time))
            point.field(4, fixed64: Double(time).bitPattern)
            gauge.field(1, bytes: point.bytes)
        }
        var metric = ProtobufWriter()
        metric.field(1, bytes: Array("up".utf8))
        metric.field(5, bytes: gauge.bytes)
        var scope = ProtobufWriter()
        scope.field(2, bytes: metric.bytes)
        return request(scope)
    }

    private static func request(_ scope: ProtobufWriter) -> [UInt8] {
        var group = ProtobufWriter()
        group.field(2, bytes: scope.bytes)
        var request = ProtobufWriter()
        request.field(1, bytes: group.bytes)
        return request.bytes
    }

    static func json(_ ids: [UInt64]) -> [UInt8] {
        let spans = ids.map { #"{"traceId":"\#(Hex.string(1))\#(Hex.string($0))","spanId":"\#(Hex.string($0))"}"# }
        return Array(#"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans.joined(separator: ","))]}]}]}"#.utf8)
    }

    static func packed(_ bytes: [UInt8], _ coding: LoggedRequest.Coding) -> [UInt8] {
        switch coding {
        case .identity: return bytes
        case .gzip: return Gzip.compress(bytes, level: 6)
        case .zstd:
            var output: [UInt8] = []
            bytes.withUnsafeBytes { _ = Zstd.compress($0, level: 3, into: &output) }
            return output
        case .lz4: return bytes.withUnsafeBytes { LZ4.frame(of: $0) }
        case .deflate:
            // One stored block (RFC 1951 §3.2.4).
            let count = UInt16(bytes.count)
            let words = [count, ~count].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
            return [1] + words + bytes
        }
    }
}
