import API
import Core
import HTTP
import JSON
import QueryModel
import Scheduling
import TraceFixtures
import TraceSearch

/// Jaeger's two APIs and the plain one over spans in memory, asked by URL.
struct TraceClient {
    /// What the APIs take for the present: 2023-11-14T22:13:20Z.
    static let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    private let router: Router

    init(
        _ spans: [TraceSpan] = [], records: any RecordSource = NoRecords(), archive: (any TraceArchive)? = nil,
        limits: QueryLimits = QueryLimits()
    ) {
        let search = TraceSearch(source: MemoryTraceSource(spans), archive: archive)
        router = Router(
            [
                JaegerAPI(search: search, archive: archive, now: { Self.now }).routes,
                JaegerV3API(search: search).routes, RecordAPI(search: search, records: records).routes,
                ServiceAPI(statistics: search, dependencies: search, now: { Self.now }).routes,
            ], limits: limits)
    }

    func get(_ target: String) -> HTTPResponse { send(.get, target) }

    func post(_ target: String, _ body: String) -> HTTPResponse { send(.post, target, Array(body.utf8)) }

    private func send(_ method: HTTPMethod, _ target: String, _ body: [UInt8] = []) -> HTTPResponse {
        let parts = target.split(separator: "?", maxSplits: 1)
        let pairs = parts.count > 1 ? parts[1].split(separator: "&") : []
        let request = HTTPRequest(
            method: method, path: String(parts[0]), segments: PercentCoding.segments(ofPath: parts[0].utf8),
            parameters: pairs.map { pair in
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (
                    PercentCoding.decode(sides[0].utf8, plusIsSpace: true),
                    sides.count > 1 ? PercentCoding.decode(sides[1].utf8, plusIsSpace: true) : ""
                )
            }, headers: [], body: body)
        return router.respond(to: request, connection: .none)
    }
}

extension HTTPResponse {
    var text: String { String(decoding: body, as: UTF8.self) }

    func json() throws -> JSONValue { try JSONValue.parse(body) }
}

extension JSONValue {
    subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }
}

struct NoRecords: RecordSource {
    func logRecords(
        service: String?, traceID: TraceID?, minimumSeverity: Int32?, contains text: String?, in range: TimeRange,
        limit: Int, context: QueryContext
    ) -> [LogRecord] { [] }

    func metricPoints(
        name: String?, service: String?, in range: TimeRange, limit: Int, context: QueryContext
    ) -> [MetricPoint] { [] }
}
