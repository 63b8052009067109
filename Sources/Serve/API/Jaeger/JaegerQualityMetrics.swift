import Core
import HTTP
import JSON
import QueryModel
import TraceSearch

/// How well a service's spans can be relied on, for the Trace Quality page of Jaeger's UI (rule J-52): of the newest traces of the
/// last hours, which of its spans keep to what a trace should be, with examples of those that do not.
struct JaegerQualityMetrics {
    private struct Metric: Sendable {
        let name: String
        let category: String
        let description: String
        /// Nil: the metric says nothing of such a span.
        let holds: @Sendable (Placed) -> Bool?
    }

    /// A span of the service, and what its trace knows of it.
    private struct Placed {
        let span: TraceSpan
        let parent: TraceSpan?
        let sharesID: Bool
    }

    private struct Count {
        var passed: [(TraceID, SpanID)] = []
        var failed: [(TraceID, SpanID)] = []
        var exempt = 0
    }

    private static let completeness = "completeness"
    private static let consistency = "consistency"

    private static let metrics: [Metric] = [
        Metric(
            name: "Parents are there", category: completeness,
            description: "The span's parent was received, or it has none."
        ) { $0.span.parentSpanID.isZero || $0.parent != nil },
        Metric(
            name: "Kinds are said", category: completeness,
            description: "The span says whether it is a server's, a client's, a producer's, a consumer's or internal."
        ) { (1...5).contains($0.span.kind) },
        Metric(
            name: "Clocks agree", category: consistency, description: "The span does not start before its parent."
        ) { placed in placed.parent.map { $0.start <= placed.span.start } },
        Metric(
            name: "Time goes forward", category: consistency, description: "The span does not end before it starts."
        ) { $0.span.start <= $0.span.end },
        Metric(
            name: "Ids are unique", category: consistency, description: "No other span of the trace has the span's id."
        ) { !$0.sharesID },
    ]

    private static let mostTraces = 100
    private static let examples = 5
    private static let mostHours: Int64 = 24 * 366

    private let query: TraceQuery

    init(_ parameters: JaegerParameters, now: Timestamp) throws(RequestFailure) {
        let hours = try parameters.integer("hours") ?? 1
        guard hours > 0, hours <= Self.mostHours else {
            throw .unparsable("hours", "must be positive and \(Self.mostHours) at most")
        }
        query = TraceQuery(
            service: try parameters.service(),
            range: TimeRange(start: now.advanced(by: -hours * 3_600_000_000_000), end: now.advanced(by: 1)),
            limit: Self.mostTraces)
    }

    func answer(_ search: TraceSearch, _ request: APIRequest) throws(QueryError) -> HTTPResponse {
        let spans = Self.placed(try search.search(query, context: request.context), query.service ?? "")
        var counts = Self.metrics.map { _ in Count() }
        for placed in spans {
            for (index, metric) in Self.metrics.enumerated() {
                let id = (placed.span.traceID, placed.span.spanID)
                switch metric.holds(placed) {
                case true?: counts[index].passed.append(id)
                case false?: counts[index].failed.append(id)
                case nil: counts[index].exempt += 1
                }
            }
        }
        var json = JSONWriter()
        json.beginObject()
        json.key("traceQualityDocumentationLink")
        json.string("")
        json.key("bannerText")
        json.beginObject()
        json.endObject()
        json.key("scores")
        json.beginArray()
        for (key, label) in [(Self.completeness, "Completeness"), (Self.consistency, "Consistency")] {
            Self.writeScore(key, label, counts, to: &json)
        }
        json.endArray()
        json.key("metrics")
        json.beginArray()
        for (metric, count) in zip(Self.metrics, counts) { Self.write(metric, count, to: &json) }
        json.endArray()
        json.key("clients")
        Self.writeClients(spans.map(\.span), to: &json)
        Explanation.writeWarnings(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }

    private static func placed(_ traces: [Trace], _ service: String) -> [Placed] {
        traces.flatMap { trace in
            let byID = Dictionary(grouping: trace.spans, by: \.spanID)
            return trace.spans.filter { $0.serviceName == service }.map { span in
                Placed(
                    span: span, parent: span.parentSpanID.isZero ? nil : byID[span.parentSpanID]?.first,
                    sharesID: (byID[span.spanID]?.count ?? 1) > 1)
            }
        }
    }

    /// The share of all that was judged in the category, in percent; full marks if that is nothing.
    private static func writeScore(_ key: String, _ label: String, _ counts: [Count], to json: inout JSONWriter) {
        let own = zip(metrics, counts).filter { $0.0.category == key }.map(\.1)
        let passed = own.reduce(0) { $0 + $1.passed.count }
        let judged = own.reduce(passed) { $0 + $1.failed.count }
        json.beginObject()
        json.key("key")
        json.string(key)
        json.key("label")
        json.string(label)
        json.key("max")
        json.int(100)
        json.key("value")
        json.int(judged == 0 ? 100 : passed * 100 / judged)
        json.endObject()
    }

    private static func write(_ metric: Metric, _ count: Count, to json: inout JSONWriter) {
        json.beginObject()
        for (key, text) in [
            ("name", metric.name), ("category", metric.category), ("description", metric.description),
            ("metricDocumentationLink", ""),
        ] {
            json.key(key)
            json.string(text)
        }
        json.key("metricWeight")
        json.double(1 / Double(metrics.count { $0.category == metric.category }))
        json.key("passCount")
        json.int(count.passed.count)
        json.key("passExamples")
        writeExamples(count.passed, to: &json)
        json.key("failureCount")
        json.int(count.failed.count)
        json.key("failureExamples")
        writeExamples(count.failed, to: &json)
        json.key("exemptionCount")
        json.int(count.exempt)
        json.endObject()
    }

    private static func writeExamples(_ spans: [(trace: TraceID, span: SpanID)], to json: inout JSONWriter) {
        json.beginArray()
        for example in spans.prefix(examples) {
            json.beginObject()
            json.key("traceID")
            json.string(JaegerTraceWriter.text(example.trace))
            json.key("spanIDs")
            json.beginArray()
            json.string(example.span.hex)
            json.endArray()
            json.endObject()
        }
        json.endArray()
    }

    /// The versions of the SDKs that sent the spans.
    private static func writeClients(_ spans: [TraceSpan], to json: inout JSONWriter) {
        let byVersion = Dictionary(grouping: spans) { span in
            ["telemetry.sdk.language", "telemetry.sdk.version"].compactMap { key in
                span.resource.attributes.first { $0.key == key }?.value.text
            }.joined(separator: " ")
        }
        json.beginArray()
        for (version, spans) in byVersion.sorted(by: { $0.key < $1.key }) where !version.isEmpty {
            json.beginObject()
            json.key("version")
            json.string(version)
            json.key("minVersion")
            json.string("")
            json.key("count")
            json.int(spans.count)
            json.key("examples")
            writeExamples(spans.map { ($0.traceID, $0.spanID) }, to: &json)
            json.endObject()
        }
        json.endArray()
    }
}
