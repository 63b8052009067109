internal import Ingest
internal import Schema
package import Storage
package import TableSchema
package import Telemetry

/// The tables of Schema/, and the columns of those of the three signals.
package struct TableBindings: Sendable {
    package let tables: TableCatalog
    package let spans: SpanTable
    package let logs: LogTable
    package let metrics: MetricTable

    /// - Throws: what Schema/ lacks of what the code reads.
    package init() throws {
        tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        spans = try SpanTable(Self.table("otel_traces", tables))
        logs = try LogTable(Self.table("otel_logs", tables))
        metrics = try MetricTable(Self.table("otel_metrics", tables))
    }

    private static func table(_ name: String, _ tables: TableCatalog) throws(EngineError) -> TableDefinition {
        guard let table = tables.table(named: name) else {
            throw EngineError(description: "Schema/ does not declare the table \(name)")
        }
        return table
    }

    func table(of signal: LoggedRequest.Signal) -> TableDefinition {
        switch signal {
        case .traces: spans.definition
        case .logs: logs.definition
        case .metrics: metrics.definition
        }
    }
}

/// What readers ask for rows, of all three signals.
package struct QuerySources: Sendable {
    package let bindings: TableBindings
    package let spans: any SnapshotSource
    package let logs: any SnapshotSource
    package let metrics: any SnapshotSource
}
