import API
import Core
import HTTP
import LogFixtures
import LogQL
import QueryModel

/// Loki's API over entries in memory, asked by path and parameters.
struct LogClient {
    /// What the API takes for the present: 2023-11-14T22:13:20Z.
    static let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    private let router: Router
    let source: MemoryLogSource

    init(_ entries: [LogEntry] = [], limits: LogQLLimits = LogQLLimits(), queryLimits: QueryLimits = QueryLimits()) {
        source = MemoryLogSource(entries)
        let engine = LogQLEngine(source: source, limits: limits)
        router = Router([LokiAPI(engine: engine, now: { Self.now }).routes], limits: queryLimits)
    }

    func get(
        _ path: String, _ parameters: [(String, String)] = [], headers: [(name: String, value: String)] = [],
        method: HTTPMethod = .get
    ) -> HTTPResponse {
        let request = HTTPRequest(
            method: method, path: path, segments: PercentCoding.segments(ofPath: path.utf8),
            parameters: parameters.map { (name: $0.0, value: $0.1) }, headers: headers, body: [])
        return router.respond(to: request, connection: .none)
    }

    /// `/loki/api/v1/` and `path`.
    func ask(
        _ path: String, _ parameters: [(String, String)] = [], categorized: Bool = false
    ) -> HTTPResponse {
        let flags = categorized ? [(name: "X-Loki-Response-Encoding-Flags", value: "other, categorize-labels")] : []
        return get("/loki/api/v1/" + path, parameters, headers: flags)
    }

    static func entry(
        _ secondsAgo: Int64, _ stream: [String: String], _ line: String, _ metadata: [String: String] = [:],
        nanoseconds: Int64 = 0
    ) -> LogEntry {
        LogEntry(
            timestamp: Timestamp(nanoseconds: now.nanoseconds - secondsAgo * 1_000_000_000 + nanoseconds),
            stream: LogStream(labels: Labels(stream.map { Label($0.key, $0.value) })), line: line,
            metadata: metadata.map { Label($0.key, $0.value) }.sorted())
    }
}
