package import Core
package import Scheduling

/// A resource: who produced telemetry.
package final class TelemetryResource: Sendable {
    package let serviceName: String?
    package let attributes: [Attribute]
    package let droppedAttributesCount: UInt32
    package let schemaURL: String
    package let entities: [EntityReference]

    package init(
        serviceName: String?, attributes: [Attribute], droppedAttributesCount: UInt32,
        schemaURL: String, entities: [EntityReference] = []
    ) {
        self.entities = entities
        self.serviceName = serviceName
        self.attributes = attributes
        self.droppedAttributesCount = droppedAttributesCount
        self.schemaURL = schemaURL
    }
}

/// An instrumentation scope: which code produced telemetry.
package final class TelemetryScope: Sendable {
    package let name: String
    package let version: String
    package let attributes: [Attribute]
    package let droppedAttributesCount: UInt32
    package let schemaURL: String

    package init(
        name: String, version: String, attributes: [Attribute], droppedAttributesCount: UInt32,
        schemaURL: String
    ) {
        self.name = name
        self.version = version
        self.attributes = attributes
        self.droppedAttributesCount = droppedAttributesCount
        self.schemaURL = schemaURL
    }
}

/// A span with all that OTLP says of it. (`Span` is Swift's memory view.)
package struct TraceSpan: Sendable {
    package struct Event: Sendable {
        package var time: Timestamp
        package var name: String
        package var attributes: [Attribute]
        package var droppedAttributesCount: UInt32

        package init(
            time: Timestamp, name: String, attributes: [Attribute], droppedAttributesCount: UInt32
        ) {
            self.time = time
            self.name = name
            self.attributes = attributes
            self.droppedAttributesCount = droppedAttributesCount
        }
    }

    package struct Link: Sendable {
        package var traceID: TraceID
        package var spanID: SpanID
        package var traceState: String
        package var attributes: [Attribute]
        package var droppedAttributesCount: UInt32
        package var flags: UInt32

        package init(
            traceID: TraceID, spanID: SpanID, traceState: String, attributes: [Attribute],
            droppedAttributesCount: UInt32, flags: UInt32
        ) {
            self.traceID = traceID
            self.spanID = spanID
            self.traceState = traceState
            self.attributes = attributes
            self.droppedAttributesCount = droppedAttributesCount
            self.flags = flags
        }
    }

    package var traceID = TraceID(high: 0, low: 0)
    package var spanID = SpanID(word: 0)
    /// Zero for a root.
    package var parentSpanID = SpanID(word: 0)
    package var traceState = ""
    package var name = ""
    /// OTLP's `SpanKind`: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    package var kind: Int32 = 0
    package var start = Timestamp(nanoseconds: 0)
    /// May lie before `start`.
    package var end = Timestamp(nanoseconds: 0)
    package var attributes: [Attribute] = []
    package var droppedAttributesCount: UInt32 = 0
    package var events: [Event] = []
    package var droppedEventsCount: UInt32 = 0
    package var links: [Link] = []
    package var droppedLinksCount: UInt32 = 0
    /// OTLP's `StatusCode`: 0 unset, 1 ok, 2 error.
    package var statusCode: Int32 = 0
    package var statusMessage = ""
    package var flags: UInt32 = 0
    package var resource: TelemetryResource
    package var scope: TelemetryScope

    package init(resource: TelemetryResource, scope: TelemetryScope) {
        self.resource = resource
        self.scope = scope
    }
}

extension TraceSpan {
    /// The name by which Jaeger calls the service of a resource that names none.
    package static let unnamedService = "OTLPResourceNoServiceName"

    package var serviceName: String {
        if let name = resource.serviceName, !name.isEmpty { name } else { Self.unnamedService }
    }

    /// Nanoseconds from start to end; zero for a span that ends before it starts (rule J-18).
    package var duration: Int64 {
        let (difference, overflow) = end.nanoseconds.subtractingReportingOverflow(start.nanoseconds)
        if overflow { return end > start ? .max : 0 }
        return max(0, difference)
    }
}

/// Which traces a search wants: spans of the trace meet `condition`, each of them together with all else (rule J-8).
package struct TraceQuery: Sendable {
    package var service: String?
    package var operation: String?
    package var kind: Int32?
    /// Compared in textual form, by the rules of J-9.
    package var tags: [(key: String, value: String)]
    /// Nanoseconds, inclusive.
    package var minDuration: Int64?
    package var maxDuration: Int64?
    /// The span's start lies in it.
    package var range: TimeRange
    package var limit: Int
    package var condition: TraceCondition
    package var order: TraceOrder

    package init(
        service: String? = nil, operation: String? = nil, kind: Int32? = nil,
        tags: [(key: String, value: String)] = [], minDuration: Int64? = nil,
        maxDuration: Int64? = nil, range: TimeRange, limit: Int, condition: TraceCondition = .span(.always),
        order: TraceOrder = .newest
    ) {
        self.service = service
        self.operation = operation
        self.kind = kind
        self.tags = tags
        self.minDuration = minDuration
        self.maxDuration = maxDuration
        self.range = range
        self.limit = limit
        self.condition = condition
        self.order = order
    }

    /// What a span meets that can make a difference.
    package var anyLeaf: SpanCondition {
        let leaves = condition.leaves
        return leaves.count == 1 ? leaves[0] : .any(leaves)
    }
}

package enum TraceOrder: Hashable, Sendable {
    /// By earliest start, equal ones by trace id (rule J-10).
    case newest
    /// By the longest span that meets the query, or one of its conditions; equal ones by that span's start, the newest first, and
    /// by trace id.
    case longest
}

/// That a trace has a span that a search wants.
package struct SpanMatch: Sendable {
    package var traceID: TraceID
    /// Of the span.
    package var start: Timestamp
    /// Of the span, in nanoseconds; only of a search whose order needs it.
    package var duration: Int64
    /// Bit `i` says whether it meets leaf `i` of the query's condition; one is met.
    package var met: UInt64

    package init(traceID: TraceID, start: Timestamp, duration: Int64 = 0, met: UInt64 = 1) {
        self.traceID = traceID
        self.start = start
        self.duration = duration
        self.met = met
    }
}

/// What a list of traces needs to know of a span.
package struct SpanOutline: Hashable, Sendable {
    package var spanID: SpanID
    /// Zero for a root.
    package var parentSpanID: SpanID
    /// Empty if its resource names none.
    package var serviceName: String
    package var name: String
    package var start: Timestamp
    /// May lie before `start`.
    package var end: Timestamp
    package var statusCode: Int32

    package init(
        spanID: SpanID, parentSpanID: SpanID, serviceName: String, name: String, start: Timestamp, end: Timestamp,
        statusCode: Int32
    ) {
        self.spanID = spanID
        self.parentSpanID = parentSpanID
        self.serviceName = serviceName
        self.name = name
        self.start = start
        self.end = end
        self.statusCode = statusCode
    }

    package init(_ span: TraceSpan) {
        self.init(
            spanID: span.spanID, parentSpanID: span.parentSpanID, serviceName: span.resource.serviceName ?? "",
            name: span.name, start: span.start, end: span.end, statusCode: span.statusCode)
    }
}

/// Where trace searches read.
package protocol TraceSource: Sendable {
    /// Every span of each trace, complete and not cut by any time range; a trace that is not stored is an empty array.
    func spans(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [[TraceSpan]]

    /// The earliest start of each trace's spans, wherever they are; nil for a trace that is not stored.
    func starts(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [Timestamp?]

    /// As `spans(of:)`, but only what a list of traces shows.
    func outlines(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [[SpanOutline]]

    /// Hands over the spans that start in `query.range` newest first, in batches, after dropping those that the source can
    /// tell from its columns not to match. It may hand over too many: the search checks every span against the whole query.
    ///
    /// - Parameter visit: answers whether to go on.
    func scan(
        _ query: TraceQuery, context: QueryContext,
        visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError)

    /// As `scan`, but hands over only which trace each span belongs to and which conditions it meets, and no span that does not
    /// match: for queries of which the source's columns can tell everything.
    ///
    /// - Returns: whether this is such a query; if not, nothing was handed over.
    func scanMatches(
        _ query: TraceQuery, context: QueryContext,
        visit: ([SpanMatch]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool

    /// Sorted and unique, over the whole retention.
    func services(context: QueryContext) throws(QueryError) -> [String]

    /// Span names and kinds of a service, sorted and unique; unknown service: empty.
    func operations(
        of service: String, context: QueryContext
    ) throws(QueryError) -> [(name: String, kind: Int32)]
}

extension TraceSource {
    package func starts(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [Timestamp?] {
        try spans(of: traces, context: context).map { $0.map(\.start).min() }
    }

    package func outlines(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [[SpanOutline]] {
        try spans(of: traces, context: context).map { $0.map { SpanOutline($0) } }
    }

    package func scanMatches(
        _ query: TraceQuery, context: QueryContext,
        visit: ([SpanMatch]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool { false }
}
