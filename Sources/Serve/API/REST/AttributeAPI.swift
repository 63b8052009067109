internal import Authorization
import Core
import HTTP
import JSON
package import QueryModel
import TraceSearch

/// Names and values of spans' attributes, for those who complete what somebody writes.
///
///     GET /api/v1/traces/attributes?scope=span&service=shop&prefix=http.&start=…&end=…&limit=100
///     GET /api/v1/traces/attributes/{name}/values?scope=span&service=shop&prefix=GE&start=…&end=…&limit=100
///
/// They are what files and memory list of themselves, whose times touch the range. The same paths below `/varve` are the stable
/// ones (U-4).
package struct AttributeAPI: Sendable {
    private let source: any AttributeSource

    package init(source: any AttributeSource) { self.source = source }

    package var routes: Routes {
        var routes = Routes(RecordAPI.dialect, roots: ["/api/v1/traces"], access: .needs(.query, .traces))
        routes.add(read: "/api/v1/traces/attributes", names)
        routes.add(read: "/api/v1/traces/attributes/{name*}/values", values)
        return routes
    }

    static let scopes: [(name: String, scope: AttributeScopes)] = [
        ("span", .span), ("resource", .resource), ("instrumentation", .scope), ("event", .event), ("link", .link),
    ]

    private static func query(_ request: APIRequest) throws(RequestFailure) -> AttributeNamesQuery {
        let parameters = RecordParameters(http: request.http)
        var scopes = AttributeScopes.everywhere
        let names = parameters.texts("scope").flatMap { $0.split(separator: ",").map(String.init) }
        if !names.isEmpty { scopes = [] }
        for name in names {
            guard let scope = self.scopes.first(where: { $0.name == name })?.scope else {
                throw .badRequest(
                    "scope: \"\(name)\" is none of \(self.scopes.map(\.name).joined(separator: ", "))")
            }
            scopes.insert(scope)
        }
        return AttributeNamesQuery(
            scopes: scopes, prefix: parameters.text("prefix") ?? "",
            service: parameters.text("service").map { $0 == TraceSpan.unnamedService ? "" : $0 },
            range: try parameters.range(), limit: try parameters.limit())
    }

    private func names(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = try Self.query(request)
        let found = try asking { () throws(QueryError) in
            try source.attributeNames(query, context: request.context)
        }
        return Self.response(request, "attributes", found) { json, attribute in
            json.key("name")
            json.string(attribute.name)
            json.key("scope")
            json.string(Self.scopes.first { $0.scope == attribute.scope }?.name ?? "")
        }
    }

    private func values(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = AttributeValuesQuery(name: request.pathParameters["name"] ?? "", try Self.query(request))
        let found = try asking { () throws(QueryError) in
            try source.attributeValues(query, context: request.context)
        }
        return Self.response(request, "values", found) { json, value in
            json.key("value")
            json.string(value.text)
            json.key("type")
            json.string(value.type.rawValue)
        }
    }

    private static func response<Element>(
        _ request: APIRequest, _ key: StaticString, _ found: Completions<Element>,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key(key)
        json.beginArray()
        for element in found.found {
            json.beginObject()
            write(&json, element)
            json.endObject()
        }
        json.endArray()
        json.key("complete")
        json.bool(found.isComplete)
        Explanation.writeWarnings(request, to: &json)
        Explanation.write(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }
}
