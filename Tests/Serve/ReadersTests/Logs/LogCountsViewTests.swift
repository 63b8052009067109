import Core
import Maintenance
import Observability
import QueryModel
import Randomness
import Readers
import Scheduling
import Testing

/// Counts from the view, from records and from both are those of the records, whatever is in memory, in parts and in the view.
struct LogCountsViewTests {
    private static let hour: Int64 = 3_600_000_000_000
    private static let start: Int64 = 480_000 * hour

    /// Counts by the values of labels and by span of time, `(t, t + width]`.
    private struct Counts: LogRowAggregate {
        struct Key: Hashable {
            var labels: [String]
            var span: Int64
        }

        let width: Int64
        var found: [Key: Int64] = [:]
        var addedUp = 0

        static func span(_ time: Int64, _ width: Int64) -> Int64 { (time - 1) / width }

        mutating func add(_ rows: borrowing LogRows) throws(QueryError) {
            for row in rows.rows {
                var labels: [String] = []
                for column in rows.labels {
                    labels.append(
                        column?.withBytes(code: Int(column?.codes[Int(row)] ?? 0)) { String(repairing: $0) } ?? "")
                }
                let count = rows.counts?[Int(row)] ?? 1
                if rows.counts != nil { addedUp += 1 }
                found[Key(labels: labels, span: Self.span(rows.times[Int(row)], width)), default: 0] += count
            }
        }

        mutating func merge(_ other: consuming Counts) throws(QueryError) {
            for (key, count) in other.found { found[key, default: 0] += count }
            addedUp += other.addedUp
        }
    }

    private static func record(_ random: inout SeededRandom) -> SentLog {
        func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: 0..<choices.count, using: &random)]
        }
        func text(_ key: String, _ value: String) -> Attribute { Attribute(key: key, value: .string(value)) }
        var record = SentLog()
        record.resource = pick([
            [text("service.name", "web")], [text("service.name", "web"), text("k8s.pod.name", "web-1")],
            [text("service.name", "db"), text("host.name", "h1")], [text("container.name", "box")], [],
            [text("service.name", "job"), text("level", "warning")],
        ])
        // Every tenth at a whole hour, which belongs to the hour that ends there.
        let hours = Int64.random(in: 0..<6, using: &random) * hour
        record.time =
            start + hours
            + (Int.random(in: 0..<10, using: &random) == 0 ? 0 : Int64.random(in: 0..<hour, using: &random))
        record.severityNumber = pick([1, 9, 9, 13, 17, 17, 24])
        record.severityText = pick(["", "INFO", "ERROR", "odd"])
        record.body = .string("line")
        return record
    }

    /// Asks a random question and compares the answer with the twin's.
    ///
    /// - Returns: how many rows of the view were in the answer.
    private static func ask(
        _ store: LogTestStore, _ twin: LogTwin, _ random: inout SeededRandom, _ comment: String
    ) throws -> Int {
        let names = [
            "service_name", "k8s_pod_name", "severity_text", "severity_number", "detected_level", "host_name",
            "user_id",
        ]
        .filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
        let conditions: [[LabelMatcher]] = [
            [], [], [try LabelMatcher("severity_text", .equal, "ERROR")],
            [try LabelMatcher("detected_level", .equal, "error")],
            [try LabelMatcher("host_name", .equal, "h1")], [try LabelMatcher("severity_number", .regex, "1.")],
        ]
        let width = [Self.hour, 2 * Self.hour, 600_000_000_000][Int.random(in: 0..<3, using: &random)]
        let first =
            start + Int64.random(in: -1...3, using: &random) * Self.hour
            + (Bool.random(using: &random) ? Int64.random(in: -5...5, using: &random) * 1_000_000_000 : 1)
        let request = LogScanRequest(
            selector: Bool.random(using: &random) ? [] : [try LabelMatcher("service_name", .regex, "web|db")],
            labels: conditions[Int.random(in: 0..<conditions.count, using: &random)],
            range: TimeRange(
                start: Timestamp(nanoseconds: first),
                end: Timestamp(nanoseconds: first + Int64.random(in: 1...7, using: &random) * Self.hour)),
            order: .any)
        let needs = LogRowNeeds(labels: names) {
            Counts.span($0.lowerBound, width) == Counts.span($0.upperBound, width)
        }
        let found = try store.reader.aggregate(request, needs, context: QueryContext(tenant: .default)) {
            Counts(width: width)
        }
        var expected: [Counts.Key: Int64] = [:]
        for entry in twin.entries(request) {
            let labels = names.map { LogTwin.value(of: $0, entry) }
            expected[Counts.Key(labels: labels, span: Counts.span(entry.time, width)), default: 0] += 1
        }
        #expect(found.found == expected, "\(comment): \(request)")
        return found.addedUp
    }

    @Test(arguments: 0..<8 as Range<Int>)
    func `counts are the same from the view and from records`(round: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let store = try LogTestStore(countsView: true)
        var policy = MaintenanceWorker.Policy()
        policy.retention = nil
        policy.limits.reserve = 0
        policy.rollup?.quietTime = 0
        policy.merge?.newParts = 2
        let worker = MaintenanceWorker(store.store, policy: policy, clock: { .min }, report: { _ in })
        let now = Timestamp(nanoseconds: Self.start + 10 * Self.hour)
        var twin = LogTwin()
        for batch in 0..<4 {
            var records = (0..<200).map { _ in Self.record(&random) }
            // What has labels of attributes or scopes, or levels of lines, is not answered from the view.
            if round == 1, batch == 2 { records[5].attributes = [Attribute(key: "level", value: .string("fatal"))] }
            if round == 2, batch == 1 { records[7].severityNumber = 0; records[7].severityText = "" }
            if round == 3, batch == 1 {
                records[7].scopeAttributes = [Attribute(key: "host.name", value: .string("scope"))]
            }
            twin.records += records
            try store.ingest(records)
            if batch < 3 { try store.flush() }
            for _ in 0..<Int.random(in: 0..<20, using: &random) { _ = worker.rollUpOnce(now: now) }
            if Bool.random(using: &random) { _ = worker.runOnce(now: now) }
        }
        var addedUp = 0
        for _ in 0..<30 { addedUp += try Self.ask(store, twin, &random, "seed \(seed), round \(round)") }
        if round == 0 { #expect(addedUp > 0) }
    }

    @Test func `an hour of the view begins behind a whole hour and ends with the next`() throws {
        let store = try LogTestStore(countsView: true)
        let times = [-1, 0, 1, Self.hour, Self.hour + 1].map { Self.start + $0 }
        try store.ingest(
            times.map { time in
                var record = SentLog(resource: [Attribute(key: "service.name", value: .string("s"))])
                record.time = time
                record.severityNumber = 9
                return record
            })
        try store.flush()
        let worker = MaintenanceWorker(store.store, policy: .init(), clock: { .min }, report: { _ in })
        while worker.rollUpOnce(now: Timestamp(nanoseconds: Self.start + 10 * Self.hour)) {}
        let range = TimeRange(
            start: Timestamp(nanoseconds: Self.start + 1), end: Timestamp(nanoseconds: Self.start + Self.hour + 1))
        let request = LogScanRequest(selector: [], range: range, order: .any)
        let needs = LogRowNeeds(labels: ["service_name"]) { _ in true }
        let context = QueryContext(tenant: .default)
        let found = try store.reader.aggregate(request, needs, context: context) { Counts(width: Self.hour) }
        #expect(found.found.values.reduce(0, +) == 2)
        #expect(found.addedUp == 1)
        #expect(
            context.statistics.plan == """
                from otel_logs_counts_1h select bucket, severity_number, count, resource, severity_text; \
                of other rows: from otel_logs select time, resource
                """)
    }
}
