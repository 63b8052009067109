internal import Columns
internal import Core
package import Files
internal import Ingest
internal import OTLP
package import Observability
internal import Schema
package import Storage
internal import TableSchema
internal import Telemetry

/// A data directory that is read and not written to: its parts, and the rows that its write-ahead log has and no part. No memtable, no
/// log that takes requests, nothing that flushes, merges or drops.
///
/// Nobody may write to the directory meanwhile: it holds the directory's lock for reading, which as many such processes can have at a
/// time as like to, and a server that writes cannot have beside them.
package final class ReadOnlyEngine: Sendable {
    package let sources: QuerySources
    /// The parts that are open for queries.
    package let partCache: OpenParts
    private let store: Store

    /// - Parameter fileSystem: nothing is changed through it.
    package init(
        dataDirectory: String, parts: OpenParts.Limits, fileSystem: any FileSystem, report: Log
    ) throws(EngineError) {
        let fileSystem = ReadOnlyFileSystem(fileSystem)
        do {
            let schema = try TableBindings()
            partCache = OpenParts(parts)
            store = try Store(
                reading: dataDirectory, tables: schema.tables, fileSystem: fileSystem, damage: Engine.damageLog(report),
                cache: partCache)
            let rest = try UnflushedRows(
                of: store, schema, directory: dataDirectory + "/wal", fileSystem: fileSystem, report)
            sources = QuerySources(
                bindings: schema, spans: StoredTable(schema.spans.definition, of: store, rest: rest.spans.batches),
                logs: StoredTable(schema.logs.definition, of: store, rest: rest.logs.batches),
                metrics: StoredTable(schema.metrics.definition, of: store, rest: rest.metrics.batches))
            if rest.rowCount > 0 {
                report.info(
                    "the write-ahead log has rows that are in no part; they are read into memory",
                    ["rows": .int(rest.rowCount)])
            }
        } catch let error as EngineError {
            throw error
        } catch {
            throw EngineError(description: "\(error)")
        }
    }

    package var partCount: Int { store.allParts.values.reduce(0) { $0 + $1.count } }

    package var partBytes: Int64 { store.allParts.values.joined().reduce(0) { $0 + $1.record.byteCount } }

    /// Places that were found damaged since the start.
    package func damageCount(_ kind: Damage.Kind) -> Int { store.damage.count(kind) }
}

/// The rows of a log that are in no part.
private struct UnflushedRows {
    var spans: Replayed<SpanBuilder>
    var logs: Replayed<LogBuilder>
    var metrics: Replayed<MetricBuilder>

    var rowCount: Int { spans.rowCount + logs.rowCount + metrics.rowCount }

    init(
        of store: Store, _ schema: TableBindings, directory: String, fileSystem: any FileSystem, _ report: Log
    ) throws(FileError) {
        spans = Replayed { SpanBuilder(schema.spans) }
        logs = Replayed { LogBuilder(schema.logs) }
        metrics = Replayed { MetricBuilder(schema.metrics) }
        let flushed = store.flushedPositions
        let log = try LogReplay(directory: directory, fileSystem: fileSystem)
        try log.run(report: { file, scan, _ in Engine.report(file.path, scan, store.damage, report) }) { record in
            let table = schema.table(of: record.request.signal)
            let key = TenantTable(tenant: record.request.tenant, table: table.id)
            guard record.position > flushed[key] ?? 0 else { return }
            do {
                try add(record.request)
            } catch {
                // It was never acknowledged: a body that cannot be decoded is answered with 400.
                report.warning("a logged request cannot be decoded", ["error": .string("\(error)")])
            }
        }
    }

    private func add(_ request: LoggedRequest) throws {
        let times = request.times ?? .min ... .max
        let bytes = try request.protobuf()
        try unsafe bytes.withUnsafeBytes { bytes in
            switch request.signal {
            case .traces:
                try spans.add(request.tenant) { try unsafe TraceDecoder.decode(bytes, accepting: times, into: &$0) }
            case .logs:
                try logs.add(request.tenant) {
                    try unsafe LogDecoder.decode(bytes, received: request.received, accepting: times, into: &$0)
                }
            case .metrics:
                try metrics.add(request.tenant) { try unsafe MetricDecoder.decode(bytes, accepting: times, into: &$0) }
            }
        }
    }
}

/// Rows of one table, by tenant.
private final class Replayed<Builder: BatchBuilder & ~Copyable> {
    private final class Rows {
        var builder: Builder

        init(_ builder: consuming Builder) { self.builder = builder }
    }

    private var tenants: [TenantID: Rows] = [:]
    private let makeBuilder: () -> Builder

    init(_ makeBuilder: @escaping () -> Builder) { self.makeBuilder = makeBuilder }

    var rowCount: Int { tenants.values.reduce(0) { $0 + $1.builder.rowCount } }

    var batches: [TenantID: [ColumnBatch]] {
        tenants.mapValues { [$0.builder.snapshot(rows: $0.builder.rowCount)] }
    }

    func add(_ tenant: TenantID, _ decode: (inout Builder) throws -> DecodeOutcome) throws {
        let rows = tenants[tenant] ?? Rows(makeBuilder())
        let before = rows.builder.rowCount
        do {
            _ = try decode(&rows.builder)
        } catch {
            rows.builder.truncate(to: before)
            throw error
        }
        if rows.builder.rowCount > 0 { tenants[tenant] = rows }
    }
}
