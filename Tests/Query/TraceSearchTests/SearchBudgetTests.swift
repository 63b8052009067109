import Core
import Observability
import QueryModel
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// What a search answers when its time or its memory ends before it does.
struct SearchBudgetTests {
    /// Spends on the spans that it hands over, as a source over storage does, and may be slow.
    private struct CostlySource: TraceSource {
        static let bytesPerSpan = 1_000

        let memory: MemoryTraceSource
        var delay: Duration = .zero

        func spans(of traces: [TraceID], context: QueryContext) throws(QueryError) -> [[TraceSpan]] {
            let found = memory.spans(of: traces, context: context)
            let bytes = found.reduce(0) { $0 + $1.count } * Self.bytesPerSpan
            defer { context.release(bytes: bytes) }
            do throws(QueryInterruption) { try context.spend(bytes: bytes) } catch { throw .interrupted(error) }
            return found
        }

        func starts(of traces: [TraceID], context: QueryContext) -> [Timestamp?] {
            memory.spans(of: traces, context: context).map { $0.map(\.start).min() }
        }

        func scan(
            _ query: TraceQuery, context: QueryContext, visit: ([TraceSpan]) throws(QueryError) -> Bool
        ) throws(QueryError) {
            try memory.scan(query, context: context) { spans throws(QueryError) in
                let end = ContinuousClock.now + delay
                while ContinuousClock.now < end {}
                do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
                return try visit(spans)
            }
        }

        func services(context: QueryContext) -> [String] { memory.services(context: context) }

        func operations(of service: String, context: QueryContext) -> [(name: String, kind: Int32)] {
            memory.operations(of: service, context: context)
        }
    }

    private static func small(_ count: Int) -> [TraceSpan] {
        (1...UInt64(count)).map { .make(trace: $0, span: $0, start: Int64($0) * 1_000) }
    }

    /// Newer than all small ones.
    private static let huge = (1...UInt64(10_000)).map {
        TraceSpan.make(trace: 99_999, span: $0, start: 1_000_000_000 + Int64($0))
    }

    @Test func `a trace that is too large is left out with a warning, and the others are answered`() throws {
        let search = TraceSearch(source: CostlySource(memory: MemoryTraceSource(Self.small(40) + Self.huge)))
        let context = QueryContext(tenant: .default, byteLimit: 2_000_000)
        let found = try search.search(TraceQuery(range: .everything, limit: 20), context: context)
        #expect(found.map(\.id.low) == (22...40).reversed())
        let id = TraceID(high: 1, low: 99_999).hex
        #expect(context.statistics.warnings == ["trace \(id) needs more than 2000000 bytes, and is left out"])
    }

    @Test func `a search that finds nothing but what is too large fails clearly`() {
        let search = TraceSearch(source: CostlySource(memory: MemoryTraceSource(Self.huge)))
        let context = QueryContext(tenant: .default, byteLimit: 2_000_000)
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 2_000_000))) {
            try search.search(TraceQuery(range: .everything, limit: 20), context: context)
        }
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 2_000_000))) {
            try search.trace(TraceID(high: 1, low: 99_999), context: context)
        }
    }

    @Test func `a search whose answer fills its memory ends with what fits`() throws {
        let search = TraceSearch(source: CostlySource(memory: MemoryTraceSource(Self.small(5_000))))
        let context = QueryContext(tenant: .default, byteLimit: 700_000)
        let found = try search.search(TraceQuery(range: .everything, limit: 5_000), context: context)
        #expect(found.count > 100 && found.count < 5_000)
        #expect(found.map(\.id.low) == (0..<UInt64(found.count)).map { 5_000 - $0 })
        #expect(context.statistics.warnings.count == 1)
        #expect(context.heldBytes <= 700_000)
    }

    @Test func `a search whose time ends answers what it has found`() throws {
        let memory = MemoryTraceSource(Self.small(1_000), batchSize: 10)
        let search = TraceSearch(source: CostlySource(memory: memory, delay: .milliseconds(20)))
        let context = QueryContext(tenant: .default, timeout: .milliseconds(300))
        let found = try search.search(TraceQuery(range: .everything, limit: 1_000), context: context)
        #expect(!found.isEmpty && found.count < 1_000)
        #expect(found.map(\.id.low) == (0..<UInt64(found.count)).map { 1_000 - $0 })
        #expect(context.statistics.warnings.contains { $0.contains("ended early") })
        let late = QueryContext(tenant: .default, timeout: .zero)
        #expect(throws: QueryError.interrupted(.timedOut)) {
            try search.search(TraceQuery(range: .everything, limit: 10), context: late)
        }
    }

    @Test func `a search that somebody cancels answers nothing`() {
        let context = QueryContext(tenant: .default)
        context.cancel()
        #expect(throws: QueryError.interrupted(.cancelled)) {
            try TraceSearch(source: MemoryTraceSource(Self.small(5)))
                .search(TraceQuery(range: .everything, limit: 10), context: context)
        }
    }
}
