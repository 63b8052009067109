import Core
import Observability
import QueryModel
import Readers
import Scheduling
import Synchronization
import Testing
import TraceFixtures

@testable import TraceSearch

/// Searches over storage against plain arrays: group, filter, sort, cut (rules J-8 to J-10).
struct TraceSearchTwinTests {
    private let context = QueryContext(tenant: .default, byteLimit: .max)

    /// Each trace with its spans, every one once.
    private static func traces(_ spans: [TraceSpan]) -> [TraceID: [TraceSpan]] {
        var traces: [TraceID: [TraceSpan]] = [:]
        for span in spans {
            let content = SpanContent(span: span)
            if traces[span.traceID]?.contains(where: { SpanContent(span: $0) == content }) ?? false { continue }
            traces[span.traceID, default: []].append(span)
        }
        return traces
    }

    private struct Answer: Equatable, CustomStringConvertible {
        let id: TraceID
        let spans: [SpanID]

        init(_ id: TraceID, _ spans: [TraceSpan]) {
            self.id = id
            self.spans = spans.map(\.spanID).sorted()
        }

        var description: String { "\(id.hex): \(spans.count)" }
    }

    private static func naive(_ traces: [TraceID: [TraceSpan]], _ query: TraceQuery) -> [Answer] {
        let matchers = query.condition.leaves.map { SpanMatcher(query, leaf: $0) }
        func holds(_ spans: [TraceSpan]) -> Bool {
            var met: UInt64 = 0
            for (leaf, matcher) in matchers.enumerated() where spans.contains(where: { matcher.matches($0) }) {
                met |= 1 << UInt64(leaf)
            }
            return met != 0 && query.condition.holds(met)
        }
        func start(_ spans: [TraceSpan]) -> Timestamp { spans.map(\.start).min() ?? .max }
        /// The longest span that meets a leaf; of equal ones the newest.
        func longest(_ spans: [TraceSpan]) -> (Int64, Timestamp) {
            spans.filter { span in matchers.contains { $0.matches(span) } }.map { ($0.duration, $0.start) }.max {
                $0 < $1
            } ?? (0, .min)
        }
        return traces.filter { holds($0.value) }.sorted { left, right in
            switch query.order {
            case .newest:
                let (a, b) = (start(left.value), start(right.value))
                return a == b ? left.key < right.key : a > b
            case .longest:
                let (a, b) = (longest(left.value), longest(right.value))
                return a == b ? left.key < right.key : a > b
            }
        }.prefix(query.limit).map { Answer($0.key, $0.value) }
    }

    private func answers(_ storage: TraceStorage, _ query: TraceQuery) throws -> [Answer] {
        try TraceSearch(source: storage.reader).search(query, context: context).map { Answer($0.id, $0.spans) }
    }

    @Test(arguments: 500..<506 as Range<UInt64>, TraceStorage.State.allCases)
    func `awkward traces in parts and memory are found as in a plain array`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.awkwardSpans(traces: 70)
        let storage = try TraceStorage(sent, state)
        let traces = Self.traces(sent)
        let search = TraceSearch(source: storage.reader)
        for number in 0..<30 {
            let query = random.query(about: sent, limit: random.pick([1, 2, 7, 20, 1_000]))
            let expected = Self.naive(traces, query)
            #expect(try answers(storage, query) == expected, "seed \(seed), query \(number): \(query)")
            let summaries = try search.summaries(query, context: context)
            #expect(summaries.map(\.id) == expected.map(\.id), "seed \(seed), query \(number): \(query)")
            #expect(summaries.map(\.spanCount) == expected.map(\.spans.count), "seed \(seed), query \(number)")
        }
    }

    @Test(arguments: 520..<526 as Range<UInt64>, TraceStorage.State.allCases)
    func `traces are found by any tree of conditions, which several spans may meet, and in either order`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.awkwardSpans(traces: 50)
        let storage = try TraceStorage(sent, state)
        let traces = Self.traces(sent)
        var found = 0
        for number in 0..<60 {
            var query =
                random.oneIn(3)
                ? random.query(about: sent, limit: 1) : TraceQuery(range: .everything, limit: 1)
            query.limit = random.pick([1, 3, 20, 1_000])
            query.condition = random.traceCondition(about: sent)
            if random.oneIn(3) { query.order = .longest }
            let expected = Self.naive(traces, query)
            found += expected.isEmpty ? 0 : 1
            #expect(try answers(storage, query) == expected, "seed \(seed), query \(number): \(query)")
        }
        #expect(found > 20, "seed \(seed)")
    }

    @Test(arguments: 600..<603 as Range<UInt64>)
    func `every virtual tag finds the spans that show it`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.awkwardSpans(traces: 60)
        let storage = try TraceStorage(sent, .mixed)
        let traces = Self.traces(sent)
        let tags: [(String, [String])] = [
            ("error", ["true", "false", "x", "1", "T", "0", "False"]),
            ("span.kind", ["client", "server", "internal", "", "CLIENT", "unspecified"]),
            ("span.status", ["ok", "error", "unset", "", "Error"]),
            ("otel.status_code", ["OK", "ERROR", "UNSET", "ok", ""]),
            ("otel.status_description", ["deadline exceeded", ""]),
            ("otel.scope.name", ["lib-1", "lib-2", ""]), ("scope.name", ["lib-3", ""]),
            ("otel.scope.version", ["1.1", "1.2", ""]), ("scope.version", ["1.3"]),
            ("w3c.tracestate", ["vendor=1", "é=2", ""]), ("resource.service.name", ["svc-1", "svc-2"]),
            ("service.name", ["svc-3", ""]), ("resource.a", ["true", "3"]), ("scope.a", ["true", "GET"]),
        ]
        for (key, values) in tags {
            for value in values {
                let query = TraceQuery(tags: [(key, value)], range: .everything, limit: 1_000)
                #expect(try answers(storage, query) == Self.naive(traces, query), "seed \(seed): \(key)=\(value)")
            }
        }
    }

    @Test(arguments: 700..<702 as Range<UInt64>)
    func `searches of several threads while rows move into parts find the same`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.awkwardSpans(traces: 80)
        let storage = try TraceStorage(sent, .memory)
        let traces = Self.traces(sent)
        let queries = (0..<24).map { _ in random.query(about: sent, limit: random.pick([1, 20, 1_000])) }
        let expected = queries.map { Self.naive(traces, $0) }
        let reader = storage.reader
        let failures = Mutex<[String]>([])
        // It has locks of its own.
        nonisolated(unsafe) let flushed = storage
        let threads = (0..<5).map { worker in
            WorkerThread {
                do {
                    if worker == 0 { return try flushed.flush() }
                    for number in queries.indices where number % 4 == worker - 1 {
                        let context = QueryContext(tenant: .default, byteLimit: .max)
                        let found = try TraceSearch(source: reader).search(queries[number], context: context)
                        if found.map({ Answer($0.id, $0.spans) }) != expected[number] {
                            failures.withLock { $0.append("query \(number): \(queries[number])") }
                        }
                    }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [], "seed \(seed)")
    }

    /// More rows than a chunk has, which come in while searches run, with attributes, events and links on some.
    @Test func `rows in memory are found in whichever chunk they are`() throws {
        var random = RandomTraces(seed: 8)
        var sent: [TraceSpan] = []
        let storage = try TraceStorage()
        for round in 0..<3 {
            var some: [TraceSpan] = []
            for number in 0..<7_000 {
                let id = UInt64(round * 7_000 + number)
                var span = TraceSpan.make(
                    trace: id / 5 + 1, span: id + 1, service: "s\(id % 7)", name: "op-\(id % 40)",
                    start: RandomTraces.start + Int64(id) * 1_000_000, duration: Int64(id % 1_000))
                if id % 11 == 0 { span.attributes = [Attribute(key: "n", value: .int(Int64(id % 13)))] }
                if id % 17 == 0 { span.attributes.append(Attribute(key: "unique", value: .string("value-\(id)"))) }
                if id % 29 == 0 {
                    span.events = [
                        .init(
                            time: span.start, name: "e", attributes: [Attribute(key: "x", value: .int(Int64(id % 5)))],
                            droppedAttributesCount: 0)
                    ]
                }
                if id % 31 == 0 {
                    span.links = [
                        .init(
                            traceID: TraceID(high: 9, low: id), spanID: SpanID(word: id + 1), traceState: "",
                            attributes: [], droppedAttributesCount: 0, flags: 0)
                    ]
                }
                some.append(span)
            }
            try storage.send(some)
            sent += some
            let newest = sent.count - 1
            for query in [
                TraceQuery(service: "s3", operation: "op-7", range: .everything, limit: 5),
                TraceQuery(tags: [("n", "4")], range: .everything, limit: 20),
                TraceQuery(tags: [("unique", "value-\(newest / 17 * 17)")], range: .everything, limit: 20),
                TraceQuery(tags: [("unique", "value-17")], range: .everything, limit: 20),
                TraceQuery(tags: [("x", "3"), ("n", "0")], range: .everything, limit: 3),
                TraceQuery(
                    minDuration: 990,
                    range: TimeRange(start: sent[newest / 2].start, end: sent[newest / 2 + 1_500].start), limit: 50),
            ] {
                let traces = Dictionary(grouping: sent, by: \.traceID)
                #expect(try answers(storage, query) == Self.naive(traces, query), "round \(round): \(query)")
            }
            let ids = (0..<50).map { _ in sent[random.below(sent.count)].traceID }
            let found = try storage.reader.spans(of: ids, context: context)
            for (id, spans) in zip(ids, found) {
                let expected = sent.filter { $0.traceID == id }
                #expect(Set(spans.map { SpanContent(span: $0) }) == Set(expected.map { SpanContent(span: $0) }))
                #expect(spans.count == expected.count)
            }
        }
        let statistics = QueryContext(tenant: .default)
        _ = try storage.reader.spans(of: [sent[100].traceID], context: statistics)
        let read = statistics.statistics.memoryRowsRead.load(ordering: .relaxed)
        #expect(read <= 2 * 8192 && read < sent.count, "\(read) rows of \(sent.count) were looked at")
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `a trace of very many spans is answered whole, or not within a small budget`(
        state: TraceStorage.State
    ) throws {
        let sent = (1...12_000 as ClosedRange<UInt64>).map {
            TraceSpan.make(trace: 1, span: $0, parent: $0 / 2, start: RandomTraces.start + Int64($0))
        }
        let storage = try TraceStorage(sent + [.make(trace: 2, span: 1, start: 5)], state, requests: 3)
        let search = TraceSearch(source: storage.reader)
        let id = sent[0].traceID
        #expect(try search.trace(id, context: context)?.spans.count == 12_000)
        let small = QueryContext(tenant: .default, byteLimit: 8 << 20)
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 8 << 20))) { try search.trace(id, context: small) }
        let limited = QueryContext(tenant: .default, byteLimit: 8 << 20)
        let found = try search.search(TraceQuery(range: .everything, limit: 5), context: limited)
        #expect(found.map(\.id.low) == [2])
        #expect(limited.statistics.warnings.count == 1)
        // A summary of it fits.
        let summaries = try search.summaries(
            TraceQuery(range: .everything, limit: 5), context: QueryContext(tenant: .default, byteLimit: 8 << 20))
        #expect(summaries.map(\.spanCount) == [12_000, 1])
    }
}
