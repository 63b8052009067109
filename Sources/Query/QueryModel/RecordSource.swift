package import Core
package import Scheduling

/// A log record with all that OTLP says of it.
package struct LogRecord: Sendable {
    package var time = Timestamp(nanoseconds: 0)
    package var observedTime = Timestamp(nanoseconds: 0)
    package var severityNumber: Int32 = 0
    package var severityText = ""
    package var body: AttributeValue = .empty
    package var attributes: [Attribute] = []
    package var droppedAttributesCount: UInt32 = 0
    package var flags: UInt32 = 0
    package var traceID = TraceID(high: 0, low: 0)
    package var spanID = SpanID(word: 0)
    package var eventName = ""
    package var resource: TelemetryResource
    package var scope: TelemetryScope

    package init(resource: TelemetryResource, scope: TelemetryScope) {
        self.resource = resource
        self.scope = scope
    }
}

/// OTLP's kinds of metric.
package enum MetricKind: UInt8, Sendable {
    case gauge = 1, sum, histogram, exponentialHistogram, summary
}

/// One data point with all that OTLP says of it and of its metric.
package struct MetricPoint: Sendable {
    package enum Value: Sendable {
        case none
        case int(Int64)
        case double(Double)
        case histogram(
            count: UInt64, sum: Double?, min: Double?, max: Double?, bounds: [Double],
            counts: [UInt64])
        case exponentialHistogram(
            count: UInt64, sum: Double?, min: Double?, max: Double?, scale: Int32,
            zeroCount: UInt64, zeroThreshold: Double, positiveOffset: Int32, positive: [UInt64],
            negativeOffset: Int32, negative: [UInt64])
        case summary(count: UInt64, sum: Double, quantiles: [(quantile: Double, value: Double)])
    }

    package struct Exemplar: Sendable {
        package var time: Timestamp
        package var value: Value
        package var traceID: TraceID
        package var spanID: SpanID
        package var attributes: [Attribute]

        package init(
            time: Timestamp, value: Value, traceID: TraceID, spanID: SpanID,
            attributes: [Attribute]
        ) {
            self.time = time
            self.value = value
            self.traceID = traceID
            self.spanID = spanID
            self.attributes = attributes
        }
    }

    package var name = ""
    package var description = ""
    package var unit = ""
    package var metadata: [Attribute] = []
    package var kind = MetricKind.gauge
    /// OTLP's `AggregationTemporality`: 0 unspecified, 1 delta, 2 cumulative.
    package var temporality: Int32 = 0
    package var isMonotonic = false
    package var attributes: [Attribute] = []
    package var startTime = Timestamp(nanoseconds: 0)
    package var time = Timestamp(nanoseconds: 0)
    package var value = Value.none
    package var flags: UInt32 = 0
    package var exemplars: [Exemplar] = []
    package var resource: TelemetryResource
    package var scope: TelemetryScope

    package init(resource: TelemetryResource, scope: TelemetryScope) {
        self.resource = resource
        self.scope = scope
    }
}

/// Where the plain REST API reads: records as they were sent.
package protocol RecordSource: Sendable {
    /// Newest first, at most `limit`. `service` nil means any.
    func logRecords(
        service: String?, traceID: TraceID?, minimumSeverity: Int32?, contains text: String?,
        in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [LogRecord]

    /// Points of metrics whose OTLP name is `name` (nil: any), newest first, at most `limit`.
    func metricPoints(
        name: String?, service: String?, in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [MetricPoint]
}
