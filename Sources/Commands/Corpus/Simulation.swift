/// One visit to the shop: the spans and the log records that it leaves behind.
///
/// A visit is a script of calls (`Simulation+Visits.swift`) over a few shapes of call (`Simulation+Calls.swift`). Time is
/// passed along as nanoseconds: a call takes the time when it begins and returns the time when its caller goes on.
struct Simulation {
    struct TraceKey: Hashable {
        var high: UInt64
        var low: UInt64
    }

    struct Span {
        var trace: TraceKey
        var id: UInt64
        var parent: UInt64
        var pod: Int
        var name: String
        var kind: Kind
        var start: Int64
        var end: Int64
        var attributes: [Field]
        var events: [Event] = []
        var links: [Link] = []
        var failure: String?
    }

    enum Kind: UInt64 {
        case `internal` = 1
        case server, client, producer, consumer
    }

    struct Event {
        var time: Int64
        var name: String
        var attributes: [Field]
    }

    struct Link {
        var trace: TraceKey
        var span: UInt64
        var attributes: [Field]
    }

    enum Severity: UInt64 {
        case debug = 5
        case info = 9
        case warn = 13
        case error = 17

        var text: String {
            switch self {
            case .debug: "DEBUG"
            case .info: "INFO"
            case .warn: "WARN"
            case .error: "ERROR"
            }
        }
    }

    struct Log {
        var pod: Int
        var time: Int64
        var severity: Severity
        var body: String
        var attributes: [Field]
        /// Nil for what a service says outside of any request.
        var context: (trace: TraceKey, span: UInt64)?
    }

    /// Where code runs: inside this span of this pod.
    struct Site {
        var pod: Int
        var span: Int
    }

    /// When a call came back, and whether it failed.
    struct Outcome {
        var end: Int64
        var failed = false
    }

    let shop: Shop
    var dice: Dice
    var trace: TraceKey
    var user: String
    var spans: [Span] = []
    var logs: [Log] = []

    /// Visit number `index`, beginning at `start`.
    init(shop: Shop, seed: UInt64, index: Int, start: Int64) {
        self.shop = shop
        dice = Dice(seed: seed, stream: UInt64(index))
        trace = TraceKey(high: dice.next(), low: dice.next())
        user = "u-\(dice.int(in: 100_000...999_999))"
        visit(at: start)
        chatter(around: start)
    }

    /// Opens a span; it is closed by `close`.
    mutating func open(
        _ name: String, _ kind: Kind, pod: Int, parent: Int?, at start: Int64, _ attributes: [Field]
    ) -> Site {
        spans.append(
            Span(
                trace: trace, id: dice.next() | 1, parent: parent.map { spans[$0].id } ?? 0, pod: pod, name: name,
                kind: kind, start: start, end: start, attributes: attributes))
        return Site(pod: pod, span: spans.count - 1)
    }

    mutating func close(_ site: Site, at end: Int64) { spans[site.span].end = end }

    mutating func log(_ site: Site, at time: Int64, _ severity: Severity, _ body: String, _ attributes: [Field] = []) {
        let span = spans[site.span]
        logs.append(
            Log(
                pod: site.pod, time: time, severity: severity, body: body, attributes: attributes,
                context: (span.trace, span.id)))
    }

    /// Marks a span as failed, with an exception event, and logs the failure.
    mutating func fail(_ site: Site, at time: Int64) {
        let reason = dice.pick(Self.reasons)
        let language = shop.pods[site.pod].service.language
        spans[site.span].failure = reason
        spans[site.span].events.append(
            Event(
                time: time, name: "exception",
                attributes: [
                    Field("exception.type", Self.exceptionType(language)),
                    Field("exception.message", reason),
                    Field("exception.stacktrace", stackTrace(language, reason: reason, site: site)),
                ]))
        log(
            site, at: time + 20_000, .error, "\(spans[site.span].name) failed: \(reason)",
            [Field("error.type", Self.exceptionType(language))])
    }

    private static let reasons = [
        "deadline exceeded after 2.000s", "connection reset by peer", "no route to upstream host",
        "could not obtain a connection from the pool within 500 ms", "unexpected end of stream",
        "optimistic lock failed, row was changed by another transaction", "quota exceeded for key shop-default",
    ]

    private static func exceptionType(_ language: Shop.Language) -> String {
        switch language {
        case .go: "*errors.errorString"
        case .java: "java.util.concurrent.TimeoutException"
        case .nodejs: "UpstreamError"
        case .python: "requests.exceptions.ConnectionError"
        case .dotnet: "System.TimeoutException"
        case .rust: "hyper::Error"
        case .cpp: "std::runtime_error"
        case .ruby: "Faraday::TimeoutError"
        }
    }

    private mutating func stackTrace(_ language: Shop.Language, reason: String, site: Site) -> String {
        let function = spans[site.span].name.split(separator: "/").last.map(String.init) ?? "handle"
        let service = shop.pods[site.pod].service.name.rawValue
        var lines = ["\(Self.exceptionType(language)): \(reason)"]
        for depth in 0..<dice.int(in: 4...9) {
            let line = dice.int(in: 20...900)
            switch language {
            case .java:
                lines.append("\tat shop.\(service).\(function)$\(depth)(\(service.capitalized).java:\(line))")
            case .python:
                lines.append("  File \"/app/\(service)/handlers.py\", line \(line), in \(function)_\(depth)")
            case .nodejs:
                lines.append("    at \(function).\(depth) (/app/dist/\(service).js:\(line):17)")
            case .go, .rust, .cpp:
                lines.append("\(service)::\(function)+0x\(dice.hex(4)) /src/\(service)/main.rs:\(line)")
            case .dotnet, .ruby:
                lines.append("   at Shop.\(service.capitalized).\(function)(Int32 n) in /src/Handler.cs:line \(line)")
            }
        }
        return lines.joined(separator: "\n")
    }
}

extension String {
    /// With an upper-case first letter.
    fileprivate var capitalized: String { prefix(1).uppercased() + dropFirst() }
}
