import API
import Core
import HTTP
import QueryModel
import QuerySupport

/// Prometheus's API over series in memory, asked by URL or by form.
struct PrometheusClient {
    /// What the API takes for the present: 2023-11-14T22:13:20Z.
    static let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    private let router: Router

    init(_ source: MemorySeriesSource = MemorySeriesSource(), limits: QueryLimits = QueryLimits()) {
        let facts = ServerFacts(
            version: "0.1", startTime: Self.now, hostName: "h", configuration: "a: 1\n", flags: ["b": "2", "a": "1"])
        router = Router([PrometheusAPI(source: source, facts: facts, now: { Self.now }).routes], limits: limits)
    }

    func get(_ target: String) -> HTTPResponse { send(.get, target) }

    func send(_ method: HTTPMethod, _ target: String, form: String = "") -> HTTPResponse {
        let parts = target.split(separator: "?", maxSplits: 1)
        let query = parts.count > 1 ? String(parts[1]) : ""
        let request = HTTPRequest(
            method: method, path: String(parts[0]), segments: PercentCoding.segments(ofPath: parts[0].utf8),
            parameters: Self.pairs(form) + Self.pairs(query), headers: [], body: Array(form.utf8))
        return router.respond(to: request, connection: .none)
    }

    private static func pairs(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                PercentCoding.decode(sides[0].utf8, plusIsSpace: true),
                sides.count > 1 ? PercentCoding.decode(sides[1].utf8, plusIsSpace: true) : ""
            )
        }
    }
}
