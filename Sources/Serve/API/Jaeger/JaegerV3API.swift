internal import Authorization
internal import Core
import HTTP
import JSON
import QueryModel
package import TraceSearch

/// Jaeger's v3 query API over HTTP, `/api/v3/…` (rules J-40 to J-44).
package struct JaegerV3API: Sendable {
    private let search: TraceSearch

    package init(search: TraceSearch) { self.search = search }

    static let dialect = Dialect("jaeger v3") { status, message, _ in RequestFailure(status: status, message).v3Response
    }

    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: ["/api/v3"], access: .needs(.query, .traces))
        add("/api/v3/services", to: &routes, services)
        add("/api/v3/operations", to: &routes, operations)
        add("/api/v3/traces", to: &routes, traces)
        add("/api/v3/traces/{id}", to: &routes, trace)
        add("/api/v3/trace-summaries", to: &routes, summaries)
        return routes
    }

    private func add(
        _ path: String, to routes: inout Routes,
        _ answer: @escaping @Sendable (APIRequest) throws(RequestFailure) -> HTTPResponse
    ) {
        routes.add([.get], path) { request in
            do throws(RequestFailure) { return try answer(request) } catch { return error.v3Response }
        }
    }

    private func services(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let services = try asking { () throws(QueryError) in try search.services(context: request.context) }
        var json = JSONWriter()
        json.beginObject()
        json.key("services")
        json.beginArray()
        for service in services { json.string(service) }
        json.endArray()
        json.endObject()
        return .json(json.bytes)
    }

    private func operations(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = JaegerV3Parameters(http: request.http)
        guard let service = parameters.text("service") else {
            throw .malformed("service", "parameter is required")
        }
        let kind = try parameters.spanKind("spanKind", "span_kind")
        let operations = try asking { () throws(QueryError) in
            try search.operations(of: service, context: request.context)
        }.filter { kind == nil || $0.kind == kind }
        var json = JSONWriter()
        json.beginObject()
        json.key("operations")
        json.beginArray()
        for operation in operations {
            json.beginObject()
            json.key("name")
            json.string(operation.name)
            json.key("spanKind")
            let name = SpanKindName.name(of: operation.kind)
            json.string(name.isEmpty ? "internal" : name)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return .json(json.bytes)
    }

    private func trace(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let text = request.pathParameters["id"] ?? ""
        guard let id = JaegerParameters.traceID(text) else {
            throw .malformed("trace_id", "\"\(text)\" is not a trace id")
        }
        try JaegerV3Parameters(http: request.http).checkHints()
        let found = try asking { () throws(QueryError) in try search.trace(id, context: request.context) }
        guard let found else { throw .traceNotFound("No traces found", request) }
        return try Self.response([found], request)
    }

    private func traces(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = try JaegerV3Parameters(http: request.http).searchQuery()
        return try Self.response(
            asking { () throws(QueryError) in try search.search(query, context: request.context) }, request)
    }

    private static func response(_ traces: [Trace], _ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        var writer = OTLPJSONWriter(counting: request.context)
        writer.json.beginObject()
        writer.json.key("result")
        writer.json.beginObject()
        writer.json.key("resourceSpans")
        try asking { () throws(QueryError) in try writer.resourceSpans(traces.flatMap(\.spans)) }
        writer.json.endObject()
        Explanation.writeWarnings(request, to: &writer.json)
        Explanation.write(request, to: &writer.json)
        writer.json.endObject()
        return .json(writer.json.bytes)
    }

    private func summaries(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = try JaegerV3Parameters(http: request.http).searchQuery()
        let found = try asking { () throws(QueryError) in try search.summaries(query, context: request.context) }
        var json = JSONWriter()
        json.beginObject()
        json.key("summaries")
        json.beginArray()
        for trace in found { trace.write(to: &json) }
        json.endArray()
        Explanation.writeWarnings(request, to: &json)
        Explanation.write(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }
}

extension TraceSummary {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.key("traceId")
        json.string(id.hex)
        json.key("rootServiceName")
        json.string(rootServiceName)
        json.key("rootOperationName")
        json.string(rootOperationName)
        json.key("minStartTimeUnixNano")
        json.quoted(max(0, start.nanoseconds))
        json.key("maxEndTimeUnixNano")
        json.quoted(max(0, end.nanoseconds))
        Self.counts(spanCount, errorSpanCount, &json)
        json.key("orphanSpanCount")
        json.int(orphanSpanCount)
        json.key("services")
        json.beginArray()
        for service in services {
            json.beginObject()
            json.key("name")
            json.string(service.name)
            Self.counts(service.spanCount, service.errorSpanCount, &json)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private static func counts(_ spans: Int, _ errors: Int, _ json: inout JSONWriter) {
        json.key("spanCount")
        json.int(spans)
        json.key("errorSpanCount")
        json.int(errors)
    }
}
