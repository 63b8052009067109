import Schema
package import TableSchema
package import Telemetry

/// The tables of Schema/, bound.
package struct TestTables: Sendable {
    package let catalog: TableCatalog
    package let spans: SpanTable
    package let logs: LogTable
    package let metrics: MetricTable

    package struct Missing: Error {}

    package init() throws {
        catalog = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        guard let traces = catalog.table(named: "otel_traces"), let logs = catalog.table(named: "otel_logs"),
            let metrics = catalog.table(named: "otel_metrics")
        else { throw Missing() }
        spans = try SpanTable(traces)
        self.logs = try LogTable(logs)
        self.metrics = try MetricTable(metrics)
    }
}

extension TableDefinition {
    /// Puts named cells in the order of the columns; a name that is missing leaves an empty list.
    package func row(_ cells: [String: Cell]) -> [Cell] { columns.map { cells[$0.name] ?? .list([]) } }
}
