import Core
import LogFixtures
import Pattern
import QueryModel
import Scheduling
import Testing

@testable import LogQL

/// What a source is asked for, and how little of it.
struct ScanPlanTests {
    private static func request(_ query: String) throws -> LogScanRequest {
        let source = MemoryLogSource([])
        let engine = LogQLEngine(source: source)
        let context = QueryContext(tenant: .default)
        switch try LogQLParser.query(query) {
        case .logs(let selector):
            _ = try engine.logs(LogQuery(selector: selector, range: .everything, limit: 10), context: context)
        case .metric(let expression):
            _ = try engine.metric(expression, over: StepGrid(at: Timestamp(nanoseconds: 0)), context: context)
        }
        return try #require(source.scans.first)
    }

    private static let needs: [(query: String, line: Bool, metadata: Bool)] = [
        ("{service_name=`a`}", true, true),
        ("sum by (service_name) (rate({service_name=`a`}[5m]))", false, false),
        ("sum by (service_name) (rate({env=`a`} |= `x` [5m]))", false, false),
        ("sum by (env) (rate({env=~`a|b`}[5m]))", false, false),
        ("sum by (env) (rate({service_name=`a`}[5m]))", false, true),
        ("sum(count_over_time({a=`b`} | drop __error__ [5m]))", false, false),
        ("sum(count_over_time({a=`b`} | level=`x` [5m]))", false, false),
        ("sum(count_over_time({a=`b`} | n>1 [5m]))", false, true),
        ("sum(count_over_time({a=`b`} | json | level=`x` [5m]))", true, true),
        ("sum(count_over_time({a=`b`} | json [5m]))", true, false),
        ("sum(bytes_rate({a=`b`}[5m]))", true, false),
        ("count_over_time({a=`b`}[5m])", false, true),
        ("max by (a) (count_over_time({a=`b`}[5m]))", false, true),
        ("sum without (x) (count_over_time({a=`b`}[5m]))", false, true),
        ("sum(count_over_time({a=`b`} |> `<_>x` [5m]))", true, false),
        ("sum(count_over_time({a=`b`} | line_format `x` |= `x` [5m]))", true, false),
        ("sum by (x) (count_over_time({a=`b`} | label_format x=`{{.y}}` [5m]))", false, true),
        ("sum by (x) (count_over_time({a=`b`} | label_format x=`{{__line__}}` [5m]))", true, true),
        ("sum(sum_over_time({a=`b`} | unwrap n [5m]))", false, true),
    ]

    @Test(arguments: needs)
    func `lines and metadata are read only where they can be seen`(query: String, line: Bool, metadata: Bool) throws {
        let request = try Self.request(query)
        #expect(request.needsLine == line)
        #expect(request.needsMetadata == metadata)
    }

    private static let conditions: [(String, [String])] = [
        ("{a=`b`} | x=`1` | y!~`2`", ["x=1", "y!~2"]), ("{a=`b`} | x=`1` and (y=`2` or z=`3`)", ["x=1"]),
        ("{a=`b`} | json | x=`1`", []), ("{a=`b`} | json y=`z` | x=`1` | y=`2`", ["x=1"]),
        ("{a=`b`} | label_format x=y | x=`1` | y=`2` | z=`3`", ["z=3"]), ("{a=`b`} | drop x | x=`` | y=`1`", ["y=1"]),
        ("{a=`b`} | keep x | x=`1`", []), ("{a=`b`} | __error__=``", []), ("{a=`b`} | x > 5", []),
        ("{a=`b`} | regexp `(?P<x>.)` | x=`1` | y=`2`", ["y=2"]), ("{a=`b`} | pattern `<x> ` | x_extracted=`1`", []),
    ]

    @Test(arguments: conditions)
    func `conditions on labels are the source's until a stage may set the label`(query: String, expected: [String])
        throws
    {
        let conditions = try Self.request(query).labels.map { "\($0.name)\($0.operator.rawValue)\($0.value)" }
        #expect(conditions == expected)
    }

    private static let lines: [(String, [String])] = [
        ("{a=`b`} |= `x` or `y` != `z`", ["contains x y", "lacks z"]), ("{a=`b`} | json |= `x`", ["contains x"]),
        ("{a=`b`} |~ `x` !~ `y`", ["matches x", "mismatches y"]), ("{a=`b`} | line_format `x` |= `x`", []),
        ("{a=`b`} |= `x` | decolorize |= `y`", ["contains x"]),
        ("{a=`b`} |> `p <_> q`", ["contains p ", "contains  q"]),
        ("{a=`b`} !> `p <_>`", []), ("{a=`b`} |= ip(`1.2.3.4`) |= `x`", ["contains x"]),
    ]

    @Test(arguments: lines)
    func `line filters are the source's until a stage changes the line`(query: String, expected: [String]) throws {
        let predicates = try Self.request(query).lines.map { predicate in
            switch predicate {
            case .contains(let texts): (["contains"] + texts).joined(separator: " ")
            case .lacks(let texts): (["lacks"] + texts).joined(separator: " ")
            case .matches(let patterns): (["matches"] + patterns.map(\.source)).joined(separator: " ")
            case .mismatches(let patterns): (["mismatches"] + patterns.map(\.source)).joined(separator: " ")
            }
        }
        #expect(predicates == expected)
    }

    @Test func `a log query stops reading at its limit`() throws {
        let stream = LogStream(labels: Labels([Label("a", "b")]))
        let entries = (0..<100).map {
            LogEntry(timestamp: Timestamp(nanoseconds: Int64($0)), stream: stream, line: "\($0)", metadata: [])
        }
        let source = MemoryLogSource(entries, batchSize: 5)
        let query = LogQuery(selector: try LogQLParser.logSelector("{a=`b`}"), range: .everything, limit: 12)
        let found = try LogQLEngine(source: source).logs(query, context: QueryContext(tenant: .default))
        #expect(found.map(\.line) == (88..<100).reversed().map(String.init))
        #expect(source.handedOverCount == 15)
    }

    @Test(arguments: [LogDirection.forward, .backward])
    func `L-13: entries that are equal in time, stream, line and metadata are answered once`(direction: LogDirection)
        throws
    {
        func entry(_ time: Int64, _ app: String, _ line: String, _ metadata: [Label] = []) -> LogEntry {
            LogEntry(
                timestamp: Timestamp(nanoseconds: time), stream: LogStream(labels: Labels([Label("app", app)])),
                line: line, metadata: metadata)
        }
        let entries = [
            entry(1, "a", "x"), entry(1, "a", "x"), entry(1, "b", "x"), entry(1, "a", "y"),
            entry(1, "a", "x", [Label("m", "1")]),
            entry(1, "b", "x"), entry(1, "a", "x", [Label("m", "1")]), entry(2, "a", "x"), entry(2, "a", "x"),
            entry(3, "a", "x"),
        ]
        let engine = LogQLEngine(source: MemoryLogSource(entries, batchSize: 3))
        let query = LogQuery(
            selector: try LogQLParser.logSelector("{app=~`.+`}"), range: .everything, limit: 100, direction: direction)
        let times = try engine.logs(query, context: QueryContext(tenant: .default)).map(\.timestamp.nanoseconds)
        #expect(times == (direction == .forward ? [1, 1, 1, 1, 2, 3] : [3, 2, 1, 1, 1, 1]))
        guard case .metric(let count) = try LogQLParser.query("sum(count_over_time({app=~`.+`}[1h]))") else { return }
        let grid = StepGrid(at: Timestamp(nanoseconds: 10))
        guard case .series(let series) = try engine.metric(count, over: grid, context: QueryContext(tenant: .default))
        else { return }
        #expect(series.map(\.values) == [[10]])
    }

    @Test func `results are charged against the query's budget`() throws {
        let entries = (0..<1_000).map { number in
            LogEntry(
                timestamp: Timestamp(nanoseconds: Int64(number)),
                stream: LogStream(labels: Labels([Label("a", "\(number)")])),
                line: "x", metadata: [])
        }
        let engine = LogQLEngine(source: MemoryLogSource(entries), limits: LogQLLimits(series: 100))
        guard case .metric(let expression) = try LogQLParser.query("count_over_time({a=~`.+`}[1s])"),
            let grid = StepGrid(from: Timestamp(nanoseconds: 0), through: Timestamp(nanoseconds: 10_000), step: 1)
        else { return }
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 1 << 20))) {
            try engine.metric(expression, over: grid, context: QueryContext(tenant: .default, byteLimit: 1 << 20))
        }
        let single = StepGrid(at: Timestamp(nanoseconds: 5_000))
        let error = #expect(throws: QueryError.self) {
            try engine.metric(expression, over: single, context: QueryContext(tenant: .default))
        }
        guard case .execution(let message) = error else { return }
        #expect(message.hasPrefix("maximum number of series (100) reached for a single query; "))
    }
}
