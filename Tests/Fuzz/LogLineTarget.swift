import Core
import LogQL
import QueryModel
import Scheduling

/// The two readers of a line's fields: those on the bytes of rows (`RowMachine`, `LogfmtCursor`) find what those on entries find
/// (`JSONFields`, `LogfmtFields`), and fail where they fail.
extension FuzzTarget {
    static let logLine = FuzzTarget("logline", seeds: { logLineSeeds.map { Array($0.utf8) } }) { bytes in
        let source = OneLine(Array(bytes))
        let engine = LogQLEngine(source: source)
        for parser in logLineParsers {
            guard let entry = entry(of: "{app=`a`} | \(parser)", engine) else {
                preconditionFailure("a parser drops no line")
            }
            let names = groupable(entry.parsed.map(\.name) + ["app", "app_extracted", "x", "a_b"])
            let labels = labels(parser + " | drop __error__, __error_details__", by: names, "count_over_time", engine)
            let expected = Labels(names.map { Label($0, entry.value(of: $0) ?? "") })
            precondition(labels?.labels == expected, "\(parser): \(expected.text), not \(labels?.labels.text ?? "")")
            let fails = Self.labels(parser, by: [], "count_over_time", engine) == nil
            precondition(fails == entry.hasError, "\(parser): an error is \(entry.hasError ? "not " : "")told")
            if entry.hasError { continue }
            // A line that is not UTF-8 counts with its bytes, unless a stage made another one of it.
            let length = source.isLine(entry.line) ? bytes.count : entry.line.utf8.count
            for names in [[], nil] as [[String]?] {
                let found = Self.labels(parser, by: names, "bytes_over_time", engine)?.value
                precondition(found == Double(length), "\(parser): a line of another length is left")
            }
        }
    }

    private static let logLineParsers = [
        "json", "json x=`a.b`, y=`list[1]`, app=`status`", "logfmt", "logfmt --strict", "logfmt --keep-empty",
        "logfmt --strict x=`status`, y=`msg`", "unpack", "decolorize | json",
    ]

    private static let logLineSeeds = [
        #"{"status":500,"a":{"b":"\u00e9\ud83d\ude00\ud83d","list":[1,{"c":[]},null]},"list":[true,"q\"\\"],"app":"x","a_b":1e3}"#,
        #"{"_entry":"a line","level":"error","é":"e\u0301","1k":"k","":"nothing","x":"bad\x"} rest"#,
        #"level=error msg="a \"b\" \u0041" status=500 app=x plain é=1 x= y="open"#,
        "a=b=c \"q\"=1 =v k=\"v\"w  \t1k=2", "{\"a\":{\"a\":{\"a\":[[[[-1.5E+7]]]]}}}",
        "\u{1B}[31m{\"x\":\"\u{212A}\"}\u{1B}[0m", "",
    ]

    /// The line as the pipeline for entries leaves it.
    private static func entry(of query: String, _ engine: LogQLEngine) -> PipelineEntry? {
        guard let selector = try? LogQLParser.logSelector(query) else { preconditionFailure("\(query) is a query") }
        let query = LogQuery(selector: selector, range: .everything, limit: 1)
        return (try? engine.logs(query, context: QueryContext(tenant: .default)))?.first
    }

    /// The names that a query can group by, each once.
    private static func groupable(_ names: [String]) -> [String] {
        Set(names).sorted().filter { name in
            !name.isEmpty && !name.hasPrefix("__error")
                && (try? LogQLParser.query(metric("json", by: [name], "rate"))) != nil
        }
    }

    /// - Parameter names: nil groups by no names, so that entries are made.
    private static func metric(_ stages: String, by names: [String]?, _ operation: String) -> String {
        let grouping = names.map { "by (\($0.joined(separator: ",")))" } ?? "without (app)"
        return "sum \(grouping) (\(operation)({app=`a`} | \(stages) [1s]))"
    }

    /// The labels of the only series, and its value; nil if the line has an error.
    private static func labels(
        _ stages: String, by names: [String]?, _ operation: String, _ engine: LogQLEngine
    ) -> (labels: Labels, value: Double)? {
        guard case .metric(let expression)? = try? LogQLParser.query(metric(stages, by: names, operation)) else {
            preconditionFailure("\(stages) makes a query")
        }
        let grid = StepGrid(at: Timestamp(nanoseconds: 1_000_000))
        let result = try? engine.metric(expression, over: grid, context: QueryContext(tenant: .default))
        guard case .series(let series)? = result else { return nil }
        precondition(series.count == 1, "one line makes \(series.count) series")
        return (series[0].labels, series[0].values[0])
    }
}

/// One line of the stream `{app="a"}`, as bytes for those who read rows, and as an entry.
private struct OneLine: LogSource {
    private let bytes: [UInt8]
    private let entry: LogEntry
    /// Whether a pipeline left the line as it was.
    func isLine(_ text: String) -> Bool { entry.line.utf8.elementsEqual(text.utf8) }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        entry = LogEntry(
            timestamp: Timestamp(nanoseconds: 1), stream: LogStream(labels: Labels([Label("app", "a")])),
            line: String(decoding: bytes, as: UTF8.self), metadata: [])
    }

    func scan(
        _ request: LogScanRequest, context: QueryContext, visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        _ = try visit([entry])
    }

    func streams(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] { [entry.stream.labels] }

    func aggregate<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext, state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State {
        let entry = entry
        var result = state()
        try result.add(
            LogRows(
                rows: [0], times: Buffer([1]),
                labels: needs.labels.map { $0 == "app" ? Self.column(Array("a".utf8)) : nil },
                lines: needs.lines ? Self.column(bytes) : nil, rank: (0, 0),
                entry: { (_) throws(QueryError) in entry }))
        return result
    }

    private static func column(_ text: [UInt8]) -> LogTextColumn {
        LogTextColumn(codes: Buffer([0]), offsets: Buffer([0, UInt32(text.count)]), contents: Buffer(text))
    }
}
