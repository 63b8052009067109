import Core
import Foundation
import JSON
import LogFixtures
import QueryModel
import Scheduling
import Testing

@testable import LogQL

/// Runs `Tests/Scripts/logql/*.test`; README.md there describes the grammar.
struct ScriptTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Scripts/logql")

    static var scripts: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".test") }.sorted()
    }

    @Test(arguments: scripts)
    func `a script's evaluations give what it says`(file: String) throws {
        let text = try String(contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
        var script = Script(file: file)
        try script.run(text)
        #expect(script.evaluations > 0)
    }

    @Test func `there are scripts`() {
        #expect(Self.scripts.count >= 5)
    }
}

/// The state of a script while it runs.
private struct Script {
    let file: String
    var evaluations = 0
    private var entries: [LogEntry] = []
    private var stream = LogStream(labels: .empty)

    init(file: String) { self.file = file }

    struct Malformed: Error { var line: String }

    mutating func run(_ text: String) throws {
        var lines = text.components(separatedBy: "\n")[...]
        while let line = lines.popFirst() {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            if trimmed == "clear" {
                entries = []
            } else if trimmed.hasPrefix("stream ") {
                stream = LogStream(labels: Labels(try Self.labels(trimmed.dropFirst(7))))
            } else if trimmed.hasPrefix("eval") {
                var expected: [String] = []
                while let next = lines.first, next.hasPrefix(" ") {
                    expected.append(next.trimmingCharacters(in: .whitespaces))
                    lines.removeFirst()
                }
                try evaluate(trimmed, expected)
            } else if line.hasPrefix(" ") {
                entries.append(try entry(trimmed))
            } else {
                throw Malformed(line: line)
            }
        }
    }

    private static func labels(_ text: some StringProtocol) throws -> [Label] {
        try LogQLParser.matchers(String(text)).map { Label($0.name, $0.value) }
    }

    private static func time(_ text: String) throws -> Int64 {
        guard let time = Quantity.duration(text) else { throw Malformed(line: text) }
        return time
    }

    /// `10s {trace_id="x"} the line`
    private func entry(_ text: String) throws -> LogEntry {
        var words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let time = Timestamp(nanoseconds: try Self.time(String(words.removeFirst())))
        var rest = words.first ?? ""
        var metadata: [Label] = []
        if rest.hasPrefix("{"), !rest.hasPrefix("{\""), rest != "{}", let end = rest.range(of: "\"} ")?.upperBound {
            metadata = try Self.labels(rest[..<end]).sorted()
            rest = rest[end...]
        }
        return LogEntry(timestamp: time, stream: stream, line: String(rest), metadata: metadata)
    }

    private mutating func evaluate(_ command: String, _ expected: [String]) throws {
        evaluations += 1
        var words = command.split(separator: " ").map(String.init)[...]
        var text = command[...]
        func take() -> String {
            text = text.drop { $0 == " " }
            let word = text.prefix { $0 != " " }
            text = text.dropFirst(word.count)
            words = words.dropFirst()
            return String(word)
        }
        let keyword = take()
        let kind = take()
        let engine = LogQLEngine(source: MemoryLogSource(entries))
        var output: [String]
        do {
            switch kind {
            case "logs": output = try logs(engine, take, rest: { String(text) })
            case "instant":
                let grid = StepGrid(at: Timestamp(nanoseconds: try Self.time(take())))
                output = try metric(engine, grid, text.trimmingCharacters(in: .whitespaces))
            case "range":
                let start = Timestamp(nanoseconds: try Self.time(take()))
                let end = Timestamp(nanoseconds: try Self.time(take()))
                guard let grid = StepGrid(from: start, through: end, step: try Self.time(take())) else {
                    throw Malformed(line: command)
                }
                output = try metric(engine, grid, text.trimmingCharacters(in: .whitespaces))
            default: throw Malformed(line: command)
            }
        } catch let error as LogQLError {
            output = error.message.components(separatedBy: "\n").prefix(1).map { "error: \($0)" }
        } catch QueryError.execution(let message) {
            output = message.components(separatedBy: "\n").prefix(1).map { "error: \($0)" }
        }
        var wanted = expected
        if keyword != "eval_ordered", kind != "logs" {
            output.sort()
            wanted.sort()
        }
        #expect(output == wanted, "\(file): \(command)")
    }

    /// `from to [forward] [limit N] [every 5s] query`
    private func logs(_ engine: LogQLEngine, _ take: () -> String, rest: () -> String) throws -> [String] {
        let start = Timestamp(nanoseconds: try Self.time(take()))
        let end = Timestamp(nanoseconds: try Self.time(take()))
        let direction = take()
        let limit = Int(take()) ?? 0
        let interval = try Self.time(take())
        let query = LogQuery(
            selector: try LogQLParser.logSelector(rest().trimmingCharacters(in: .whitespaces)),
            range: TimeRange(start: start, end: end), limit: limit,
            direction: direction == "forward" ? .forward : .backward, interval: interval)
        return try engine.logs(query, context: QueryContext(tenant: .default)).map { entry in
            var text = "\(entry.timestamp.nanoseconds / 1_000_000_000)s \(Self.text(entry.streamLabels))"
            if !entry.metadata.isEmpty { text += " meta" + Self.text(entry.metadata) }
            if !entry.parsed.isEmpty { text += " parsed" + Self.text(entry.parsed) }
            return (text + " " + entry.line).trimmingCharacters(in: .whitespaces)
        }
    }

    /// Error details are for people; scripts only see that there are some.
    private static func text(_ labels: [Label]) -> String {
        let shown = labels.filter { $0.name != ErrorLabel.details }
        return "{" + shown.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ", ") + "}"
    }

    private func metric(_ engine: LogQLEngine, _ grid: StepGrid, _ text: String) throws -> [String] {
        guard case .metric(let expression) = try LogQLParser.query(text) else { throw Malformed(line: text) }
        switch try engine.metric(expression, over: grid, context: QueryContext(tenant: .default)) {
        case .scalar(let value): return ["scalar \(PrometheusNumber.format(value))"]
        case .series(let series):
            return series.map { one in
                let values = one.values.map { GridSeries.isAbsent($0) ? "_" : PrometheusNumber.format($0) }
                return ([Self.text(one.labels.pairs)] + values).joined(separator: " ")
            }
        }
    }
}
