package import Core
package import QueryModel
package import Scheduling

/// Log records and data points as they were sent.
package struct RecordReader: RecordSource {
    private let logs: LogReader
    private let metrics: MetricReader

    package init(logs: LogReader, metrics: MetricReader) {
        self.logs = logs
        self.metrics = metrics
    }

    package func logRecords(
        service: String?, traceID: TraceID?, minimumSeverity: Int32?, contains text: String?,
        in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [LogRecord] {
        try logs.logRecords(
            service: service, traceID: traceID, minimumSeverity: minimumSeverity, contains: text, in: range,
            limit: limit, context: context)
    }

    package func metricPoints(
        name: String?, service: String?, in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [MetricPoint] {
        try metrics.metricPoints(name: name, service: service, in: range, limit: limit, context: context)
    }
}
