import Foundation

/// The questions that are asked of a corpus of traces.
///
/// In the demo shop's corpora `search` is the frontend's slow product lists and `http_500` its failed requests, so that figures can
/// be compared with those of other stores. In others it is the first service's first operation.
struct TraceQueries {
    typealias Query = QueryMix.Query
    private typealias Parameters = [(String, String)]

    private(set) var queries: [Query] = []
    let service: String
    let operation: String?
    private let hour, full: Parameters

    init(
        _ corpus: CorpusDirectory, _ hour: (start: Int64, end: Int64), _ connection: inout HTTPConnection
    ) throws(BenchError) {
        let services = try QueryMix.strings("/api/services", &connection)
        guard let service = services.first(where: { $0 == "frontend" }) ?? services.first else {
            throw .server("the server knows no service: is the corpus loaded?")
        }
        self.service = service
        let names = "/api/services/\(QueryMix.escaped(service))/operations"
        let operations = try QueryMix.strings(names, &connection)
        operation = operations.first { $0 == "GET /api/products" } ?? operations.first
        self.hour = [("start", String(hour.start / 1_000)), ("end", String(hour.end / 1_000))]
        full = [("start", String(corpus.start / 1_000)), ("end", String(corpus.end / 1_000))]
        var ids = corpus.sampleTraces
        if ids.isEmpty { ids = try traces(of: service, &connection).compactMap { $0["traceID"] as? String } }
        guard !ids.isEmpty else { throw .server("no trace of \(service) found to ask for") }
        let absent = (0..<16).map {
            "/api/traces/\(String(0xABCD_EF00_0000_0001 + UInt64($0) << 20, radix: 16))00112233445566aa"
        }
        let slow: Parameters = operation.map { [("operation", $0), ("minDuration", "30ms")] } ?? []
        let failed: Parameters = [("tags", #"{"http.response.status_code":"500"}"#)]
        queries = [
            Query(name: "trace_by_id", targets: ids.map { "/api/traces/\($0)" }),
            Query(name: "trace_by_absent_id", targets: absent, status: 404),
            Query(name: "services", targets: ["/api/services"]),
            Query(name: "operations", targets: [names]),
            search("search_1h", self.hour, slow), search("search_full", full, slow),
            search("search_http_500_1h", self.hour, failed), search("search_http_500_full", full, failed),
            search("search_errors_1h", self.hour, [("tags", #"{"error":"true"}"#)]),
            search("search_service_full", full, []),
            search("search_tag_absent_full", full, [("tags", #"{"app.order.id":"B-00000000"}"#)]),
        ]
        if let (tag, of) = try rareTag(&connection) {
            queries.append(
                search("search_tag_rare_full", full, [("tags", "{\"\(tag.key)\":\"\(tag.value)\"}")], of: of))
        }
        queries += [summaries("summaries_full", corpus, slow: !slow.isEmpty)]
        queries += counts(corpus)
    }

    private func search(
        _ name: String, _ range: Parameters, _ extra: Parameters, of service: String? = nil
    ) -> Query {
        let parameters = [("service", service ?? self.service), ("limit", "20")] + range + extra
        return Query(name: name, targets: [QueryMix.target("/api/traces", parameters)])
    }

    private func summaries(_ name: String, _ corpus: CorpusDirectory, slow: Bool) -> Query {
        var parameters: Parameters = [
            ("query.serviceName", service), ("query.searchDepth", "20"),
            ("query.startTimeMin", Self.rfc3339(corpus.start)), ("query.startTimeMax", Self.rfc3339(corpus.end)),
        ]
        if slow, let operation {
            parameters += [("query.operationName", operation), ("query.durationMin", "30ms")]
        }
        return Query(name: name, targets: [QueryMix.target("/api/v3/trace-summaries", parameters)])
    }

    /// Questions about all spans.
    private func counts(_ corpus: CorpusDirectory) -> [Query] {
        // Whole hours, as a dashboard asks.
        let hour: Int64 = 3_600_000_000_000
        let range: Parameters = [
            ("start", String(corpus.start / hour * hour)), ("end", String((corpus.end + hour - 1) / hour * hour)),
        ]
        let errors = range + [("step", "1h"), ("durations", "false")]
        let path = "/api/v1/services/stats"
        return [
            Query(
                name: "dependencies_full",
                targets: [
                    QueryMix.target(
                        "/api/dependencies",
                        [
                            ("endTs", String(corpus.end / 1_000_000)),
                            ("lookback", String((corpus.end - corpus.start) / 1_000_000)),
                        ])
                ]),
            Query(name: "errors_by_service_hour_full", targets: [QueryMix.target(path, errors)]),
            Query(
                name: "errors_by_service_hour_raw", targets: [QueryMix.target(path, errors + [("source", "raw")])]),
            Query(name: "p95_by_service_full", targets: [QueryMix.target(path, range)]),
        ]
    }

    private static func rfc3339(_ nanoseconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        return formatter.string(from: Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000_000)))
    }

    /// An attribute that few spans have with that value, and a service whose span has it.
    private func rareTag(
        _ connection: inout HTTPConnection
    ) throws(BenchError) -> (tag: (key: String, value: String), service: String)? {
        let keys = ["app.order.id", "app.order.number"]
        for trace in try traces(of: "checkout", &connection) {
            let processes = trace["processes"] as? [String: [String: Any]] ?? [:]
            for span in trace["spans"] as? [[String: Any]] ?? [] {
                let process = processes[span["processID"] as? String ?? ""]
                guard process?["serviceName"] as? String == "checkout" else { continue }
                for tag in span["tags"] as? [[String: Any]] ?? [] {
                    guard let key = tag["key"] as? String, keys.contains(key), let value = tag["value"] as? String
                    else { continue }
                    return ((key, value), "checkout")
                }
            }
        }
        return nil
    }

    private func traces(
        of service: String, _ connection: inout HTTPConnection
    ) throws(BenchError) -> [[String: Any]] {
        let target = QueryMix.target("/api/traces", [("service", service), ("limit", "20")] + full)
        let response = try connection.get(target)
        let object = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        return object?["data"] as? [[String: Any]] ?? []
    }
}
