import Core
import Pattern
import QueryModel
import Randomness
import Readers
import Scheduling
import Testing

/// Random records and queries, answered by the store and by the twin.
struct LogReaderRandomTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let start: Int64 = 20_000 * day + day / 2

    private struct Generator {
        var random: SeededRandom
        /// Whether something else than a severity may have a severity's labels, or tell a level.
        var hidesSeverities = true

        mutating func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: 0..<choices.count, using: &random)]
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

        mutating func record(span: Int64) -> SentLog {
            func text(_ key: String, _ value: String) -> Attribute { Attribute(key: key, value: .string(value)) }
            var record = SentLog()
            record.resource = pick([
                [text("service.name", "web")], [text("service.name", "web"), text("k8s.pod.name", "web-1")],
                [text("service.name", "db"), text("host.name", "h1"), text("region", "eu")],
                [Attribute(key: "service.name", value: .int(7))], [text("container.name", "box")], [],
                [text("k8s.job.name", "nightly"), text("trace_id", "r")]
                    + (hidesSeverities ? [text(pick(["level", "severity_number"]), "warning")] : []),
            ])
            if chance(50) { record.scopeName = pick(["lib", "other"]) }
            if chance(20) { record.scopeVersion = "2" }
            if chance(20) { record.scopeAttributes = [text("user.id", "scope"), text("region", "scope")] }
            if hidesSeverities, chance(5) { record.scopeAttributes = [text("severity.text", "INFO")] }
            let time = LogReaderRandomTests.start + Int64.random(in: 0..<max(1, span), using: &random)
            if chance(90) { record.time = time }
            if chance(50) { record.observed = time + Int64.random(in: -5...5, using: &random) }
            record.severityNumber = pick([0, 0, 0, 1, 9, 13, 17, 24, 30])
            if chance(20) { record.severityText = pick(["INFO", "Error", "odd"]) }
            record.body = body()
            record.attributes = attributes()
            if chance(5) { record.dropped = 4 }
            if chance(5) { record.flags = 1 }
            if chance(30) { record.traceID = TraceID(high: 5, low: UInt64.random(in: 0..<8, using: &random)) }
            if chance(30) { record.spanID = SpanID(word: UInt64.random(in: 1..<4, using: &random)) }
            if chance(5) { record.eventName = pick(["start", "stop"]) }
            return record
        }

        mutating func body() -> AttributeValue? {
            let words = [
                "GET /a", "GET", "needle", "ee", "level=debug", "error", "x=\"y\"", "é", "", "{\"level\":\"warn\"}",
            ]
            switch Int.random(in: 0..<40, using: &random) {
            case 20...30:
                // What statements write, so that parts store templates.
                let number = Int.random(in: 0..<200, using: &random)
                return .string(
                    pick(["took \(number)ms for GET 10.0.\(number).1", "needle 00\(number % 9) of 2ZYF\(number)"]))
            case 31...39: return .string(pick(["level=debug started", "error: refused to eGET"]))
            case 0: return nil
            case 1: return .int(Int64.random(in: 0...200, using: &random))
            case 2: return .map([Attribute(key: pick(["level", "msg"]), value: .string(pick(words)))])
            case 3: return .bytes([UInt8(1), 2, UInt8.random(in: 0...255, using: &random)])
            default:
                return .string(
                    (0..<Int.random(in: 0...4, using: &random)).map { _ in pick(words) }.joined(
                        separator: pick([" ", ""])))
            }
        }

        mutating func attributes() -> [Attribute] {
            var result: [Attribute] = []
            if chance(40) {
                result.append(Attribute(key: "user.id", value: pick([.int(1), .int(2), .string("1"), .bool(true)])))
            }
            if chance(10) { result.append(Attribute(key: "user_id", value: .string("second"))) }
            if chance(10) {
                result.append(
                    Attribute(
                        key: "trace",
                        value: .map([
                            Attribute(key: "id", value: .string(TraceID(high: 5, low: 1).hex)),
                            Attribute(key: "n", value: .int(1)),
                        ])))
            }
            if hidesSeverities { result += severities() }
            if chance(20) { result.append(Attribute(key: "list", value: .array([.int(1), .string("x")]))) }
            if chance(5) { result.append(Attribute(key: "service_name", value: .string("fake"))) }
            return result
        }

        /// What comes before a severity, or is taken for one that is not sent.
        mutating func severities() -> [Attribute] {
            var result: [Attribute] = []
            if chance(10) { result.append(Attribute(key: "detected_level", value: .string(pick(["WARN", "weird"])))) }
            if chance(10) { result.append(Attribute(key: "lvl", value: .string("dbg"))) }
            if chance(5) { result.append(Attribute(key: "severity.number", value: .int(pick([17, 3])))) }
            if chance(5) {
                let member = Attribute(key: "text", value: .string(pick(["INFO", "x"])))
                result.append(Attribute(key: "severity", value: .map([member])))
            }
            return result
        }

        /// Conditions on labels.
        private mutating func conditions() throws -> [LabelMatcher] {
            let conditions: [[LabelMatcher]] = [
                [], [], [], [try LabelMatcher("trace_id", .equal, TraceID(high: 5, low: 1).hex)],
                [try LabelMatcher("span_id", .equal, SpanID(word: 2).hex)],
                [try LabelMatcher("service_name", .notEqual, "web")], [try LabelMatcher("user_id", .equal, "1")],
                [try LabelMatcher("detected_level", .regex, "warn|error")], [try LabelMatcher("region", .equal, "eu")],
                [try LabelMatcher("user_id", .notEqual, "1")], [try LabelMatcher("detected_level", .equal, "info")],
                [try LabelMatcher("severity_text", .equal, "INFO")],
                [try LabelMatcher("severity_text", .notEqual, "odd")],
                [try LabelMatcher("severity_number", .regex, "1.?")], [try LabelMatcher("scope_name", .equal, "lib")],
                [try LabelMatcher("severity_number", .equal, pick(["17", "3", "30", ""]))],
                [try LabelMatcher("severity_number", .notEqual, pick(["9", "0", ""]))],
                [try LabelMatcher("severity_text", .regex, pick(["|odd", "I.*", "e.*"]))],
                [try LabelMatcher("severity_text", .notRegex, pick(["|odd", "I.*"]))],
                [try LabelMatcher("detected_level", .equal, pick(["error", "fatal", "odd", "unknown", "weird"]))],
                [try LabelMatcher("detected_level", .notRegex, pick(["error|info", "warn", "u.*"]))],
                [
                    try LabelMatcher("k8s_pod_name", .equal, "web-1"),
                    try LabelMatcher("detected_level", .equal, "info"),
                ],
                [try LabelMatcher("detected_level", .notEqual, "debug"), try LabelMatcher("user_id", .notEqual, "")],
                [try LabelMatcher("level", .equal, "warning")], [try LabelMatcher("trace_n", .equal, "1")],
            ]
            return pick(conditions)
        }

        mutating func request(span: Int64) throws -> LogScanRequest {
            let texts = [
                "needle", "GET", "e", "eGET", "", "zzz", "level", "1", "é", "\"level\"", "took", "7ms for", "GET 10.",
                "0.1", "F1", "dle 00", "refused", "1 of 2",
            ]
            var lines: [LinePredicate] = []
            for _ in 0..<pick([0, 0, 1, 1, 2]) {
                let chosen = (0..<pick([1, 1, 2])).map { _ in pick(texts) }
                switch Int.random(in: 0..<4, using: &random) {
                case 0: lines.append(.contains(anyOf: chosen))
                case 1: lines.append(.lacks(allOf: chosen))
                case 2:
                    lines.append(
                        .matches(anyOf: [
                            try Pattern(
                                unanchored: pick([
                                    "n..dle", "GET", "^e", "$", "a|é", "took [0-9]+ms", "needle 0+[1-5] of|GET$",
                                ]))
                        ]))
                default: lines.append(.mismatches(allOf: [try Pattern(unanchored: pick(["n..dle", "(?i)get", "^$"]))]))
                }
            }
            let selectors: [[LabelMatcher]] = [
                [], [], [try LabelMatcher("service_name", .equal, "web")],
                [try LabelMatcher("service_name", .regex, "web|db|7")],
                [try LabelMatcher("k8s_pod_name", .notEqual, "")],
                [try LabelMatcher("service_name", .notRegex, "w.*"), try LabelMatcher("region", .equal, "")],
            ]
            var bounds = [0, 1].map { _ in
                LogReaderRandomTests.start + Int64.random(in: -5...(span + 5), using: &random)
            }
            bounds.sort()
            let range =
                chance(40)
                ? .everything
                : TimeRange(start: Timestamp(nanoseconds: bounds[0]), end: Timestamp(nanoseconds: bounds[1]))
            return LogScanRequest(
                selector: pick(selectors), lines: lines, labels: try conditions(), range: range,
                order: pick([.oldestFirst, .newestFirst, .any]))
        }
    }

    /// Compares one answer with the twin's.
    private func compare(
        _ store: LogTestStore, _ entries: [PlainEntry], _ request: LogScanRequest, names: Int, _ comment: String
    ) throws {
        let answer = try store.entries(request).map(PlainEntry.init)
        #expect(answer.sorted() == entries.sorted(), "\(comment): \(request)")
        let order = answer.map(\.time)
        switch request.order {
        case .any: break
        case .oldestFirst: #expect(order == order.sorted(), "\(comment)")
        case .newestFirst: #expect(order == order.sorted(by: >), "\(comment)")
        }
        var some = request
        some.order = .any
        some.metadataNames = ["user_id", "region", "detected_level", "trace_n"].filter { $0.utf8.count % 5 != names }
            .reduce(into: []) { $0.insert($1) }
        let partial = try store.entries(some).map(PlainEntry.init)
        let expected = entries.map { entry in
            var entry = entry
            entry.metadata.removeAll { !(some.metadataNames?.contains($0.name) ?? true) }
            return entry
        }
        #expect(partial.sorted() == expected.sorted(), "\(comment): \(some)")
        var bare = request
        bare.needsLine = false
        bare.needsMetadata = false
        bare.order = .any
        bare.labels = []
        var unhinted = request
        unhinted.labels = []
        let counted = try store.entries(bare)
        #expect(counted.allSatisfy { $0.line.isEmpty && $0.metadata.isEmpty })
        unhinted.order = .any
        #expect(try store.entries(unhinted).count == counted.count)
        let labels = [
            "service_name", "user_id", "detected_level", "severity_text", "severity_number", "region", "trace_n",
            "trace_id",
            "observed_timestamp", "scope_name", "k8s_pod_name", "level", "nobody", "list",
        ]
        let rows = try store.rows(request, LogRowNeeds(labels: labels, lines: true))
        let expectedRows = entries.map { entry in
            CollectedRows.Row(time: entry.time, labels: labels.map { LogTwin.value(of: $0, entry) }, line: entry.line)
        }
        #expect(count(rows.rows) == count(expectedRows), "\(comment): \(request)")
    }

    private func count(_ rows: [CollectedRows.Row]) -> [CollectedRows.Row: Int] {
        rows.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test(arguments: [(300, 100), (600, 1_000_000_000), (900, 3 * day)])
    func `memory, parts and both answer as the records themselves`(count: Int, span: Int64) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Generator(random: SeededRandom(seed: seed))
        let store = try LogTestStore()
        store.received = Self.start + 1
        var twin = LogTwin(received: Self.start + 1)
        for round in 0..<4 {
            var records: [SentLog] = []
            generator.hidesSeverities = generator.chance(50)
            for _ in 0..<(count / 4) { records.append(generator.record(span: span)) }
            twin.records += records
            try store.ingest(records)
            for _ in 0..<16 {
                let request = try generator.request(span: span)
                try compare(
                    store, twin.entries(request), request, names: generator.pick(Array(0..<5)),
                    "seed \(seed), round \(round)")
            }
            if round != 2 { try store.flush() }
            for _ in 0..<16 {
                let request = try generator.request(span: span)
                try compare(
                    store, twin.entries(request), request, names: generator.pick(Array(0..<5)),
                    "seed \(seed), after round \(round)")
            }
        }
        let volumes = try store.reader.volumes(matching: [], in: .everything, context: QueryContext(tenant: .default))
        var expected: [[Label]: (Int, Int)] = [:]
        for entry in twin.records.map(twin.entry) {
            expected[entry.stream, default: (0, 0)].0 += 1
            expected[entry.stream, default: (0, 0)].1 += entry.line.utf8.count
        }
        #expect(volumes.count == expected.count)
        for volume in volumes {
            #expect(volume.entries == expected[volume.stream.labels.pairs]?.0, "seed \(seed)")
            #expect(volume.bytes == expected[volume.stream.labels.pairs]?.1, "seed \(seed)")
        }
    }

    @Test func `records come back as they were sent, the newest first`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = Generator(random: SeededRandom(seed: seed))
        let store = try LogTestStore()
        var records: [SentLog] = []
        for index in 0..<400 {
            var record = generator.record(span: Self.day)
            record.time = Self.start + Int64(index) * 1_000_000
            record.resourceDropped = index % 7 == 0 ? 5 : 0
            records.append(record)
        }
        try store.ingest(records.shuffled(using: &generator.random))
        let context = QueryContext(tenant: .default)
        for isFlushed in [false, true] {
            if isFlushed { try store.flush() }
            let answer = try store.reader.logRecords(
                service: nil, traceID: nil, minimumSeverity: nil, contains: nil, in: .everything, limit: 300,
                context: context)
            #expect(answer.map(sent) == records.reversed().prefix(300).map(normalized), "seed \(seed)")
            let few = try store.reader.logRecords(
                service: "web", traceID: TraceID(high: 5, low: 1), minimumSeverity: 9, contains: "e", in: .everything,
                limit: 300, context: context)
            let expected = records.reversed().filter { record in
                record.resource.contains(Attribute(key: "service.name", value: .string("web")))
                    && record.traceID == TraceID(high: 5, low: 1) && record.severityNumber >= 9
                    && (record.body?.text ?? "").utf8.contains(UInt8(ascii: "e"))
            }
            #expect(few.map(sent) == expected.map(normalized), "seed \(seed)")
        }
    }

    private func normalized(_ record: SentLog) -> SentLog {
        var record = record
        record.body = record.body ?? .empty
        return record
    }

    private func sent(_ record: LogRecord) -> SentLog {
        SentLog(
            resource: record.resource.attributes, resourceDropped: record.resource.droppedAttributesCount,
            scopeName: record.scope.name, scopeVersion: record.scope.version,
            scopeAttributes: record.scope.attributes, scopeDropped: record.scope.droppedAttributesCount,
            time: record.time.nanoseconds, observed: record.observedTime.nanoseconds,
            severityNumber: record.severityNumber, severityText: record.severityText, body: record.body,
            attributes: record.attributes, dropped: record.droppedAttributesCount, flags: record.flags,
            traceID: record.traceID, spanID: record.spanID, eventName: record.eventName)
    }

    @Test func `blocks of many rows, in parts that overlap, come out in order`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let store = try LogTestStore()
        var times: [Int64] = []
        for _ in 0..<3 {
            let records = (0..<12_000).map { index in
                let service = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
                var record = SentLog(resource: [Attribute(key: "service.name", value: .string(service))])
                record.time = Self.start + Int64.random(in: 0..<1_000_000, using: &random)
                record.body = .string("line \(index) of \(service)")
                return record
            }
            times += records.map(\.time)
            try store.ingest(records)
            try store.flush()
        }
        times.sort()
        var request = LogScanRequest(selector: [], range: .everything, order: .oldestFirst, needsMetadata: false)
        #expect(try store.entries(request).map(\.timestamp.nanoseconds) == times, "seed \(seed)")
        request.order = .newestFirst
        #expect(try store.entries(request).map(\.timestamp.nanoseconds) == times.reversed(), "seed \(seed)")
        request.lines = [.contains(anyOf: ["line 77 "])]
        request.selector = [try LabelMatcher("service_name", .regex, "a|b")]
        let found = try store.entries(request)
        #expect(found.allSatisfy { $0.line == "line 77 of \($0.stream.labels["service_name"])" })
    }
}
