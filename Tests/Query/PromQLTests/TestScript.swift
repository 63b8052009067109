import Core
import Foundation
import PromQL
import QueryModel
import QuerySupport
import Scheduling

/// Runs scripts in the form of Prometheus's own tests, so that any engine can run them.
///
///     load 1m
///       metric{label="x"} 0+10x5 _ 7 stale NaN
///     eval instant at 5m sum(metric)
///       {} 50
///     eval range from 0 to 2m step 1m metric
///       metric{label="x"} 0 10 20
///     eval_fail instant at 0 metric / ignoring(label) metric
///       expected_fail_message …
///     eval_ordered instant at 5m sort(metric)
///     eval_info instant at 5m rate(metric[5m])
///     eval_warn …
///     clear
struct TestScript {
    struct Failure: Error, CustomStringConvertible {
        let line: Int
        let message: String
        var description: String { "line \(line): \(message)" }
    }

    private let lines: [String]
    private var next = 0
    private var source = MemorySeriesSource()
    private(set) var evaluations = 0
    private(set) var failures: [Failure] = []

    init(_ text: String) {
        lines = text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    mutating func run() {
        while next < lines.count {
            let line = lines[next]
            next += 1
            do {
                if line.isEmpty || line.hasPrefix("#") { continue }
                let word = line.prefix { $0 != " " }
                switch word {
                case "clear": source = MemorySeriesSource()
                case "load": try load(String(line.dropFirst(5)))
                case _ where word.hasPrefix("eval"): try evaluate(String(word), line)
                default: throw Failure(line: next, message: "unknown command \(line)")
                }
            } catch let failure as Failure {
                failures.append(failure)
            } catch {
                failures.append(Failure(line: next, message: "\(error)"))
            }
        }
    }

    /// The indented lines of a command: all up to an empty line or the next command.
    private mutating func block() -> [(line: Int, text: String)] {
        var block: [(Int, String)] = []
        while next < lines.count, !lines[next].isEmpty, !lines[next].hasPrefix("eval"), !lines[next].hasPrefix("load"),
            !lines[next].hasPrefix("clear")
        {
            next += 1
            if !lines[next - 1].hasPrefix("#") { block.append((next, lines[next - 1])) }
        }
        return block
    }

    private func milliseconds(_ text: some StringProtocol) throws -> Int64 {
        if let number = Double(text) { return Int64(number * 1000) }
        guard let duration = DurationLiteral.milliseconds(Array(text.utf8)) else {
            throw Failure(line: next, message: "no duration: \(text)")
        }
        return duration
    }

    // MARK: load

    private mutating func load(_ stepText: String) throws {
        let step = try milliseconds(stepText)
        for (line, text) in block() {
            let (labels, values) = try series(text, line: line)
            var series = SampleSeries(labels: labels, timestamps: [], values: [])
            for (i, value) in values.enumerated() {
                guard let value else { continue }
                series.timestamps.append(Int64(i) * step)
                series.values.append(value)
            }
            source.series.append(series)
        }
    }

    /// `name{label="value"} values…`, a missing value is nil.
    private func series(_ text: String, line: Int) throws -> (Labels, [Double?]) {
        let end = text.lastIndex(of: "}").map { text.index(after: $0) } ?? text.firstIndex(of: " ") ?? text.endIndex
        let labels = try Self.labels(String(text[..<end]))
        let values = try text[end...].split(separator: " ").flatMap { try Self.expand(String($0), line: line) }
        return (labels, values)
    }

    static func labels(_ text: String) throws -> Labels {
        if text == "{}" { return .empty }
        return Labels(try PromQL.Parser.parseSelector(text).map { Label($0.name, $0.value) })
    }

    /// `1`, `_`, `stale`, `1x3`, `_x3`, `1+2x3`, `1-2x3`.
    private static func expand(_ item: String, line: Int) throws -> [Double?] {
        if item == "_" { return [nil] }
        if item == "stale" { return [Staleness.marker] }
        if let number = Double(item) { return [number] }
        let parts = item.split(separator: "x")
        guard parts.count == 2, let count = Int(parts[1]) else {
            throw Failure(line: line, message: "no value: \(item)")
        }
        if parts[0] == "_" { return Array(repeating: nil, count: count) }
        if let number = Double(parts[0]) { return Array(repeating: number, count: count + 1) }
        let body = parts[0]
        guard let sign = body.dropFirst().lastIndex(where: { $0 == "+" || $0 == "-" }),
            let start = Double(body[..<sign]), let step = Double(body[sign...])
        else { throw Failure(line: line, message: "no value: \(item)") }
        return (0...count).map { start + Double($0) * step }
    }

    // MARK: eval

    private mutating func evaluate(_ command: String, _ line: String) throws {
        let start = next
        evaluations += 1
        let words = line.split(separator: " ", maxSplits: 4).map(String.init)
        var answer: Result<QueryAnswer, any Error>
        let expected: [(line: Int, text: String)]
        var grid: TimeGrid?
        if words[1] == "instant" {
            let timestamp = try milliseconds(words[3])
            expected = block()
            answer = Result { try instant(words[4], at: timestamp) }
        } else {
            let range = line.split(separator: " ", maxSplits: 8).map(String.init)
            grid = TimeGrid(
                from: try milliseconds(range[3]), through: try milliseconds(range[5]), step: try milliseconds(range[7]))
            guard let grid else { throw Failure(line: start, message: "no range") }
            expected = block()
            answer = Result { try self.range(range[8], over: grid) }
        }
        if command == "eval_fail" {
            guard case .failure(let error) = answer else { throw Failure(line: start, message: "did not fail") }
            let prefix = "expected_fail_message "
            for (number, text) in expected where text.hasPrefix(prefix) {
                let wanted = String(text.dropFirst(prefix.count))
                let found = Self.message(error)
                if wanted != found.trimmingCharacters(in: .whitespaces) {
                    throw Failure(line: number, message: "failed with: \(found)")
                }
            }
            return
        }
        let result = try answer.get()
        if command == "eval_info" && result.annotations.infos.isEmpty {
            throw Failure(line: start, message: "no info")
        }
        if command == "eval_warn" && result.annotations.warnings.isEmpty {
            throw Failure(line: start, message: "no warning")
        }
        try compare(result, with: expected, over: grid, ordered: command == "eval_ordered", line: start)
    }

    private func instant(_ text: String, at timestamp: Int64) throws -> QueryAnswer {
        let query = try PromQLQuery(text)
        let context = QueryContext(tenant: .default)
        return try PromQLEngine(source: source).instant(query, at: timestamp, context: context)
    }

    private func range(_ text: String, over grid: TimeGrid) throws -> QueryAnswer {
        let query = try PromQLQuery(text)
        let context = QueryContext(tenant: .default)
        return try PromQLEngine(source: source).range(query, over: grid, context: context)
    }

    static func message(_ error: any Error) -> String {
        switch error {
        case let error as ParseError: error.description
        case QueryError.execution(let message): message
        default: "\(error)"
        }
    }

    private func compare(
        _ answer: QueryAnswer, with expected: [(line: Int, text: String)], over grid: TimeGrid?, ordered: Bool,
        line: Int
    ) throws {
        var found: [(labels: Labels, values: [Double?])] = []
        switch answer.value {
        case .scalar(_, let value): found = [(.empty, [value])]
        case .string(_, let text):
            guard expected.map(\.text) == ["\"\(text)\""] else {
                throw Failure(line: line, message: "found the string \(text)")
            }
            return
        case .vector(let elements):
            found = elements.map { element in
                if case .float(let value) = element.value { return (element.labels, [value]) }
                return (element.labels, [nil])
            }
        case .matrix(let series):
            found = series.map { one in
                guard let grid else { return (one.labels, one.floats.map(\.value)) }
                let byTime = Dictionary(uniqueKeysWithValues: one.floats.map { ($0.timestamp, $0.value) })
                return (one.labels, grid.indices.map { byTime[grid[$0]] })
            }
        }
        let wanted = try expected.map { number, text in
            try Double(text).map { (Labels.empty, [$0]) } ?? series(text, line: number)
        }
        let describe = found.map { one in
            one.labels.text + " " + one.values.map { $0.map { "\($0)" } ?? "_" }.joined(separator: " ")
        }.joined(separator: "\n    ")
        guard wanted.count == found.count else {
            throw Failure(line: line, message: "expected \(wanted.count) series, found\n    \(describe)")
        }
        for (position, one) in wanted.enumerated() {
            let match = ordered ? found[position] : found.first { $0.labels == one.0 }
            guard let match, match.labels == one.0, Self.areEqual(match.values, one.1, count: grid?.count) else {
                throw Failure(line: line, message: "expected \(expected[position].text), found\n    \(describe)")
            }
        }
    }

    private static func areEqual(_ left: [Double?], _ right: [Double?], count: Int?) -> Bool {
        // Values missing at the end may be left out of a script.
        let right = right + Array(repeating: nil, count: max(0, (count ?? 0) - right.count))
        return left.count == right.count
            && zip(left, right).allSatisfy { l, r in
                guard let l, let r else { return l == nil && r == nil }
                if l.isNaN || r.isNaN { return l.isNaN && r.isNaN }
                return l == r || abs(l - r) <= 1e-12 * max(abs(l), abs(r))
            }
    }
}
