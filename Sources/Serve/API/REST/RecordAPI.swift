internal import Authorization
import Core
import HTTP
import JSON
package import QueryModel
package import TraceSearch

/// Varve's own read API: what was sent, found by plain parameters and shown as OTLP/JSON.
///
///     GET /api/v1/traces?trace_id=…&trace_id=…
///     GET /api/v1/traces?service=shop&operation=GET /&tags={"error":"true"}&minDuration=100ms&start=…&end=…&limit=20
///     GET /api/v1/traces/{id}
///     GET /api/v1/logs?service=shop&severity=WARN&contains=timeout&trace_id=…
///     GET /api/v1/metrics?name=http.server.duration&service=shop
///
/// Answers are a `TracesData`, `LogsData` or `MetricsData`: `{"resourceSpans":[…]}` and so on, so that they can be sent to any
/// OTLP receiver again. Inside one scope the newest come first. The same paths below `/varve` are the stable ones (U-4).
package struct RecordAPI: Sendable {
    private let search: TraceSearch
    private let records: any RecordSource

    package init(search: TraceSearch, records: any RecordSource) {
        self.search = search
        self.records = records
    }

    static let dialect = Dialect("rest") { status, message, _ in RequestFailure(status: status, message).restResponse }

    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: ["/api/v1/traces", "/api/v1/logs", "/api/v1/metrics"])
        routes.add([.get], "/api/v1/openapi.json", isQuery: false) { _ in .json(PackageResources.openapi_json) }
        routes.add(read: "/api/v1/traces", of: .traces, traces)
        routes.add(read: "/api/v1/traces/{id}", of: .traces, trace)
        routes.add(read: "/api/v1/logs", of: .logs, logs)
        routes.add(read: "/api/v1/metrics", of: .metrics, metrics)
        return routes
    }

    private func traces(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = RecordParameters(http: request.http)
        let ids = try parameters.traceIDs()
        let query = try parameters.traceQuery()
        let found = try asking { () throws(QueryError) in
            // A list of ids names what is wanted; other conditions do not matter then.
            try ids.isEmpty
                ? search.search(query, context: request.context) : search.traces(ids, context: request.context)
        }
        return try Self.response(request, "resourceSpans") { (writer) throws(QueryError) in
            try writer.resourceSpans(found.flatMap(\.spans))
        }
    }

    private func trace(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let text = request.pathParameters["id"] ?? ""
        guard let id = TraceID(hex: text) else {
            throw .badRequest("\"\(text)\" is not a trace id of 1 to 32 hexadecimal digits")
        }
        let found = try asking { () throws(QueryError) in try search.trace(id, context: request.context) }
        guard let found else { throw .traceNotFound("trace \(id.hex) not found", request) }
        return try Self.response(request, "resourceSpans") { (writer) throws(QueryError) in
            try writer.resourceSpans(found.spans)
        }
    }

    private func logs(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = RecordParameters(http: request.http)
        let traceID = try parameters.traceID()
        let severity = try parameters.severity()
        let range = try parameters.range()
        let limit = try parameters.limit()
        let found = try asking { () throws(QueryError) in
            try request.context.admit(range: range)
            return try records.logRecords(
                service: parameters.text("service"), traceID: traceID, minimumSeverity: severity,
                contains: parameters.text("contains"), in: range, limit: limit, context: request.context)
        }
        return try Self.response(request, "resourceLogs") { (writer) throws(QueryError) in
            try writer.resourceLogs(found)
        }
    }

    private func metrics(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = RecordParameters(http: request.http)
        let range = try parameters.range()
        let limit = try parameters.limit()
        let found = try asking { () throws(QueryError) in
            try request.context.admit(range: range)
            return try records.metricPoints(
                name: parameters.text("name"), service: parameters.text("service"), in: range, limit: limit,
                context: request.context)
        }
        return try Self.response(request, "resourceMetrics") { (writer) throws(QueryError) in
            try writer.resourceMetrics(found)
        }
    }

    private static func response(
        _ request: APIRequest, _ key: StaticString, _ write: (inout OTLPJSONWriter) throws(QueryError) -> Void
    ) throws(RequestFailure) -> HTTPResponse {
        var writer = OTLPJSONWriter(counting: request.context)
        writer.json.beginObject()
        writer.json.key(key)
        try asking { () throws(QueryError) in try write(&writer) }
        Explanation.writeWarnings(request, to: &writer.json)
        Explanation.write(request, to: &writer.json)
        writer.json.endObject()
        return .json(writer.json.bytes)
    }
}

extension RequestFailure {
    /// `{"error":{"code":400,"message":"…"}}`
    var restResponse: HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.key("code")
        json.int(status)
        json.key("message")
        json.string(message)
        json.endObject()
        json.endObject()
        return .json(json.bytes, status: status).retrying(after: retryAfter)
    }
}

extension Routes {
    /// A question of the plain read API, whose failures are answered in its dialect.
    mutating func add(
        read path: String, of signals: Grant.Signals? = nil,
        _ answer: @escaping @Sendable (APIRequest) throws(RequestFailure) -> HTTPResponse
    ) {
        add([.get], path, access: signals.map { .needs(.query, $0) }) { request in
            do throws(RequestFailure) { return try answer(request) } catch { return error.restResponse }
        }
    }
}
