import HTTP
import JSON
import LogQL
import QueryModel

/// What exploring clients ask about a server and its logs (rules L-27 to L-31).
extension LokiAPI {
    private static let mostSampledLines = 5_000

    func detectedFields(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let limit = try fieldLimit(request)
        let fields = try fields(request).prefix(limit)
        var json = JSONWriter()
        json.beginObject()
        json.key("fields")
        json.beginArray()
        for field in fields { Self.write(field, to: &json) }
        json.endArray()
        json.key("limit")
        json.int(limit)
        json.endObject()
        return .json(json.bytes)
    }

    func detectedFieldValues(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let name = request.pathParameters["name"] ?? ""
        let limit = try fieldLimit(request)
        let field = try fields(request).first { $0.label == name }
        var json = JSONWriter()
        json.beginObject()
        json.key("values")
        json.beginArray()
        for value in (field?.values ?? []).prefix(limit) { json.string(value) }
        json.endArray()
        json.key("limit")
        json.int(limit)
        json.endObject()
        return .json(json.bytes)
    }

    /// `field_limit` is the parameter's older name.
    private func fieldLimit(_ request: APIRequest) throws(RequestFailure) -> Int {
        let parameters = parameters(request)
        return try parameters.limit(parameters.text("limit") == nil ? "field_limit" : "limit", default: 1_000)
    }

    private func fields(_ request: APIRequest) throws(RequestFailure) -> [DetectedField] {
        let parameters = parameters(request)
        let text = parameters.query.isEmpty ? "{}" : parameters.query
        let selector = try reading { () throws(LogQLError) in
            try LogQLParser.logSelector(text, allowsEverything: true)
        }
        let lines = min(try parameters.limit("line_limit"), Self.mostSampledLines)
        let range = try parameters.range()
        try admit(range, request)
        return try askingLoki { () throws(QueryError) in
            try engine.detectedFields(selector, in: range, lineLimit: lines, context: request.context)
        }
    }

    private static func write(_ field: DetectedField, to json: inout JSONWriter) {
        json.beginObject()
        json.key("label")
        json.string(field.label)
        json.key("type")
        json.string(field.kind.rawValue)
        json.key("cardinality")
        json.int(field.values.count)
        json.key("parsers")
        if field.parsers.isEmpty {
            json.null()
        } else {
            json.beginArray()
            for parser in field.parsers { json.string(parser.rawValue) }
            json.endArray()
        }
        if !field.jsonPath.isEmpty {
            json.key("jsonPath")
            json.beginArray()
            for name in field.jsonPath { json.string(name) }
            json.endArray()
        }
        json.endObject()
    }

    // MARK: The server

    /// No patterns are mined; the query is still checked.
    func patterns(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        _ = try reading { () throws(LogQLError) in
            try LogQLParser.logSelector(parameters.query, allowsEverything: true)
        }
        return Self.success { json in
            json.beginArray()
            json.endArray()
        }
    }

    /// `volume_enabled` opens the start page of Logs Drilldown, `pattern_ingester_enabled` would open its patterns.
    func drilldownLimits(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("limits")
        json.beginObject()
        Self.write(flags: ["discover_log_levels", "volume_enabled"], true, to: &json)
        Self.write(
            flags: ["max_line_size_truncate", "metric_aggregation_enabled", "pattern_persistence_enabled"], false,
            to: &json)
        json.key("discover_service_name")
        Self.write(LogModelNames.serviceLabels, to: &json)
        json.key("log_level_fields")
        Self.write(LogModelNames.levelFields, to: &json)
        json.key("max_entries_limit_per_query")
        json.int(engine.limits.entries)
        json.key("max_query_series")
        json.int(engine.limits.series)
        json.key("volume_max_series")
        json.int(1_000)
        let texts: [(StaticString, String)] = [
            ("max_query_bytes_read", "0B"), ("max_query_length", "0s"), ("max_query_lookback", "0s"),
            ("max_query_range", "0s"), ("query_timeout", "2m"), ("retention_period", "0s"),
        ]
        for (key, text) in texts {
            json.key(key)
            json.string(text)
        }
        json.key("otlp_config")
        json.beginObject()
        json.endObject()
        json.endObject()
        json.key("pattern_ingester_enabled")
        json.bool(false)
        json.key("version")
        json.string(version)
        json.endObject()
        return .json(json.bytes)
    }

    private static func write(flags: [StaticString], _ value: Bool, to json: inout JSONWriter) {
        for flag in flags {
            json.key(flag)
            json.bool(value)
        }
    }

    private static func write(_ texts: [String], to json: inout JSONWriter) {
        json.beginArray()
        for text in texts { json.string(text) }
        json.endArray()
    }

    func buildInformation(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        let texts: [(StaticString, String)] = [
            ("version", version), ("revision", "varve"), ("branch", "main"), ("buildUser", ""), ("buildDate", ""),
            ("goVersion", ""),
        ]
        for (key, text) in texts {
            json.key(key)
            json.string(text)
        }
        json.endObject()
        return .json(json.bytes)
    }
}

/// Where a service's name and a line's level are looked for when logs come in (rules M-3, M-6).
private enum LogModelNames {
    static let serviceLabels = [
        "service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name",
        "k8s_container_name", "component", "workload", "job", "k8s_job_name",
    ]
    static let levelFields = [
        "level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText", "lvl", "LVL", "Lvl",
        "severity_text", "Severity_Text", "SEVERITY_TEXT",
    ]
}
