import Columns
import Corpus
import OTLP
import Schema
import TableSchema
import Telemetry

/// The OTLP decoders. What they accept must be sortable, writable as parts, and readable from there.
///
/// Each input is decoded twice into one builder: the rows of the first request stay, and the second's are taken back if
/// it is refused, as ingest does.
extension FuzzTarget {
    static let catalog: TableCatalog = {
        guard let catalog = try? TableCatalog.parse(files: Schema.files, lock: Schema.lock) else {
            preconditionFailure("Schema/ does not parse")
        }
        return catalog
    }()

    static func table(_ name: String) -> TableDefinition {
        guard let table = catalog.table(named: name) else { preconditionFailure("no table \(name)") }
        return table
    }

    static func bound<Binding>(_ make: () throws -> Binding) -> Binding {
        guard let binding = try? make() else { preconditionFailure("a binding contradicts Schema/") }
        return binding
    }

    private static let spanTable = bound { try SpanTable(table("otel_traces")) }
    private static let logTable = bound { try LogTable(table("otel_logs")) }
    private static let metricTable = bound { try MetricTable(table("otel_metrics")) }

    static let traces = FuzzTarget("traces", seeds: { requests(.traces) + [FullRequests.traces()] }) { bytes in
        var builder = SpanBuilder(spanTable)
        decodeTwice(&builder, table: table("otel_traces")) { builder throws(ProtobufError) in
            try TraceDecoder.decode(bytes, into: &builder)
        }
    }

    static let logs = FuzzTarget("logs", seeds: { requests(.logs) + [FullRequests.logs()] }) { bytes in
        var builder = LogBuilder(logTable)
        decodeTwice(&builder, table: table("otel_logs")) { builder throws(ProtobufError) in
            try LogDecoder.decode(bytes, received: 1_790_000_000_000_000_000, into: &builder)
        }
    }

    static let metrics = FuzzTarget("metrics", seeds: { requests(.metrics) + [FullRequests.metrics()] }) {
        bytes in
        var builder = MetricBuilder(metricTable)
        decodeTwice(&builder, table: table("otel_metrics")) { builder throws(ProtobufError) in
            try MetricDecoder.decode(bytes, into: &builder)
        }
    }

    private static func decodeTwice<Builder: BatchBuilder & ~Copyable>(
        _ builder: inout Builder, table: TableDefinition,
        _ decode: (inout Builder) throws(ProtobufError) -> DecodeOutcome
    ) {
        for _ in 0..<2 {
            let before = builder.rowCount
            do throws(ProtobufError) {
                let outcome = try decode(&builder)
                precondition(builder.rowCount == before + outcome.accepted, "rows that the outcome does not count")
                precondition(
                    (outcome.rejected > 0) == !outcome.message.isEmpty, "a rejection without a reason, or the reverse")
            } catch {
                builder.truncate(to: before)
            }
        }
        precondition(builder.byteCount >= 0)
        PartRoundTrip.check(builder.snapshot(rows: builder.rowCount), table)
    }

    /// Small requests of the generated corpus.
    static func requests(_ signal: CorpusGenerator.Signal) -> [[UInt8]] {
        var options = CorpusGenerator.Options(
            signal: signal, rows: 60, hours: signal == .metrics ? 0.01 : 1, seed: 11, end: 1_790_000_000)
        options.rowsPerRequest = 4
        var bodies: [[UInt8]] = []
        _ = CorpusGenerator(options).run { bodies.append($0.body) }
        return Array(bodies.sorted { $0.count < $1.count }.prefix(8))
    }
}
