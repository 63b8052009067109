import Core
import HTTP
import JSON
import Observability
import QueryModel
import Scheduling
import Testing

@testable import API

/// What clients are told when too many queries run.
struct QueryAdmissionAPITests {
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
}
