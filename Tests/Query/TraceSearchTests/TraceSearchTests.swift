import Core
import QueryModel
import Randomness
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// The selection of traces against a naive twin, and what surrounds it.
struct TraceSearchTests {
    private let context = QueryContext(tenant: .default)

    @Test(arguments: 0..<200) func `a search equals filtering and sorting all traces`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let spans = Self.randomSpans(&random)
        let query = Self.randomQuery(&random)
        let source = MemoryTraceSource(spans, batchSize: Int.random(in: 1...40, using: &random))
        let found = try TraceSearch(source: source).search(query, context: context)
        let expected = Self.naive(spans, query)
        #expect(found.map(\.id) == expected.map(\.id), "seed \(seed)")
        #expect(found.map(\.spans.count) == expected.map(\.spans.count), "seed \(seed)")
    }

    @Test func `a search of few traces among many reads only the newest spans`() throws {
        let spans = (0..<10_000).map { TraceSpan.make(trace: $0 + 1, span: 1, start: Int64($0) * 1_000) }
        let source = MemoryTraceSource(spans, batchSize: 50)
        let query = TraceQuery(range: .everything, limit: 20)
        let found = try TraceSearch(source: source).search(query, context: context)
        #expect(found.map(\.id.low) == (0..<20).map { 10_000 - $0 })
        #expect(source.handedOverCount <= 100)
    }

    @Test func `a long trace with a late match gives way to traces that began later`() throws {
        let spans = [
            TraceSpan.make(trace: 1, span: 1, name: "root", start: 0, duration: 100),
            TraceSpan.make(trace: 1, span: 2, parent: 1, name: "late", start: 99),
            TraceSpan.make(trace: 2, span: 3, name: "late", start: 50),
        ]
        let query = TraceQuery(operation: "late", range: .everything, limit: 1)
        let found = try TraceSearch(source: MemoryTraceSource(spans, batchSize: 1)).search(query, context: context)
        #expect(found.map(\.id.low) == [2])
    }

    @Test func `of traces that begin together those with the least ids are answered (J-10)`() throws {
        let spans = [5, 2, 9, 1].map { TraceSpan.make(trace: $0, span: 1, start: 7) }
        for limit in 1...4 {
            let found = try TraceSearch(source: MemoryTraceSource(spans, batchSize: 1))
                .search(TraceQuery(range: .everything, limit: limit), context: context)
            #expect(found.map(\.id.low) == Array([1, 2, 5, 9].prefix(limit)))
        }
    }

    @Test func `an answer holds complete traces, also what lies outside the range (J-8, J-24)`() throws {
        let spans = [
            TraceSpan.make(trace: 1, span: 1, service: "front", start: 0),
            TraceSpan.make(trace: 1, span: 2, parent: 1, service: "back", start: 500),
            TraceSpan.make(trace: 1, span: 3, parent: 2, service: "store", start: 60_000_000_000),
        ]
        let range = TimeRange(start: Timestamp(nanoseconds: 400), end: Timestamp(nanoseconds: 600))
        let query = TraceQuery(service: "back", range: range, limit: 5)
        let found = try TraceSearch(source: MemoryTraceSource(spans)).search(query, context: context)
        #expect(found.map { $0.spans.map(\.spanID.word) } == [[1, 2, 3]])
    }

    @Test func `a span stored twice is shown once, and two spans with one id are both shown`() throws {
        let nan = [Attribute(key: "x", value: .array([.double(.nan)]))]
        let twin = TraceSpan.make(trace: 1, span: 7, attributes: nan)
        let other = TraceSpan.make(trace: 1, span: 7, kind: 3, attributes: nan)
        let trace = try #require(Trace(id: twin.traceID, spans: [twin, other, twin]))
        #expect(trace.spans.map(\.kind).sorted() == [2, 3])
    }

    @Test func `traces are answered in the order asked for, each once, and missing ones are left out`() throws {
        let source = MemoryTraceSource([.make(trace: 1, span: 1), .make(trace: 2, span: 1)])
        let ids = [2, 9, 1, 2].map { TraceID(high: 1, low: $0) }
        let found = try TraceSearch(source: source).traces(ids, context: context)
        #expect(found.map(\.id.low) == [2, 1])
    }

    @Test func `spans without a service can be listed and found by Jaeger's name for them`() throws {
        let source = MemoryTraceSource([
            .make(trace: 1, span: 1, service: nil, name: "a"),
            .make(trace: 2, span: 1, service: TraceSpan.unnamedService, name: "b"),
            .make(trace: 3, span: 1, service: "shop"),
        ])
        let search = TraceSearch(source: source)
        #expect(try search.services(context: context) == ["OTLPResourceNoServiceName", "shop"])
        #expect(try search.operations(of: TraceSpan.unnamedService, context: context).map(\.name) == ["a", "b"])
        let query = TraceQuery(service: TraceSpan.unnamedService, range: .everything, limit: 9)
        #expect(try search.search(query, context: context).map(\.id.low) == [1, 2])
    }

    @Test func `a search ends when its context is cancelled or its budget is used up`() {
        let source = MemoryTraceSource((1...50).map { .make(trace: $0, span: 1) })
        let query = TraceQuery(range: .everything, limit: 50)
        let cancelled = QueryContext(tenant: .default)
        cancelled.cancel()
        #expect(throws: QueryError.interrupted(.cancelled)) {
            try TraceSearch(source: source).search(query, context: cancelled)
        }
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 1_000))) {
            try TraceSearch(source: source).search(query, context: QueryContext(tenant: .default, byteLimit: 1_000))
        }
    }

    private static func naive(_ spans: [TraceSpan], _ query: TraceQuery) -> [Trace] {
        let matcher = SpanMatcher(query)
        return Dictionary(grouping: spans, by: \.traceID)
            .filter { $0.value.contains(where: matcher.matches) }
            .compactMap { Trace(id: $0.key, spans: $0.value) }
            .sorted { ($1.start, $0.id) < ($0.start, $1.id) }
            .prefix(query.limit).map { $0 }
    }

    private static func randomSpans(_ random: inout SeededRandom) -> [TraceSpan] {
        let services = ["a", "b", "c"]
        return (0..<Int.random(in: 0...300, using: &random)).map { number in
            let trace = UInt64.random(in: 1...60, using: &random)
            return .make(
                trace: trace, span: UInt64(number + 1), service: services.randomElement(using: &random),
                name: ["x", "y"].randomElement(using: &random) ?? "",
                // Few distinct starts, so that there are ties; traces overlap more or less.
                start: Int64(trace) * 5 + Int64.random(in: 0...40, using: &random),
                duration: Int64.random(in: -2...9, using: &random),
                attributes: [Attribute(key: "n", value: .int(Int64.random(in: 0...3, using: &random)))])
        }
    }

    private static func randomQuery(_ random: inout SeededRandom) -> TraceQuery {
        var query = TraceQuery(range: .everything, limit: Int.random(in: 1...70, using: &random))
        if Bool.random(using: &random) { query.service = ["a", "b"].randomElement(using: &random) }
        if Bool.random(using: &random) { query.operation = "x" }
        if Bool.random(using: &random) { query.tags = [("n", "2")] }
        if Bool.random(using: &random) { query.minDuration = 3 }
        if Bool.random(using: &random) { query.maxDuration = 6 }
        if Bool.random(using: &random) {
            query.range = TimeRange(start: Timestamp(nanoseconds: 100), end: Timestamp(nanoseconds: 220))
        }
        return query
    }
}
