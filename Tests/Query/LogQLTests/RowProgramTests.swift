import Core
import LogFixtures
import Pattern
import QueryModel
import Randomness
import Scheduling
import Testing

@testable import LogQL

/// Random pipelines over awkward entries: what the engine answers, which runs on rows and moves stages where it may, against
/// `Pipeline`, entry by entry, stage by stage, in the order in which they are written.
struct RowProgramTests {
    private struct Generator {
        var random: SeededRandom

        mutating func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: 0..<choices.count, using: &random)]
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        // MARK: Queries

        mutating func stage() -> String {
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                return pick([
                    "|= `a`", "!= `5`", "|~ `s.a`", "!~ `^\\{`", "|> `<_>=<_>`", "!> `{<_>}`", "|= ip(`10.0.0.0/8`)",
                    "|= `é` or `x`", "!= `` ", "|= `status`",
                ])
            case 1...3: return "| json"
            case 4:
                return pick([
                    "| json status", "| json x=`a.b`, y=`list[1]`", "| json status=`a.é`", "| json app=`status`",
                    "| json s=`_entry`",
                ])
            case 5: return pick(["| logfmt", "| logfmt --strict", "| logfmt --keep-empty"])
            case 6: return pick(["| logfmt status, x=`msg`", "| logfmt --strict y=`status`, y=`msg`"])
            case 7: return pick(["| regexp `(?P<status>\\d+)(?P<x>x?)`", "| regexp `(?P<level>\\w+)=`"])
            case 8: return pick(["| pattern `<x>=<status>`", "| pattern `<_> <level> <_>`", "| pattern `{<x>}`"])
            case 9: return pick(["| unpack", "| decolorize"])
            case 10: return "| " + labelFilter()
            case 11...13: return "| " + labelFilter()
            case 14:
                return "| " + pick(["label_format x=status", "label_format status=level, y=x", "label_format app=x"])
            case 15:
                return "| "
                    + pick([
                        "label_format x=`{{.status}}-{{.a_b}}`", "line_format `{{.status}} {{.x}}`",
                        "line_format `{{.msg}}`",
                    ])
            case 16:
                return "| "
                    + pick([
                        "drop status", "drop level=`error`, x", "drop __error__", "drop __error__, __error_details__",
                    ])
            case 17: return "| " + pick(["keep status, app", "keep level=`error`", "keep x, y, a_b, status_extracted"])
            default:
                return "| "
                    + pick([
                        "__error__=``", "__error__!=`JSONParserErr`", "__error__=`LabelFilterErr`",
                        "__error_details__=``",
                    ])
            }
        }

        mutating func labelFilter() -> String {
            let name = pick(["status", "level", "x", "y", "a_b", "app", "status_extracted", "_1k", "n", "size", "msg"])
            switch Int.random(in: 0..<9, using: &random) {
            case 0, 1: return name + pick(["=`500`", "=`error`", "=``", "!=`500`", "!=``", "=`é`", "=`K`"])
            case 2: return name + pick(["=~`5..`", "!~`e.*`", "=~`.+`", "!~`.*`"])
            case 3, 4: return name + pick([" >= 500", " == 500", " < 0.5", " != 1e3", " > -3"])
            case 5: return name + pick([" > 1s", " <= 1h5m", " == 0s"])
            case 6: return name + pick([" > 1KB", " <= 5MiB"])
            case 7: return name + pick(["=ip(`10.0.0.0/8`)", "!=ip(`::1`)"])
            default: return "(\(labelFilter()) \(pick(["and", "or"])) \(labelFilter()))"
            }
        }

        mutating func pipeline() -> String {
            (0..<Int.random(in: 0...5, using: &random)).map { _ in stage() }.joined(separator: " ")
        }

        // MARK: Entries

        mutating func scalar() -> String {
            pick([
                "500", "-3.25", "0.1", "1e3", "\"500\"", "\"error\"", "\"10.1.2.3\"", "\"\"", "\"a\\u00e9\\n\"",
                "\"\\ud83d\\ude00\"",
                "\"\\ud83d\"", "true", "null", "\"1.5s\"", "\"20kB\"", "\"e\u{301}\"", "\"bad\\x\"", "\"\u{212A}\"",
                "123456789012345678",
                "\"0x10\"", "[1,\"\\q\",{\"b\":2}]", "tru",
            ])
        }

        mutating func object(_ depth: Int) -> String {
            let members = (0..<Int.random(in: 0...4, using: &random)).map { _ -> String in
                let key = pick([
                    "status", "level", "a", "b", "a_b", "msg", "x", "é", "e\u{301}", "1k", "_1k", "", "a.b",
                    "st\\u0061tus", "_entry", "app",
                    "__error__", "list", "status_extracted", "n", "size", "bad\\q",
                ])
                let value = depth > 0 && chance(25) ? object(depth - 1) : chance(8) ? "[5, \"q\", null]" : scalar()
                return "\"\(key)\"\(pick([":", ": ", " : "]))\(value)"
            }
            return "{" + members.joined(separator: pick([",", ", ", ",,"].dropLast(chance(5) ? 0 : 1))) + "}"
        }

        mutating func logfmt() -> String {
            (0..<Int.random(in: 0...5, using: &random)).map { _ -> String in
                let key = pick([
                    "status", "level", "msg", "x", "a.b", "é", "1k", "n", "size", "=", "\"", "plain", "app",
                ])
                let value = pick([
                    "=500", "=error", "=\"a b\"", "=\"q\\\"\\u0041\"", "=", "", "=a=b", "=\"open", "=10.2.3.4", "=1.5s",
                    "=\"bad\\x\"", "=20KiB",
                    "=\"x\"y",
                ])
                return key + value
            }.joined(separator: pick([" ", "  ", "\t"]))
        }

        mutating func line() -> String {
            switch Int.random(in: 0..<12, using: &random) {
            case 0...4: return object(2) + (chance(10) ? " rest" : "")
            case 5...7: return logfmt()
            case 8: return "\u{1B}[31m\(object(1))\u{1B}[0m"
            case 9: return String(repeating: "{\"a\":", count: pick([3, 63, 64, 65])) + "1"
            case 10:
                return pick([
                    "", " ", "{", "{}", "[1]", "text with 10.0.0.1.", "a=500 x", "é", "{\"a\"}", "500x error info",
                ])
            default: return String(object(2).dropLast(Int.random(in: 0...9, using: &random)))
            }
        }

        mutating func entry(_ index: Int) -> LogEntry {
            let streams: [[Label]] = [
                [Label("app", "a")], [Label("app", "b"), Label("status", "500")],
                [Label("app", "a"), Label("x", "1s")],
            ]
            let stream = pick(streams)
            var metadata: [Label] = []
            for name in ["a_b", "level", "n", "status", "x"]
            where chance(20) && !stream.contains(where: { $0.name == name }) {
                metadata.append(Label(name, pick(["500", "error", "é", "10.0.0.5", "3", "1.5s"])))
            }
            return LogEntry(
                timestamp: Timestamp(nanoseconds: Int64(index)), stream: LogStream(labels: Labels(stream)),
                line: line(),
                metadata: metadata)
        }
    }

    private enum Outcome: Equatable {
        case values([Labels: Double])
        case failure
    }

    /// Each entry through all stages, one by one.
    private static func plain(
        _ entries: [LogEntry], _ query: String, _ aggregation: RangeAggregation, by names: [String]
    ) -> Outcome {
        let pipeline = Pipeline(stages: aggregation.selector.stages)
        var values: [Labels: Double] = [:]
        for entry in entries where aggregation.selector.matchers.matches(entry.stream.labels) {
            var entry = PipelineEntry(entry)
            guard pipeline.run(&entry) else { continue }
            var value = aggregation.operation == .bytes ? Double(entry.line.utf8.count) : 1
            if let unwrap = aggregation.unwrap {
                guard let unwrapped = unwrap.value(&entry) else { continue }
                value = unwrapped
            }
            if entry.hasError { return .failure }
            let labels = Labels(names.map { Label($0, entry.value(of: $0) ?? "") })
            values[labels, default: 0] += value
        }
        return .values(values)
    }

    private static func answer(_ engine: LogQLEngine, _ expression: MetricExpression) throws -> Outcome {
        let grid = StepGrid(at: Timestamp(nanoseconds: 1_000_000))
        let result: Result<MetricResult, any Error> = Result {
            try engine.metric(expression, over: grid, context: QueryContext(tenant: .default))
        }
        switch result {
        case .success(.series(let series)):
            return .values(Dictionary(uniqueKeysWithValues: series.map { ($0.labels, $0.values[0]) }))
        case .success(.scalar): return .failure
        case .failure(let error):
            guard case .execution? = error as? QueryError else { throw error }
            return .failure
        }
    }

    private static func isClose(_ left: Outcome, _ right: Outcome) -> Bool {
        guard case .values(let left) = left, case .values(let right) = right else { return left == right }
        guard Set(left.keys) == Set(right.keys) else { return false }
        return left.allSatisfy { labels, value in
            let other = right[labels] ?? .nan
            return value == other || value.isNaN && other.isNaN || abs(value - other) <= 1e-9 * abs(value)
        }
    }

    @Test func `metric queries over rows give what each entry by itself gives`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Generator(random: SeededRandom(seed: seed))
        var counted = 0
        for round in 0..<1500 {
            let entries = (0..<Int.random(in: 1...25, using: &generator.random)).map { generator.entry($0) }
            let names = ["status", "level", "x", "a_b", "app", "status_extracted", "_1k", "__error__", "msg", "é"]
                .filter { _ in generator.chance(25) }.filter { $0 != "é" }
            let unwrap =
                generator.chance(25)
                ? " | unwrap " + generator.pick(["status", "duration(x)", "bytes(size)", "n"]) : ""
            let errors = generator.chance(50) ? " | __error__=``" : ""
            let operation = unwrap.isEmpty ? generator.pick(["count_over_time", "bytes_over_time"]) : "sum_over_time"
            let query =
                "sum by (\(names.joined(separator: ","))) (\(operation)({app=~`.+`} \(generator.pipeline())\(unwrap)\(errors) [1s]))"
            guard case .metric(let expression) = try LogQLParser.query(query),
                case .aggregation(let outer) = expression,
                case .range(let aggregation) = outer.operand
            else { continue }
            let expected = Self.plain(entries, query, aggregation, by: names)
            let found = try Self.answer(LogQLEngine(source: MemoryLogSource(entries)), expression)
            #expect(Self.isClose(found, expected), "seed \(seed), round \(round): \(query)\n\(entries.map(\.line))")
            if case .values = expected { counted += 1 }
        }
        #expect(counted > 200)
    }

    @Test func `log queries answer what the pipeline lets pass`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Generator(random: SeededRandom(seed: seed))
        for round in 0..<1000 {
            let entries = (0..<Int.random(in: 1...25, using: &generator.random)).map { generator.entry($0) }
            let query = "{app=~`.+`} \(generator.pipeline())"
            let selector = try LogQLParser.logSelector(query)
            let pipeline = Pipeline(stages: selector.stages)
            var expected: [String] = []
            for entry in entries {
                var entry = PipelineEntry(entry)
                if pipeline.run(&entry) { expected.append("\(entry.timestamp) \(entry.line) \(entry.allLabels)") }
            }
            let limit = generator.pick([3, 100])
            let found = try LogQLEngine(source: MemoryLogSource(entries)).logs(
                LogQuery(selector: selector, range: .everything, limit: limit, direction: .forward),
                context: QueryContext(tenant: .default))
            #expect(
                found.map { "\($0.timestamp) \($0.line) \($0.allLabels)" } == Array(expected.prefix(limit)),
                "seed \(seed), round \(round): \(query)")
        }
    }
}
