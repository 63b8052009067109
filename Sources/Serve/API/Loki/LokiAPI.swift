internal import Authorization
package import Core
import HTTP
import JSON
package import LogQL
import QueryModel

/// Loki's query API, `/loki/api/v1/…` (rules L-1 to L-33).
package struct LokiAPI: Sendable {
    let engine: LogQLEngine
    let version: String
    private let now: @Sendable () -> Timestamp

    /// - Parameter version: the version of Loki that clients are told; some look for features by it (rule L-31).
    package init(engine: LogQLEngine, version: String = "3.5.0", now: @escaping @Sendable () -> Timestamp) {
        self.engine = engine
        self.version = version
        self.now = now
    }

    static let dialect = Dialect("loki", busyStatus: 429) { status, message, _ in
        RequestFailure(status: status, message).lokiResponse
    }

    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: ["/loki/api"], access: .needs(.query, .logs))
        add("query", to: &routes, instantQuery)
        add("query_range", to: &routes, rangeQuery)
        add("labels", to: &routes, labelNames)
        add("label", to: &routes, labelNames)
        add("label/{name}/values", to: &routes, labelValues)
        add("series", to: &routes, series)
        add("index/stats", to: &routes, indexStatistics)
        add("index/volume", to: &routes, volume)
        add("index/volume_range", to: &routes, volumeRange)
        add("detected_labels", to: &routes, detectedLabels)
        add("detected_fields", to: &routes, detectedFields)
        add("detected_field/{name}/values", to: &routes, detectedFieldValues)
        add("patterns", to: &routes, patterns)
        add("drilldown-limits", to: &routes, drilldownLimits)
        add("status/buildinfo", to: &routes, buildInformation)
        add("format_query", to: &routes, formatQuery)
        // Rules are YAML here; the empty map says that there are none.
        routes.add([.get], "/loki/api/v1/rules") { _ in
            HTTPResponse(status: 200, headers: [("Content-Type", "application/yaml")], body: Array("{}\n".utf8))
        }
        return routes
    }

    private func add(
        _ path: String, to routes: inout Routes,
        _ answer: @escaping @Sendable (APIRequest) throws(RequestFailure) -> HTTPResponse
    ) {
        routes.add([.get, .post], "/loki/api/v1/" + path) { request in
            do throws(RequestFailure) { return try answer(request) } catch { return error.lokiResponse }
        }
    }

    func parameters(_ request: APIRequest) -> LokiParameters {
        LokiParameters(http: request.http, limits: engine.limits, now: now())
    }

    /// - Throws: that the request asks for too long a time.
    func admit(_ range: TimeRange, _ request: APIRequest) throws(RequestFailure) {
        try askingLoki { () throws(QueryError) in try request.context.admit(range: range) }
    }

    /// `{"status":"success","data":…}`
    static func success<Failure>(
        _ data: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("status")
        json.string("success")
        json.key("data")
        try data(&json)
        json.endObject()
        return .json(json.bytes)
    }

    /// A list, whose text counts against its query's memory.
    static func list<Element>(
        _ elements: [Element], _ request: APIRequest, _ write: (inout JSONWriter, Element) -> Void
    ) throws(RequestFailure) -> HTTPResponse {
        var account = JSONAccount(request.context)
        return try success { (json) throws(RequestFailure) in
            json.beginArray()
            for element in elements {
                write(&json, element)
                try askingLoki { () throws(QueryError) in try account.count(json, atLeast: 1 << 10) }
            }
            json.endArray()
        }
    }
}
