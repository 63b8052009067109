import Core
import HTTP
import JSON
internal import Observability
import QueryModel
internal import Scheduling
import TraceSearch

/// The paths of calls through a service, which the UI's deep dependency graph draws:
/// `{"dependencies":[{"path":[{"service":"a","operation":"GET /"},…],"attributes":[{"key":"exemplar_trace_id","value":"…"}]}]}`.
///
/// A path leads from a trace's first span to one that calls nobody. It names the spans by which services are entered: those
/// without a parent, whose parent is of another service, of kind server or consumer, and those of the operation asked for. Only
/// paths through the service, or that operation of it, are answered, as the UI wants it; from the newest traces that have it.
struct JaegerDeepDependencies {
    private struct Step: Hashable {
        let service: String
        let operation: String
    }

    private let service: String
    private let operation: String?
    private let range: TimeRange
    private let limit: Int

    private static let exemplars = 5
    /// Longer chains of calls are cut off at their beginning.
    private static let longestPath = 128
    /// More are not drawn.
    private static let mostPaths = 5_000

    init(_ parameters: JaegerParameters, now: Timestamp) throws(RequestFailure) {
        let query = try parameters.searchQuery(now: now)
        service = try parameters.service()
        operation = query.operation
        limit = query.limit
        // The UI sends zeros for "no bound".
        let isOpen = try parameters.integer("end") == 0
        range = isOpen ? parameters.defaultRange(now: now) : query.range
    }

    func answer(_ search: TraceSearch, _ request: APIRequest) throws(QueryError) -> HTTPResponse {
        let context = request.context
        let query = TraceQuery(service: service, operation: operation, range: range, limit: limit)
        var tracesByPath: [[Step]: [TraceID]] = [:]
        for trace in try search.search(query, context: context) {
            try context.proceed()
            for path in paths(of: trace) {
                guard tracesByPath[path] != nil || tracesByPath.count < Self.mostPaths else {
                    context.statistics.warn("there are more than \(Self.mostPaths) paths; some are left out")
                    continue
                }
                if tracesByPath[path, default: []].count < Self.exemplars {
                    tracesByPath[path, default: []].append(trace.id)
                }
            }
        }
        var json = JSONWriter()
        json.beginObject()
        json.key("dependencies")
        json.beginArray()
        for (path, traces) in tracesByPath.sorted(by: { Self.isBefore($0.key, $1.key) }) {
            write(path, traces, to: &json)
        }
        json.endArray()
        Explanation.writeWarnings(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }

    private static func isBefore(_ left: [Step], _ right: [Step]) -> Bool {
        left.lexicographicallyPrecedes(right) { ($0.service, $0.operation) < ($1.service, $1.operation) }
    }

    private func write(_ path: [Step], _ traces: [TraceID], to json: inout JSONWriter) {
        json.beginObject()
        json.key("path")
        json.beginArray()
        for step in path {
            json.beginObject()
            json.key("service")
            json.string(step.service)
            json.key("operation")
            json.string(step.operation)
            json.endObject()
        }
        json.endArray()
        json.key("attributes")
        json.beginArray()
        for trace in traces {
            json.beginObject()
            json.key("key")
            json.string("exemplar_trace_id")
            json.key("value")
            json.string(JaegerTraceWriter.text(trace))
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private func paths(of trace: Trace) -> Set<[Step]> {
        var indexByID: [SpanID: Int] = [:]
        for (index, span) in trace.spans.enumerated() where indexByID[span.spanID] == nil {
            indexByID[span.spanID] = index
        }
        let parents = trace.spans.map { $0.parentSpanID.isZero ? nil : indexByID[$0.parentSpanID] }
        let callers = Set(parents.compactMap { $0 })
        var paths: Set<[Step]> = []
        for leaf in trace.spans.indices where !callers.contains(leaf) {
            var path: [Step] = []
            var seen: Set<Int> = []
            var next: Int? = leaf
            while let index = next, path.count < Self.longestPath, seen.insert(index).inserted {
                let span = trace.spans[index]
                let parent = parents[index].map { trace.spans[$0] }
                if isEntry(span, parent) { path.append(Step(service: span.serviceName, operation: span.name)) }
                next = parents[index]
            }
            if path.contains(where: isWanted) { paths.insert(path.reversed()) }
        }
        return paths
    }

    private func isEntry(_ span: TraceSpan, _ parent: TraceSpan?) -> Bool {
        guard let parent, parent.serviceName == span.serviceName else { return true }
        return span.kind == 2 || span.kind == 5 || (span.serviceName == service && span.name == operation)
    }

    private func isWanted(_ step: Step) -> Bool {
        step.service == service && (operation == nil || step.operation == operation)
    }
}
