internal import Authorization
package import Core
import HTTP
import JSON
internal import Observability
package import QueryModel
internal import Scheduling
package import TraceSearch

/// Jaeger's legacy query API, `/api/…` (rules J-1 to J-33, J-50, J-51).
///
/// The hints `start` and `end` of a single trace and `raw` need nothing but to be readable: a trace is always looked for
/// everywhere, and shown as it was sent. What an answer lacks stands in `errors` beside its data.
package struct JaegerAPI: Sendable {
    private let search: TraceSearch
    private let dependencies: any DependencySource
    private let metrics: JaegerSpanMetrics
    private let archive: (any TraceArchive)?
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - dependencies: where the dependency graph comes from; nil counts it from the spans.
    ///   - statistics: where rates and latencies come from; likewise.
    ///   - archive: where traces are kept, which the search reads as well; nil: nowhere.
    package init(
        search: TraceSearch, dependencies: (any DependencySource)? = nil,
        statistics: (any SpanStatisticsSource)? = nil, archive: (any TraceArchive)? = nil,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.archive = archive
        self.search = search
        self.dependencies = dependencies ?? search
        metrics = JaegerSpanMetrics(source: statistics ?? search, now: now)
        self.now = now
    }

    /// Errors of paths that are unknown have the same envelope.
    static let dialect = Dialect("jaeger") { status, message, _ in
        RequestFailure(status: status, message).legacyResponse
    }

    /// A file of OTLP/JSON may be larger than a form.
    private static let uploadLimit = 64 << 20

    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: ["/api", "/analytics/v1"], access: .needs(.query, .traces))
        add("/api/services", to: &routes, services)
        add("/api/services/{service*}/operations", to: &routes, operationNames)
        add("/api/operations", to: &routes, operations)
        add("/api/traces", to: &routes, traces)
        add("/api/traces/{id}", to: &routes, trace)
        add("/api/dependencies", to: &routes, dependencyGraph)
        routes.add([.post], "/api/transform", bodyLimit: Self.uploadLimit, answering(transform))
        routes.add([.post], "/api/archive/{id}", cancellation: .never, answering(archiveTrace))
        for path in ["/api/deep-dependencies", "/analytics/v1/dependencies"] {
            add(path, to: &routes, deepDependencies)
        }
        add("/api/quality-metrics", to: &routes, qualityMetrics)
        for family in JaegerSpanMetrics.Family.allCases {
            add("/api/metrics/\(family)", to: &routes) { [metrics] request throws(RequestFailure) in
                try metrics.answer(family, request)
            }
        }
        add("/api/metrics/minstep", to: &routes) { _ throws(RequestFailure) in
            JaegerEnvelope.response(total: 0) { $0.int(JaegerSpanMetrics.smallestStep) }
        }
        return routes
    }

    private typealias Answer = @Sendable (APIRequest) throws(RequestFailure) -> HTTPResponse

    private func add(_ path: String, to routes: inout Routes, _ answer: @escaping Answer) {
        routes.add([.get], path, answering(answer))
    }

    private func answering(_ answer: @escaping Answer) -> APIHandler {
        { request in
            do throws(RequestFailure) {
                let response = try answer(request)
                guard request.http.parameter("prettyPrint") == "true" else { return response }
                return .json(JSONIndenter.indented(response.body), status: response.status)
            } catch {
                return error.legacyResponse
            }
        }
    }

    // MARK: Services and operations

    private func services(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        strings(try asking { () throws(QueryError) in try search.services(context: request.context) })
    }

    private func operationNames(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let service = request.pathParameters["service"] ?? ""
        let operations = try asking { () throws(QueryError) in
            try search.operations(of: service, context: request.context)
        }
        var names: [String] = []
        for operation in operations where operation.name != names.last { names.append(operation.name) }
        return strings(names)
    }

    private func operations(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = JaegerParameters(http: request.http)
        let service = try parameters.service()
        let kind = try parameters.spanKind()
        let operations = try asking { () throws(QueryError) in
            try search.operations(of: service, context: request.context)
        }.filter { kind == nil || $0.kind == kind }
        return JaegerEnvelope.response(total: operations.count) { json in
            json.beginArray()
            for operation in operations {
                json.beginObject()
                json.key("name")
                json.string(operation.name)
                json.key("spanKind")
                json.string(SpanKindName.name(of: operation.kind))
                json.endObject()
            }
            json.endArray()
        }
    }

    // MARK: Traces

    private func traces(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let ids = request.http.parameters(named: "traceID")
        if !ids.isEmpty { return try traces(ids, request) }
        let query = try JaegerParameters(http: request.http).searchQuery(now: now())
        let found = try asking { () throws(QueryError) in try search.search(query, context: request.context) }
        return try Self.response(found, request)
    }

    /// The traces of a list; those that are not stored are errors beside the data (J-12).
    private func traces(_ texts: [String], _ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        var ids: [TraceID] = []
        for text in texts { ids.append(try JaegerParameters.traceID(text, parameter: "traceID")) }
        if ids.count > JaegerParameters.largestLimit {
            throw .badRequest("more than \(JaegerParameters.largestLimit) trace ids")
        }
        let found = try asking { () throws(QueryError) in try search.traces(ids, context: request.context) }
        var missing = Set(ids).subtracting(found.map(\.id))
        let inOrder = ids.filter { missing.remove($0) != nil }
        return try Self.response(found, request, missing: inOrder)
    }

    private func trace(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let id = try JaegerParameters.traceID(request.pathParameters["id"] ?? "", parameter: "traceID")
        try JaegerParameters(http: request.http).checkHints()
        return try Self.response([stored(id, request)], request)
    }

    private func stored(_ id: TraceID, _ request: APIRequest) throws(RequestFailure) -> Trace {
        let found = try asking { () throws(QueryError) in try search.trace(id, context: request.context) }
        if let found { return found }
        throw .traceNotFound("trace not found", request)
    }

    /// Keeps a trace when its table drops it (J-50).
    private func archiveTrace(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let id = try JaegerParameters.traceID(request.pathParameters["id"] ?? "", parameter: "traceID")
        // Clients take 501 for "not configured".
        guard let archive else { throw RequestFailure(status: 501, "archiving of traces is not configured") }
        let trace = try stored(id, request)
        do throws(TraceArchiveError) {
            try archive.keep(trace.spans, of: id, context: request.context)
        } catch {
            switch error {
            case .tooLarge(let reason): throw RequestFailure(status: 413, reason)
            case .full(let reason): throw RequestFailure(status: 507, reason)
            case .storage(let reason): throw RequestFailure(status: 500, reason)
            }
        }
        return .json(
            JaegerEnvelope.bytes(total: 0, errors: { _ in }) { json in
                json.beginArray()
                json.endArray()
            })
    }

    /// An uploaded file of OTLP/JSON as Jaeger shows it (J-51).
    private func transform(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let traces: [Trace]
        do {
            traces = try OTLPTraceReader.traces(in: request.http.body)
        } catch {
            throw .badRequest("cannot unmarshal OTLP: \(error)")
        }
        return try Self.response(traces, request)
    }

    private static func response(
        _ traces: [Trace], _ request: APIRequest, missing: [TraceID] = []
    ) throws(RequestFailure) -> HTTPResponse {
        var writer = JaegerTraceWriter(spanCount: traces.reduce(0) { $0 + $1.spans.count })
        var account = JSONAccount(request.context)
        writer.json.beginObject()
        writer.json.key("data")
        writer.json.beginArray()
        for trace in traces {
            writer.trace(trace)
            try asking { () throws(QueryError) in try account.count(writer.json) }
        }
        writer.json.endArray()
        Explanation.write(request, to: &writer.json)
        JaegerEnvelope.finish(&writer.json, total: traces.count, errors: errors(request, missing: missing))
        return .json(writer.json.bytes)
    }

    // MARK: Dependencies

    private func dependencyGraph(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = JaegerParameters(http: request.http)
        // As Jaeger keeps links, by the hour or the day: a range counts with the whole of its first and last hour.
        let range = try parameters.rangeBack(from: now(), lookback: 86_400_000).inWholeHours
        let service = parameters.text("service")
        let graph = try asking { () throws(QueryError) in
            try request.context.admit(range: range)
            return try dependencies.dependencies(in: range, table: .automatic, context: request.context)
        }
        let calls = graph.named().filter { service == nil || $0.parent == service || $0.child == service }
        var json = JSONWriter()
        json.beginObject()
        json.key("data")
        json.beginArray()
        for call in calls {
            json.beginObject()
            json.key("parent")
            json.string(call.parent)
            json.key("child")
            json.string(call.child)
            json.key("callCount")
            json.int(call.calls)
            json.endObject()
        }
        json.endArray()
        Explanation.write(request, tables: graph.tables, to: &json)
        JaegerEnvelope.finish(&json, total: calls.count, errors: Self.errors(request))
        return .json(json.bytes)
    }

    private func deepDependencies(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let wanted = try JaegerDeepDependencies(JaegerParameters(http: request.http), now: now())
        return try asking { () throws(QueryError) in try wanted.answer(search, request) }
    }

    private func qualityMetrics(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let wanted = try JaegerQualityMetrics(JaegerParameters(http: request.http), now: now())
        return try asking { () throws(QueryError) in try wanted.answer(search, request) }
    }

    /// What the answer lacks, and the traces that were asked for and not found (J-12); nil if there is nothing to tell.
    private static func errors(
        _ request: APIRequest, missing: [TraceID] = []
    ) -> ((inout JSONWriter) -> Void)? {
        let warnings = request.context.statistics.warnings
        if warnings.isEmpty, missing.isEmpty { return nil }
        return { json in
            for id in missing {
                json.beginObject()
                json.key("msg")
                json.string("trace not found")
                json.key("traceID")
                json.string(JaegerTraceWriter.text(id))
                json.endObject()
            }
            for warning in warnings {
                json.beginObject()
                json.key("msg")
                json.string(warning)
                json.endObject()
            }
        }
    }

    private func strings(_ texts: [String]) -> HTTPResponse {
        JaegerEnvelope.response(total: texts.count) { json in
            json.beginArray()
            for text in texts { json.string(text) }
            json.endArray()
        }
    }
}
