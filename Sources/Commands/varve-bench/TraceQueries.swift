import Foundation

/// The questions that are asked of a corpus of traces.
///
/// In the demo shop's corpora `search` is the frontend's slow product lists and `http_500` its failed requests, so that figures can
/// be compared with those of other stores. In others it is the first service's first operation.
struct TraceQueries {
    typealias Query = QueryMix.Query
    private typealias Parameters = [(String, String)]

    private let service: String
    private let operation: String?
    private let ids: [String]
    /// An attribute that few spans have with that value, and a service whose span has it.
    private let rareTag: (key: String, value: String, service: String)?

    init(
        _ corpus: CorpusDirectory, _ window: QueryWindow, _ connection: inout HTTPConnection
    ) throws(BenchError) {
        let services = try QueryMix.strings("/api/services", &connection)
        guard let service = services.first(where: { $0 == "frontend" }) ?? services.first else {
            throw .server("the server knows no service: is the corpus loaded?")
        }
        self.service = service
        let operations = try QueryMix.strings(Self.operations(of: service), &connection)
        operation = operations.first { $0 == "GET /api/products" } ?? operations.first
        var ids = corpus.sampleTraces
        if ids.isEmpty {
            ids = try Self.traces(of: service, window, &connection).compactMap { $0["traceID"] as? String }
        }
        guard !ids.isEmpty else { throw .server("no trace of \(service) found to ask for") }
        self.ids = ids
        rareTag = try Self.rareTag(window, &connection)
    }

    func queries(in window: QueryWindow) -> [Query] {
        let absent = (0..<16).map {
            "/api/traces/\(String(0xABCD_EF00_0000_0001 + UInt64($0) << 20, radix: 16))00112233445566aa"
        }
        let (hour, full) = (window.hour.inMicroseconds, window.inMicroseconds)
        let slow: Parameters = operation.map { [("operation", $0), ("minDuration", "30ms")] } ?? []
        let failed: Parameters = [("tags", #"{"http.response.status_code":"500"}"#)]
        var queries = [
            Query(name: "trace_by_id", targets: ids.map { "/api/traces/\($0)" }),
            Query(name: "trace_by_absent_id", targets: absent, status: 404),
            Query(name: "services", targets: ["/api/services"]),
            Query(name: "operations", targets: [Self.operations(of: service)]),
            search("search_1h", hour, slow), search("search_full", full, slow),
            search("search_http_500_1h", hour, failed), search("search_http_500_full", full, failed),
            search("search_errors_1h", hour, [("tags", #"{"error":"true"}"#)]),
            search("search_service_full", full, []),
            search("search_tag_absent_full", full, [("tags", #"{"app.order.id":"B-00000000"}"#)]),
        ]
        if let rareTag {
            let tags = "{\"\(rareTag.key)\":\"\(rareTag.value)\"}"
            queries.append(search("search_tag_rare_full", full, [("tags", tags)], of: rareTag.service))
        }
        queries.append(summaries("summaries_full", window, slow: !slow.isEmpty))
        return queries + counts(window)
    }

    private static func operations(of service: String) -> String {
        "/api/services/\(QueryMix.escaped(service))/operations"
    }

    private func search(
        _ name: String, _ range: Parameters, _ extra: Parameters, of service: String? = nil
    ) -> Query {
        let parameters = [("service", service ?? self.service), ("limit", "20")] + range + extra
        return Query(name: name, targets: [QueryMix.target("/api/traces", parameters)])
    }

    private func summaries(_ name: String, _ window: QueryWindow, slow: Bool) -> Query {
        var parameters: Parameters = [
            ("query.serviceName", service), ("query.searchDepth", "20"),
            ("query.startTimeMin", Self.rfc3339(window.start)), ("query.startTimeMax", Self.rfc3339(window.end)),
        ]
        if slow, let operation {
            parameters += [("query.operationName", operation), ("query.durationMin", "30ms")]
        }
        return Query(name: name, targets: [QueryMix.target("/api/v3/trace-summaries", parameters)])
    }

    /// Questions about all spans.
    private func counts(_ window: QueryWindow) -> [Query] {
        let range = window.wholeHours.inNanoseconds
        let errors = range + [("step", "1h"), ("durations", "false")]
        let path = "/api/v1/services/stats"
        let lookback: Parameters = [
            ("endTs", String(window.end / 1_000_000)), ("lookback", String((window.end - window.start) / 1_000_000)),
        ]
        let perService: Parameters = [("service", service), ("step", "300000"), ("ratePer", "300000")]
        return [
            Query(name: "dependencies_full", targets: [QueryMix.target("/api/dependencies", lookback)]),
            Query(name: "errors_by_service_hour_full", targets: [QueryMix.target(path, errors)]),
            Query(
                name: "errors_by_service_hour_raw", targets: [QueryMix.target(path, errors + [("source", "raw")])]),
            Query(name: "p95_by_service_full", targets: [QueryMix.target(path, range)]),
            Query(
                name: "p95_by_service_raw", targets: [QueryMix.target(path, range + [("source", "raw")])]),
            Query(
                name: "latencies_5m_full",
                targets: [QueryMix.target("/api/metrics/latencies", perService + [("quantile", "0.95")] + lookback)]),
        ]
    }

    private static func rfc3339(_ nanoseconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        return formatter.string(from: Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000_000)))
    }

    private static func rareTag(
        _ window: QueryWindow, _ connection: inout HTTPConnection
    ) throws(BenchError) -> (key: String, value: String, service: String)? {
        let keys = ["app.order.id", "app.order.number"]
        for trace in try traces(of: "checkout", window, &connection) {
            let processes = trace["processes"] as? [String: [String: Any]] ?? [:]
            for span in trace["spans"] as? [[String: Any]] ?? [] {
                let process = processes[span["processID"] as? String ?? ""]
                guard process?["serviceName"] as? String == "checkout" else { continue }
                for tag in span["tags"] as? [[String: Any]] ?? [] {
                    guard let key = tag["key"] as? String, keys.contains(key), let value = tag["value"] as? String
                    else { continue }
                    return (key, value, "checkout")
                }
            }
        }
        return nil
    }

    private static func traces(
        of service: String, _ window: QueryWindow, _ connection: inout HTTPConnection
    ) throws(BenchError) -> [[String: Any]] {
        let target = QueryMix.target(
            "/api/traces", [("service", service), ("limit", "20")] + window.inMicroseconds)
        let response = try connection.get(target)
        let object = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        return object?["data"] as? [[String: Any]] ?? []
    }
}
