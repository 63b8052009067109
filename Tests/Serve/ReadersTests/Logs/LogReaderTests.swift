import Core
import Observability
import Pattern
import QueryModel
import Readers
import Scheduling
import Synchronization
import Telemetry
import Testing

/// Entries of single records: rules M-4, M-5, M-7, L-2, L-13.
struct LogReaderTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let noon: Int64 = 20_000 * day + day / 2

    private func request(
        _ selector: [LabelMatcher] = [], lines: [LinePredicate] = [], hints: [LabelMatcher] = [],
        range: TimeRange = .everything, order: ScanOrder = .oldestFirst
    ) -> LogScanRequest {
        LogScanRequest(selector: selector, lines: lines, labels: hints, range: range, order: order)
    }

    private func service(_ name: String) -> [Attribute] { [Attribute(key: "service.name", value: .string(name))] }

    /// Asks before and after a flush.
    private func both(_ records: [SentLog], _ body: (LogTestStore) throws -> Void) throws {
        let store = try LogTestStore()
        try store.ingest(records)
        try body(store)
        try store.flush()
        #expect(store.partCount > 0)
        try body(store)
    }

    @Test func `M-4: every field of a record becomes metadata`() throws {
        var record = SentLog(resource: service("s") + [Attribute(key: "host.name", value: .string("h"))])
        record.scopeName = "lib"
        record.scopeVersion = "1.0"
        record.scopeDropped = 3
        record.scopeAttributes = [Attribute(key: "scoped", value: .bool(true))]
        record.time = Self.noon
        record.observed = Self.noon + 7
        record.severityNumber = 9
        record.severityText = "Information"
        record.body = .string("hello")
        record.attributes = [Attribute(key: "http.status", value: .int(200))]
        record.dropped = 2
        record.flags = 1
        record.traceID = TraceID(high: 1, low: 2)
        record.spanID = SpanID(word: 255)
        record.eventName = "e"
        try both([record]) { (store) throws in
            let entry = try #require(try store.entries(request()).first)
            #expect(entry.timestamp.nanoseconds == Self.noon)
            #expect(entry.line == "hello")
            #expect(entry.stream.labels.text == #"{service_name="s"}"#)
            #expect(
                entry.metadata.map { "\($0.name)=\($0.value)" } == [
                    "detected_level=info", "dropped_attributes_count=2", "event_name=e", "flags=1", "host_name=h",
                    "http_status=200", "observed_timestamp=\(Self.noon + 7)", "scope_dropped_attributes_count=3",
                    "scope_name=lib", "scope_version=1.0", "scoped=true", "severity_number=9",
                    "severity_text=Information", "span_id=00000000000000ff",
                    "trace_id=00000000000000010000000000000002",
                ])
        }
    }

    @Test func `M-4: of equal names the record's counts, then the scope's, then the resource's`() throws {
        func attribute(_ key: String, _ value: String) -> Attribute { Attribute(key: key, value: .string(value)) }
        var record = SentLog(
            resource: service("s") + [
                attribute("a", "resource"), attribute("b", "resource"), attribute("c", "resource"),
            ])
        record.scopeAttributes = [attribute("a", "scope"), attribute("b", "scope")]
        record.attributes = [
            attribute("a", "record"), attribute("event.name", "attribute"), attribute("service_name", "hidden"),
            attribute("x.y", "first"), attribute("x_y", "second"), attribute("b", ""),
        ]
        record.eventName = "field"
        record.time = Self.noon
        try both([record]) { (store) throws in
            let entry = try #require(try store.entries(request()).first)
            #expect(
                entry.metadata.map { "\($0.name)=\($0.value)" } == [
                    "a=record", "b=scope", "c=resource", "detected_level=unknown", "event_name=field", "x_y=first",
                ])
        }
    }

    @Test func `M-5: a body of any type is a line, and a time is found`() throws {
        let bodies: [(AttributeValue?, String)] = [
            (nil, ""), (.empty, ""), (.string(""), ""), (.string("a\nb"), "a\nb"), (.bool(true), "true"),
            (.int(-5), "-5"), (.double(0.5), "0.5"), (.bytes([1, 2, 3]), "AQID"),
            (.array([.string("x"), .int(1)]), #"["x",1]"#),
            (.map([Attribute(key: "k", value: .string("v"))]), #"{"k":"v"}"#),
        ]
        let records = bodies.enumerated().map { index, body in
            var record = SentLog(resource: service("s"))
            record.time = Self.noon + Int64(index)
            record.body = body.0
            return record
        }
        try both(records) { (store) throws in
            let entries = try store.entries(request())
            #expect(entries.map(\.line) == bodies.map(\.1))
            #expect(
                try store.entries(request(lines: [.contains(anyOf: ["QI", "\"k\":"])])).map(\.line) == [
                    "AQID", #"{"k":"v"}"#,
                ])
            #expect(
                try store.entries(request(lines: [.lacks(allOf: ["a", "e", "1", "v", "5"])])).map(\.line) == [
                    "", "", "", "AQID",
                ])
        }
    }

    @Test func `M-5: without a time the observed one counts, or that of receipt`() throws {
        let store = try LogTestStore()
        store.received = Self.noon + 2
        var observed = SentLog(resource: service("s"))
        observed.observed = Self.noon + 1
        try store.ingest([SentLog(resource: service("s")), observed])
        let entries = try store.entries(request())
        #expect(entries.map(\.timestamp.nanoseconds) == [Self.noon + 1, Self.noon + 2])
        #expect(entries.allSatisfy { $0.metadata.map(\.name) == ["detected_level"] })
        let records = try store.reader.logRecords(
            service: nil, traceID: nil, minimumSeverity: nil, contains: nil, in: .everything, limit: 10,
            context: QueryContext(tenant: .default))
        #expect(records.map(\.time.nanoseconds) == [0, 0])
        #expect(records.map(\.observedTime.nanoseconds) == [0, Self.noon + 1])
    }

    @Test func `M-7: a trace's id finds its records, wherever it was sent`() throws {
        let id = TraceID(high: 0xabcd, low: 0x1234)
        var records: [SentLog] = []
        for index in 0..<8 {
            var record = SentLog(resource: service("s"))
            record.time = Self.noon + Int64(index)
            record.body = .string("\(index)")
            switch index {
            case 0, 1: record.traceID = id
            case 2: record.traceID = TraceID(high: 1, low: 1)
            case 3: record.attributes = [Attribute(key: "trace.id", value: .string(id.hex))]
            case 4:
                record.attributes = [
                    Attribute(key: "trace", value: .map([Attribute(key: "id", value: .string(id.hex))]))
                ]
            case 5:
                record.traceID = TraceID(high: 1, low: 1)
                record.attributes = [Attribute(key: "trace_id", value: .string(id.hex))]
            case 6: record.resource += [Attribute(key: "trace_id", value: .string(id.hex))]
            default: record.scopeAttributes = [Attribute(key: "trace_id", value: .string(id.hex))]
            }
            records.append(record)
        }
        let hint = try LabelMatcher("trace_id", .equal, id.hex)
        for kept in [[0, 1, 2], [0, 2, 3, 5], [0, 1, 2, 4, 5], [2, 6], [2, 7], Array(0..<8)] {
            let sent = kept.map { records[$0] }
            try both(sent) { (store) throws in
                let entries = try store.entries(request(hints: [hint]))
                let matching = entries.filter { entry in entry.metadata.contains(Label("trace_id", id.hex)) }
                #expect(matching.map(\.line) == kept.filter { $0 != 2 && $0 != 5 }.map(String.init))
                // Records with another id of their own are not even handed over.
                #expect(!entries.contains { $0.line == "2" || $0.line == "5" })
            }
        }
        // Not how an id is written: no record has it.
        try both(records) { (store) throws in
            let upper = try LabelMatcher("trace_id", .equal, id.hex.uppercased())
            #expect(try store.entries(request(hints: [upper])).isEmpty)
        }
    }

    @Test func `who asks for entries gets equal ones of one timestamp too`() throws {
        var record = SentLog(resource: service("s"))
        record.time = Self.noon
        record.body = .string("twice")
        var other = record
        other.attributes = [Attribute(key: "a", value: .int(1))]
        var late = record
        late.time += 1
        try both([record, other, record, late, other, record]) { (store) throws in
            for order in [ScanOrder.oldestFirst, .newestFirst, .any] {
                #expect(try store.entries(request(order: order)).count == 6)
            }
        }
    }

    @Test func `L-13: equal times keep their order, forward and backward`() throws {
        let records = (0..<50).map { index in
            var record = SentLog(resource: service("s"))
            record.time = Self.noon + Int64(index / 10)
            record.body = .string("\(index)")
            return record
        }
        try both(records) { (store) throws in
            #expect(try store.entries(request()).map(\.line) == (0..<50).map(String.init))
            #expect(try store.entries(request(order: .newestFirst)).map(\.line) == (0..<50).reversed().map(String.init))
        }
    }

    @Test func `L-2: a range holds its start and not its end`() throws {
        let records = (0..<4).map { index in
            var record = SentLog(resource: service("s"))
            record.time = Self.noon + Int64(index)
            record.body = .string("\(index)")
            return record
        }
        try both(records) { (store) throws in
            let range = TimeRange(
                start: Timestamp(nanoseconds: Self.noon + 1), end: Timestamp(nanoseconds: Self.noon + 3))
            #expect(try store.entries(request(range: range)).map(\.line) == ["1", "2"])
            let nothing = TimeRange(start: range.start, end: range.start)
            #expect(try store.entries(request(range: nothing)).isEmpty)
        }
    }

    @Test func `a reader stops when its visitor does, and reads little for the newest entries`() throws {
        let store = try LogTestStore()
        for part in 0..<4 {
            try store.ingest(
                (0..<2000).map { index in
                    var record = SentLog(resource: service("s"))
                    record.time = Self.noon + Int64(part * 2000 + index)
                    record.body = .string("\(part * 2000 + index)")
                    return record
                })
            try store.flush()
        }
        let context = QueryContext(tenant: .default)
        var lines: [String] = []
        try store.reader.scan(request(order: .newestFirst), context: context) { (entries) throws(QueryError) -> Bool in
            lines += entries.map(\.line)
            return lines.count < 100
        }
        #expect(lines.prefix(100) == (7900..<8000).reversed().map(String.init)[...])
        #expect(context.statistics.blocksRead.load(ordering: .relaxed) == 1)
        try context.spend(bytes: context.byteLimit)
        context.release(bytes: context.byteLimit)
    }

    @Test func `a query that is cancelled, or may not hold what it reads, ends`() throws {
        try both([SentLog(resource: service("s"), time: Self.noon)]) { (store) throws in
            let cancelled = QueryContext(tenant: .default)
            cancelled.cancel()
            #expect(throws: QueryError.interrupted(.cancelled)) { try store.entries(request(), context: cancelled) }
            let poor = QueryContext(tenant: .default, byteLimit: 1)
            #expect(throws: QueryError.interrupted(.overBudget(bytes: 1))) {
                try store.entries(request(), context: poor)
            }
        }
    }

    @Test func `streams are those near a range that a selector accepts`() throws {
        var early = SentLog(resource: service("early"))
        early.time = Self.noon
        var late = SentLog(resource: service("late") + [Attribute(key: "k8s.pod.name", value: .string("p"))])
        late.time = Self.noon + 3 * Self.day
        try both([early, late]) { (store) throws in
            func streams(_ selectors: [[LabelMatcher]], _ range: TimeRange) throws -> [String] {
                try store.reader.streams(matching: selectors, in: range, context: QueryContext(tenant: .default)).map(
                    \.text)
            }
            let texts = [#"{service_name="early"}"#, #"{k8s_pod_name="p", service_name="late"}"#]
            #expect(try Set(streams([], .everything)) == Set(texts))
            let pod = [try LabelMatcher("k8s_pod_name", .equal, "p")]
            let early = [try LabelMatcher("service_name", .regex, "e.*")]
            #expect(try streams([pod], .everything) == [texts[1]])
            #expect(try Set(streams([early, pod], .everything)) == Set(texts))
            let day = TimeRange(
                start: Timestamp(nanoseconds: Self.noon - 5), end: Timestamp(nanoseconds: Self.noon + 5))
            #expect(try streams([], day) == [texts[0]])
            let tenant = try #require(TenantID("other"))
            let other = try store.reader.streams(
                matching: [], in: .everything, context: QueryContext(tenant: tenant))
            #expect(other.isEmpty)
        }
    }
}
