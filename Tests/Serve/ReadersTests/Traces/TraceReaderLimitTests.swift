import Core
import Foundation
import Observability
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// Cancellation, budgets, and parts that cannot be read.
struct TraceReaderLimitTests {
    private static func spans(_ count: Int) -> [TraceSpan] {
        (0..<count).map { .make(trace: UInt64($0 + 1), span: UInt64($0 + 1), start: 1_000 + Int64($0)) }
    }

    private let everything = TraceQuery(range: .everything, limit: 20)

    @Test(arguments: TraceStorage.State.allCases)
    func `a cancelled or late query ends with its reason`(state: TraceStorage.State) throws {
        let storage = try TraceStorage(Self.spans(40), state)
        let cancelled = QueryContext(tenant: .default)
        cancelled.cancel()
        let late = QueryContext(tenant: .default, timeout: .zero)
        for (context, reason) in [(cancelled, QueryInterruption.cancelled), (late, .timedOut)] {
            let error = QueryError.interrupted(reason)
            let reader = storage.reader
            #expect(throws: error) { try reader.spans(of: [TraceID(high: 1, low: 1)], context: context) }
            #expect(throws: error) { try reader.scan(everything, context: context) { _ in true } }
            #expect(throws: error) { try reader.services(context: context) }
            #expect(throws: error) { try reader.operations(of: "shop", context: context) }
        }
    }

    @Test func `a query that is cancelled between batches gets no further one`() throws {
        let storage = try TraceStorage(Self.spans(40), .mixed)
        let context = QueryContext(tenant: .default)
        var batches = 0
        #expect(throws: QueryError.interrupted(.cancelled)) {
            try storage.reader.scan(everything, context: context) { _ in
                batches += 1
                context.cancel()
                return true
            }
        }
        #expect(batches == 1)
    }

    @Test func `what the visitor throws is thrown on, and its no ends the scan`() throws {
        let storage = try TraceStorage(Self.spans(40), .mixed)
        let context = QueryContext(tenant: .default)
        #expect(throws: QueryError.execution("enough")) {
            try storage.reader.scan(everything, context: context) { _ throws(QueryError) in throw .execution("enough") }
        }
        var batches = 0
        try storage.reader.scan(everything, context: context) { _ in
            batches += 1
            return false
        }
        #expect(batches == 1)
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `spans that are held at once count against the budget`(state: TraceStorage.State) throws {
        let spans = (1...300).map { TraceSpan.make(trace: 1, span: $0, start: 1_000) }
        let storage = try TraceStorage(spans, state)
        let context = QueryContext(tenant: .default, byteLimit: 100_000)
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 100_000))) {
            try storage.reader.spans(of: [TraceID(high: 1, low: 1)], context: context)
        }
    }

    /// A scan may pass over any number of spans: those of a batch are gone when the next one comes.
    @Test(arguments: TraceStorage.State.allCases)
    func `spans that were handed over are given back to the budget`(state: TraceStorage.State) throws {
        let storage = try TraceStorage(Self.spans(6000), state)
        let context = QueryContext(tenant: .default, byteLimit: 4 << 20)
        var count = 0
        for _ in 0..<3 {
            try storage.reader.scan(everything, context: context) { spans in
                count += spans.count
                return true
            }
        }
        #expect(count == 18_000)
        for _ in 0..<5 {
            let ids = (1...1000).map { TraceID(high: 1, low: $0) }
            #expect(try storage.reader.spans(of: ids, context: context).joined().count == 1000)
        }
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `a search for few traces makes few spans`(state: TraceStorage.State) throws {
        let storage = try TraceStorage(Self.spans(6000), state)
        let context = QueryContext(tenant: .default)
        var count = 0
        try storage.reader.scan(everything, context: context) { spans in
            count += spans.count
            return count < 20
        }
        #expect(count <= 1024)
        let found = try TraceSearch(source: storage.reader).search(everything, context: context)
        #expect(found.map(\.id.low) == (0..<20).map { 6000 - $0 })
    }

    @Test(arguments: [0, 20, 1000])
    func `a part that cannot be read is left out, and the answer says so`(length: UInt64) throws {
        let storage = try TraceStorage(Self.spans(500), .parts)
        let path = try #require(storage.partPaths.first)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.truncate(atOffset: length)
        let reader = storage.reader
        let calls: [(QueryContext) throws -> Void] = [
            { _ = try reader.spans(of: [TraceID(high: 1, low: 1)], context: $0) },
            { context in try reader.scan(everything, context: context) { _ in true } },
            { _ = try reader.services(context: $0) },
            { _ = try reader.operations(of: "shop", context: $0) },
        ]
        for call in calls {
            let context = QueryContext(tenant: .default)
            try call(context)
            let warnings = context.statistics.warnings
            #expect(warnings.count == 1 && warnings.first?.contains("of otel_traces cannot be read") == true)
        }
    }
}
