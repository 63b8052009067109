import Core
import Observability
import Pattern
import QueryModel
import Readers
import Scheduling
import Synchronization
import Testing

/// Conditions on severities leave out what zones and dictionaries rule out, and nothing that another label may tell (rules M-4, M-6).
struct LogSeverityTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let noon: Int64 = 20_000 * day + day / 2

    private func record(_ number: Int32, text: String = "", day: Int64, _ attributes: [Attribute] = []) -> SentLog {
        var record = SentLog(resource: [Attribute(key: "service.name", value: .string("s"))])
        record.time = Self.noon + day * Self.day
        record.severityNumber = number
        record.severityText = text
        record.body = .string("line")
        record.attributes = attributes
        return record
    }

    /// Two days, each of which has a part.
    private func parts(_ first: SentLog, _ second: SentLog) throws -> LogTestStore {
        let store = try LogTestStore()
        try store.ingest([first, second])
        try store.flush()
        try #require(store.partCount == 2)
        return store
    }

    /// - Returns: how many entries the condition accepts, and how many blocks were read for that.
    private func ask(
        _ store: LogTestStore, _ name: String, _ operator: LabelMatcher.Operator, _ value: String
    ) throws -> (entries: Int, blocks: Int) {
        let context = QueryContext(tenant: .default)
        let request = LogScanRequest(
            selector: [], labels: [try LabelMatcher(name, `operator`, value)], range: .everything, order: .newestFirst)
        let entries = try store.entries(request, context: context)
        return (entries.count, context.statistics.blocksRead.load(ordering: .relaxed))
    }

    @Test(arguments: [
        ("detected_level", LabelMatcher.Operator.equal, "error"), ("detected_level", .regex, "err.*|fatal"),
        ("detected_level", .notEqual, "info"), ("severity_number", .equal, "17"), ("severity_number", .notRegex, "9|1"),
        ("severity_text", .equal, "ERROR"), ("severity_text", .notEqual, "INFO"),
    ])
    func `a part without the severity is left out`(name: String, _ operator: LabelMatcher.Operator, value: String)
        throws
    {
        let store = try parts(record(17, text: "ERROR", day: 0), record(9, text: "INFO", day: 1))
        #expect(try ask(store, name, `operator`, value) == (1, 1))
    }

    @Test func `the number tells where there is no text, and the text where there is one`() throws {
        let store = try parts(record(17, day: 0), record(9, day: 1))
        #expect(try ask(store, "detected_level", .equal, "error") == (1, 1))
        #expect(try ask(store, "detected_level", .equal, "debug") == (0, 0))
        #expect(try ask(store, "severity_text", .equal, "") == (2, 2))
        #expect(try ask(store, "severity_text", .notEqual, "") == (0, 0))
        let texts = try parts(record(17, text: "Information", day: 0), record(9, text: "odd", day: 1))
        #expect(try ask(texts, "detected_level", .equal, "info") == (1, 1))
        #expect(try ask(texts, "detected_level", .equal, "odd") == (1, 1))
        #expect(try ask(texts, "detected_level", .equal, "error") == (0, 0))
    }

    @Test func `a severity that was not sent leaves the level to the line, and its labels to attributes`() throws {
        let store = try parts(record(0, day: 0), record(9, day: 1))
        #expect(try ask(store, "detected_level", .equal, "unknown") == (1, 1))
        #expect(try ask(store, "severity_number", .equal, "") == (1, 1))
        #expect(try ask(store, "severity_number", .notEqual, "") == (1, 1))
        let hidden = try parts(
            record(0, day: 0, [Attribute(key: "severity.number", value: .int(17))]),
            record(9, day: 1, [Attribute(key: "lvl", value: .string("error"))]))
        #expect(try ask(hidden, "severity_number", .equal, "17") == (1, 1))
        #expect(try ask(hidden, "detected_level", .equal, "error") == (1, 2))
        #expect(try ask(hidden, "detected_level", .equal, "unknown") == (1, 2))
    }
}
