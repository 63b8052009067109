import Core
import QueryModel
import Testing
import TraceFixtures
import TraceSearch

/// The dependency graph that is counted from spans (rule J-30).
struct ServiceDependenciesTests {
    private func dependencies(_ spans: [TraceSpan], in range: TimeRange = .everything) throws -> [ServiceDependency] {
        try TraceSearch(source: MemoryTraceSource(spans, batchSize: 2))
            .dependencies(in: range, context: QueryContext(tenant: .default))
    }

    @Test func `J-30 calls between services are counted once a span, and calls inside one are not`() throws {
        let call = TraceSpan.make(trace: 1, span: 3, parent: 2, service: "back", start: 3)
        let found = try dependencies([
            .make(trace: 1, span: 1, service: "front", start: 1),
            .make(trace: 1, span: 2, parent: 1, service: "front", start: 2),
            call, call,
            .make(trace: 1, span: 4, parent: 2, service: "back", start: 4),
            .make(trace: 1, span: 5, parent: 4, service: nil, start: 5),
            .make(trace: 1, span: 6, parent: 99, service: "orphan", start: 6),
            // The same span ids in another trace.
            .make(trace: 2, span: 3, service: "back", start: 7),
            .make(trace: 2, span: 4, parent: 3, service: "front", start: 8),
        ])
        #expect(
            found == [
                ServiceDependency(parent: "back", child: "OTLPResourceNoServiceName", callCount: 1),
                ServiceDependency(parent: "back", child: "front", callCount: 1),
                ServiceDependency(parent: "front", child: "back", callCount: 2),
            ])
    }

    @Test func `J-30 only spans of the range are counted, and no data is an empty graph`() throws {
        let spans = [
            TraceSpan.make(trace: 1, span: 1, service: "a", start: 10),
            .make(trace: 1, span: 2, parent: 1, service: "b", start: 20),
            .make(trace: 1, span: 3, parent: 1, service: "b", start: 30),
        ]
        let range = TimeRange(start: Timestamp(nanoseconds: 10), end: Timestamp(nanoseconds: 30))
        #expect(try dependencies(spans, in: range) == [ServiceDependency(parent: "a", child: "b", callCount: 1)])
        #expect(try dependencies([]) == [])
    }
}
