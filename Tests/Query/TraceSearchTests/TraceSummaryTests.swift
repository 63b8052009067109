import Core
import QueryModel
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// Summaries (rule J-44) against the traces that they are of.
struct TraceSummaryTests {
    private let context = QueryContext(tenant: .default)

    @Test func `a summary counts spans, errors, orphans and services`() throws {
        var failed = TraceSpan.make(trace: 1, span: 2, parent: 1, service: "back", start: 5, duration: 100)
        failed.statusCode = 2
        let spans = [
            TraceSpan.make(trace: 1, span: 1, service: "front", name: "GET /", start: 10, duration: 20), failed,
            .make(trace: 1, span: 3, parent: 99, service: nil, start: 20, duration: -10),
            // Parents of each other.
            .make(trace: 1, span: 4, parent: 5, service: "back", start: 21),
            .make(trace: 1, span: 5, parent: 4, service: "back", start: 22),
        ]
        let found = try TraceSearch(source: MemoryTraceSource(spans))
            .summaries(TraceQuery(range: .everything, limit: 5), context: context)
        let summary = try #require(found.first)
        #expect(found.count == 1)
        #expect(summary.id == spans[0].traceID)
        #expect((summary.start.nanoseconds, summary.end.nanoseconds) == (5, 105))
        #expect((summary.rootServiceName, summary.rootOperationName) == ("front", "GET /"))
        #expect((summary.spanCount, summary.errorSpanCount, summary.orphanSpanCount) == (5, 1, 1))
        #expect(summary.services.map(\.name) == ["OTLPResourceNoServiceName", "back", "front"])
        #expect(summary.services.map(\.spanCount) == [1, 3, 1])
        #expect(summary.services.map(\.errorSpanCount) == [0, 1, 0])
    }

    @Test func `the root of a trace without one is its first span`() throws {
        let spans = [
            TraceSpan.make(trace: 1, span: 2, parent: 1, service: "late", start: 7),
            .make(trace: 1, span: 1, parent: 2, service: "early", start: 3),
        ]
        let found = try TraceSearch(source: MemoryTraceSource(spans))
            .summaries(TraceQuery(range: .everything, limit: 5), context: context)
        #expect(found.map(\.rootServiceName) == ["early"])
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `summaries are those of the traces that a search answers`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        let spans = random.awkwardSpans(traces: 40)
        let source = MemoryTraceSource(spans, batchSize: 7)
        let search = TraceSearch(source: source)
        for number in 0..<10 {
            let query = random.query(about: spans, limit: random.pick([1, 5, 100]))
            let traces = try search.search(query, context: context)
            let summaries = try search.summaries(query, context: context)
            #expect(summaries == traces.map { TraceSummary($0) }, "seed \(seed), query \(number)")
        }
    }
}
