import Core
import HTTP
import JSON
import QueryModel
import Testing

@testable import API

/// What clients are told when too many queries run, and how spans that were counted are shown.
struct QueryAdmissionAPITests {
    private struct Counts: SpanStatisticsSource {
        func spanStatistics(_ query: SpanStatisticsQuery, context: QueryContext) -> SpanStatistics {
            let rows = [("a", 0, 3, 1), ("a", 2, 4, 0), ("b", 1, 5, 5)].map { service, step, calls, errors in
                SpanStatistics.Row(
                    service: service, step: step, measures: SpanMeasures(calls: calls, errors: errors))
            }
            return SpanStatistics(
                rows: rows.filter { query.services.isEmpty || query.services.contains($0.service) }, tables: [])
        }
    }

    private func get(_ router: Router, _ path: String, _ parameters: [(String, String)] = []) -> HTTPResponse {
        router.respond(
            to: HTTPRequest(
                method: .get, path: path, segments: path.split(separator: "/").map { String($0) },
                parameters: parameters.map { (name: $0.0, value: $0.1) }, headers: [], body: []),
            connection: .none)
    }

    @Test func `a query that finds no place is refused in its dialect, and told when to come back`() {
        let admission = QueryAdmission(.init(running: 1, waiting: 0), memory: QueryMemory(limit: 1 << 20))
        let answer: APIHandler = { _ in .text("answer") }
        var prometheus = Routes(PrometheusAPI.dialect)
        prometheus.add([.get], "/api/v1/query", answer)
        var loki = Routes(LokiAPI.dialect)
        loki.add([.get], "/loki/api/v1/query", answer)
        let status = StatusRoutes.make(metrics: MetricsRegistry(), version: "1", notReady: { nil })
        let router = Router([prometheus, loki, status], limits: QueryLimits(admission: admission))
        #expect(get(router, "/api/v1/query").status == 200)
        let refused = try? admission.run(QueryContext(tenant: .default)) {
            [get(router, "/api/v1/query"), get(router, "/loki/api/v1/query"), get(router, "/metrics")]
        }
        #expect(refused?.map(\.status) == [503, 429, 200])
        for response in refused?.prefix(2) ?? [] {
            #expect(response.headers.contains { $0.name == "Retry-After" && $0.value == "1" })
        }
        #expect(get(router, "/loki/api/v1/query").status == 200)
    }

    @Test func `counts are shown by service, and by step if that was asked for`() throws {
        let router = Router([SpanCountAPI(source: Counts(), now: { Timestamp(nanoseconds: 0) }).routes])
        func text(_ parameters: [(String, String)]) -> String {
            String(decoding: get(router, "/api/v1/services/stats", parameters).body, as: UTF8.self)
        }
        #expect(
            text([]) == """
                {"source":"spans","services":[{"service":"a","calls":7,"errors":1},{"service":"b","calls":5,"errors":5}]}
                """)
        #expect(
            text([("start", "10"), ("end", "20"), ("step", "2s"), ("service", "a")]) == """
                {"source":"spans","start":10000000000,"step":2000000000,"services":[{"service":"a","calls":7,"errors":1,\
                "points":[[10000000000,3,1],[14000000000,4,0]]}]}
                """)
        #expect(text([("explain", "true")]).contains(#""explain":{"partitionsConsidered":0,"#))
        for wrong in [
            [("step", "1s")], [("start", "1"), ("end", "99999999"), ("step", "1ms")], [("start", "1"), ("step", "x")],
            [("start", "2"), ("end", "1")],
        ] {
            #expect(get(router, "/api/v1/services/stats", wrong).status == 400)
        }
    }
}
