internal import Authorization
package import Core
import HTTP
import JSON
internal import Observability
package import PromQL
package import QueryModel
internal import Scheduling
import Synchronization

/// Prometheus's HTTP API, `/api/v1/…` (rules P-1 to P-34): queries, labels, metadata, exemplars.
package struct PrometheusAPI: Sendable {
    let source: any SeriesSource
    let engine: PromQLEngine
    let options: PromQLEngine.Options
    let facts: ServerFacts
    let now: @Sendable () -> Timestamp

    /// - Parameter cache: of range queries; nil evaluates each anew.
    package init(
        source: any SeriesSource, options: PromQLEngine.Options = PromQLEngine.Options(), cache: RangeCache? = nil,
        facts: ServerFacts,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.source = source
        engine = PromQLEngine(source: source, cache: cache)
        self.options = options
        self.facts = facts
        self.now = now
    }

    /// Errors of paths that are unknown have the same envelope.
    package static let dialect = Dialect("prometheus") { status, message, _ in
        PrometheusFailure.response(PrometheusFailure.Kind(status: status).rawValue, message, status: status)
    }

    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: ["/api/v1"], access: .needs(.query, .metrics))
        add([.get, .post], "query", to: &routes, instantQuery)
        add([.get, .post], "query_range", to: &routes, rangeQuery)
        add([.get, .post], "labels", to: &routes, labelNames)
        add([.get], "label/{name}/values", to: &routes, labelValues)
        add([.get, .post], "series", to: &routes, series)
        add([.get], "metadata", to: &routes, metadata)
        add([.get, .post], "query_exemplars", to: &routes, exemplars)
        add([.get, .post], "format_query", to: &routes, formatQuery)
        add([.get, .post], "parse_query", to: &routes, parseQuery)
        addStatus(to: &routes)
        return routes
    }

    typealias Answer = @Sendable (APIRequest) throws(PrometheusFailure) -> HTTPResponse

    func add(_ methods: [HTTPMethod], _ path: String, to routes: inout Routes, _ answer: @escaping Answer) {
        routes.add(methods, "/api/v1/" + path) { request in
            do throws(PrometheusFailure) {
                return try answer(request)
            } catch {
                return error.response
            }
        }
    }

    func asking<Value>(_ query: () throws(QueryError) -> Value) throws(PrometheusFailure) -> Value {
        do { return try query() } catch { throw PrometheusFailure(error) }
    }

    // MARK: Queries

    private func instantQuery(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        let limit = try parameters.limit()
        let timestamp = try parameters.time("time") ?? now()
        let request = try limited(request)
        let options = try parameters.options(options)
        let clock = QueryClock()
        let query = try parameters.query()
        let prepared = clock.seconds
        let answer = try asking { () throws(QueryError) in
            try engine.instant(query, at: timestamp.milliseconds, options: options, context: request.context)
        }
        let grid = TimeGrid(at: timestamp.milliseconds)
        let statistics = self.statistics(request, answer, grid, prepared: prepared, total: clock.seconds)
        return try asking { () throws(QueryError) in
            try PrometheusResponses.answer(answer, limit: limit, request.context, statistics: statistics)
        }
    }

    private func rangeQuery(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        let limit = try parameters.limit()
        let grid = try parameters.grid()
        let request = try limited(request)
        let options = try parameters.options(options)
        let clock = QueryClock()
        let query = try parameters.query()
        guard query.type == .scalar || query.type == .instantVector else {
            throw .invalid(
                "query",
                "invalid expression type \"\(query.type.rawValue)\" for range query, must be Scalar or instant Vector")
        }
        let prepared = clock.seconds
        let whole = TimeRange(
            start: Timestamp(milliseconds: grid.start), end: Timestamp(milliseconds: grid.end).advanced(by: 1))
        let answer = try asking { () throws(QueryError) in
            try request.context.admit(range: whole)
            return try engine.range(query, over: grid, options: options, context: request.context)
        }
        let statistics = self.statistics(request, answer, grid, prepared: prepared, total: clock.seconds)
        return try asking { () throws(QueryError) in
            try PrometheusResponses.answer(answer, limit: limit, request.context, statistics: statistics)
        }
    }

    private func limited(_ request: APIRequest) throws(PrometheusFailure) -> APIRequest {
        guard let timeout = try PrometheusParameters(http: request.http).duration("timeout") else { return request }
        return request.limited(to: .nanoseconds(timeout))
    }

    /// What the parameter `stats` asks for: any value for totals, `all` for each step too.
    private func statistics(
        _ request: APIRequest, _ answer: QueryAnswer, _ grid: TimeGrid, prepared: Double, total: Double
    ) -> ((inout JSONWriter) -> Void)? {
        guard let wanted = request.http.parameter("stats"), !wanted.isEmpty else { return nil }
        let statistics = answer.statistics
        return { json in
            json.beginObject()
            json.key("timings")
            json.beginObject()
            for (name, seconds) in [
                ("evalTotalTime", total), ("resultSortTime", 0), ("queryPreparationTime", prepared),
                ("innerEvalTime", total - prepared), ("execQueueTime", Self.queueTime(request)),
                ("execTotalTime", total),
            ] {
                json.key(name)
                json.double(seconds)
            }
            json.endObject()
            json.key("samples")
            json.beginObject()
            if wanted == "all" {
                json.key("totalQueryableSamplesPerStep")
                json.beginArray()
                for (step, count) in statistics.queryableSamplesByStep.enumerated() {
                    json.beginArray()
                    json.prometheusTime(milliseconds: grid[step])
                    json.int(count)
                    json.endArray()
                }
                json.endArray()
            }
            json.key("totalQueryableSamples")
            json.int(statistics.queryableSamples)
            json.key("samplesRead")
            json.int(statistics.samplesRead)
            json.key("peakSamples")
            json.int(statistics.peakSamples)
            json.endObject()
            if wanted == "all" {
                json.key("storage")
                Explanation.write(request.context.statistics, to: &json)
            }
            json.endObject()
        }
    }

    private static func queueTime(_ request: APIRequest) -> Double {
        Double(request.context.statistics.queueTime.load(ordering: .relaxed)) / 1e9
    }

    private func formatQuery(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let query = try PrometheusParameters(http: request.http).query()
        return PrometheusResponses.success { $0.string(query.expression.prettyText) }
    }

    private func parseQuery(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let query = try PrometheusParameters(http: request.http).query()
        return PrometheusResponses.success { $0.expression(query.expression) }
    }

    // MARK: Labels

    private func labelNames(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        let limit = try parameters.limit()
        let (selectors, range) = (try parameters.selectors(), try parameters.range())
        return try asking { () throws(QueryError) in
            let names = try source.labelNames(matching: selectors, in: range, context: request.context)
            return try PrometheusResponses.list(names, limit: limit, request.context) { $0.string($1) }
        }
    }

    private func labelValues(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let name = EscapedLabelName.decode(request.pathParameters["name"] ?? "")
        guard !name.isEmpty else { throw .badData("invalid label name: \"\(name)\"") }
        let parameters = PrometheusParameters(http: request.http)
        let limit = try parameters.limit()
        let (selectors, range) = (try parameters.selectors(), try parameters.range())
        return try asking { () throws(QueryError) in
            let values = try source.labelValues(of: name, matching: selectors, in: range, context: request.context)
            return try PrometheusResponses.list(values, limit: limit, request.context) { $0.string($1) }
        }
    }

    private func series(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        guard request.http.parameter("match[]") != nil else { throw .badData("no match[] parameter provided") }
        let limit = try parameters.limit()
        let (selectors, range) = (try parameters.selectors(), try parameters.range())
        return try asking { () throws(QueryError) in
            let sets = try source.labelSets(matching: selectors, in: range, context: request.context)
            return try PrometheusResponses.list(sets.sorted(), limit: limit, request.context) { $0.labels($1) }
        }
    }

    // MARK: Metadata and exemplars

    private func metadata(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        let limit = try parameters.count("limit")
        let limitPerMetric = try parameters.count("limit_per_metric")
        let name = request.http.parameter("metric").flatMap { $0.isEmpty ? nil : $0 }
        let families = try asking { () throws(QueryError) in
            try source.metadata(metric: name, context: request.context)
        }
        return PrometheusResponses.success { json in
            json.beginObject()
            for (family, entries) in families.sorted(by: { $0.key < $1.key }).prefix(limit ?? .max) {
                json.key(family)
                json.beginArray()
                // Zero means all, unlike for the families.
                for entry in entries.prefix(limitPerMetric.flatMap { $0 == 0 ? nil : $0 } ?? .max) {
                    json.beginObject()
                    for (key, value) in [("type", entry.type), ("help", entry.help), ("unit", entry.unit)] {
                        json.key(key)
                        json.string(value)
                    }
                    json.endObject()
                }
                json.endArray()
            }
            json.endObject()
        }
    }

    private func exemplars(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let parameters = PrometheusParameters(http: request.http)
        let range = try parameters.range()
        // Both ends may be clamped to the same timestamp, for clients that send milliseconds for seconds (P-34).
        guard try parameters.time("start") ?? .min <= parameters.time("end") ?? .max else {
            throw .invalid("end", "end timestamp must not be before start timestamp")
        }
        let selectors = try parameters.query().selectors
        var found: [(labels: Labels, exemplars: [SeriesExemplar])] = []
        // A union of no selectors would be everything.
        if !selectors.isEmpty {
            found = try asking { () throws(QueryError) in
                try request.context.admit(range: range)
                return try source.exemplars(matching: selectors, in: range, context: request.context)
            }
        }
        let series = found.filter { !$0.exemplars.isEmpty }.sorted { $0.labels < $1.labels }
        return try asking { () throws(QueryError) in
            try PrometheusResponses.list(series, request.context) { json, series in
                json.beginObject()
                json.key("seriesLabels")
                json.labels(series.labels)
                json.key("exemplars")
                json.beginArray()
                for exemplar in series.exemplars {
                    json.beginObject()
                    json.key("labels")
                    json.labels(exemplar.labels)
                    json.key("value")
                    json.prometheusValue(exemplar.value)
                    json.key("timestamp")
                    json.prometheusTime(milliseconds: exemplar.timestamp)
                    json.endObject()
                }
                json.endArray()
                json.endObject()
            }
        }
    }
}

/// The time since a query began, in seconds.
private struct QueryClock {
    private let start = ContinuousClock.now

    var seconds: Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
