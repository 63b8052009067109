import Core
import QueryModel
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// The dependency graph that is counted from spans (rule J-30).
struct ServiceDependenciesTests {
    private func dependencies(_ spans: [TraceSpan], in range: TimeRange = .everything) throws -> [ServiceDependency] {
        let context = QueryContext(tenant: .default)
        let graph = try TraceSearch(source: MemoryTraceSource(spans, batchSize: 2))
            .dependencies(in: range, table: .automatic, context: context)
        #expect(graph.tables == [AnsweringTable(name: "otel_traces", range: range)])
        #expect(context.heldBytes == 0)
        return graph.dependencies
    }

    private func edge(
        _ parent: String, _ child: String, _ durations: [Int64], errors: Int = 0
    ) -> ServiceDependency {
        ServiceDependency(
            parent: parent, child: child, calls: durations.count, errors: errors,
            durations: durations.reduce(into: ExponentialHistogram()) { $0.insert($1) })
    }

    @Test func `J-30 calls between services are counted once a row, and calls inside one are not`() throws {
        var call = TraceSpan.make(trace: 1, span: 3, parent: 2, service: "back", start: 3, duration: 700)
        call.statusCode = 2
        let found = try dependencies([
            .make(trace: 1, span: 1, service: "front", start: 1),
            .make(trace: 1, span: 2, parent: 1, service: "front", start: 2),
            call, call,
            .make(trace: 1, span: 4, parent: 2, service: "back", start: 4, duration: 9),
            .make(trace: 1, span: 5, parent: 4, service: nil, start: 5, duration: 8),
            .make(trace: 1, span: 6, parent: 99, service: "orphan", start: 6),
            // The same span ids in another trace.
            .make(trace: 2, span: 3, service: "back", start: 7),
            .make(trace: 2, span: 4, parent: 3, service: "front", start: 8, duration: -2),
        ])
        #expect(
            found == [
                edge("back", "", [8]), edge("back", "front", [-2]), edge("front", "back", [9, 700, 700], errors: 2),
            ])
    }

    @Test func `J-30 only spans of the range are counted, and no data is an empty graph`() throws {
        let spans = [
            TraceSpan.make(trace: 1, span: 1, service: "a", start: 10),
            .make(trace: 1, span: 2, parent: 1, service: "b", start: 20),
            .make(trace: 1, span: 3, parent: 1, service: "b", start: 30),
        ]
        let range = TimeRange(start: Timestamp(nanoseconds: 11), end: Timestamp(nanoseconds: 30))
        #expect(try dependencies(spans, in: range) == [edge("a", "b", [10])])
        #expect(try dependencies([]) == [])
    }

    /// Hours of UTC: the parent's, and the child's.
    @Test(arguments: [(5, 5, true), (4, 5, true), (3, 5, false), (6, 5, false), (-1, 0, true), (-2, -1, true)])
    func `J-30 a parent starts in its child's hour or in the one before`(
        parent: Int64, child: Int64, isCounted: Bool
    ) throws {
        let hour: Int64 = 3_600_000_000_000
        let spans = [
            // Later than the child in the same hour: clocks differ.
            TraceSpan.make(trace: 1, span: 1, service: "a", start: parent * hour + hour - 1),
            .make(trace: 1, span: 2, parent: 1, service: "b", start: child * hour),
        ]
        let only = TimeRange(
            start: Timestamp(nanoseconds: child * hour), end: Timestamp(nanoseconds: child * hour + 1))
        #expect(try dependencies(spans, in: only) == (isCounted ? [edge("a", "b", [10])] : []))
    }

    @Test func `J-30 a child of a parent with several rows counts once`() throws {
        let parents = [
            TraceSpan.make(trace: 1, span: 1, service: "b", start: 1), .make(trace: 1, span: 1, service: "a", start: 2),
            .make(trace: 1, span: 1, service: "a", start: 3),
        ]
        // Of services that share a span's id, one's own is the parent's, or else the first by name.
        #expect(
            try dependencies(parents + [.make(trace: 1, span: 2, parent: 1, service: "c", start: 4)])
                == [edge("a", "c", [10])])
        #expect(try dependencies(parents + [.make(trace: 1, span: 2, parent: 1, service: "b", start: 4)]) == [])
        // A span that is its own parent calls nobody.
        #expect(try dependencies([.make(trace: 1, span: 2, parent: 2, service: "c", start: 4)]) == [])
    }

    @Test func `J-30 every row of a span is a call of its own`() throws {
        let parent = TraceSpan.make(trace: 1, span: 1, service: "a", start: 1)
        let child = TraceSpan.make(trace: 1, span: 2, parent: 1, service: "b", start: 2, duration: 5)
        var later = child
        later.start = Timestamp(nanoseconds: 3)
        var failed = child
        failed.statusCode = 2
        #expect(
            try dependencies([child, parent, later, failed, child, failed])
                == [edge("a", "b", [5, 4, 5, 5, 5], errors: 2)])
    }

    @Test func `names that clients know are given to services without one, and their calls added up`() {
        let unnamed = "OTLPResourceNoServiceName"
        let graph = ServiceGraph(
            dependencies: [
                edge("a", "", [1], errors: 1), edge("a", unnamed, [2]), edge("", unnamed, [3]), edge("a", "b", [4]),
            ], tables: [])
        #expect(graph.named() == [edge("a", unnamed, [1, 2], errors: 1), edge("a", "b", [4])])
    }
}
