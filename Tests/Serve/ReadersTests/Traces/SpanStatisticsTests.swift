import Core
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// Statistics by codes against those that are made span by span, and by hand.
struct SpanStatisticsTests {
    private static let groupings: [SpanStatisticsQuery.Grouping] = [[], .operation, .kind, [.operation, .kind]]

    /// Queries that differ in all they can, over the times of the spans that were sent.
    private static func queries(_ sent: [TraceSpan], seed: UInt64) throws -> [SpanStatisticsQuery] {
        let times = sent.map(\.start).sorted()
        let first = try #require(times.first)
        let last = try #require(times.last)
        let half = Timestamp(nanoseconds: first.nanoseconds + (last.nanoseconds - first.nanoseconds) / 2)
        let width = max(1, (last.nanoseconds - first.nanoseconds) / 7)
        let names = Set(sent.map { $0.resource.serviceName ?? "" }).sorted()
        var queries: [SpanStatisticsQuery] = []
        for range in [TimeRange(start: first, end: last.advanced(by: 1)), TimeRange(start: half, end: last)] {
            for step in [nil, width, 3_600_000_000_000] as [Int64?] {
                for grouping in groupings {
                    var query = SpanStatisticsQuery(grouping: grouping, range: range, step: step)
                    queries.append(query)
                    query.services = Set(names.prefix(2))
                    query.wantsDurations = false
                    queries.append(query)
                    query.services = [names[names.count - 1]]
                    query.kinds = [sent[0].kind, 2]
                    query.wantsDurations = true
                    queries.append(query)
                    query.services = []
                    query.operation = sent[sent.count / 2].name
                    queries.append(query)
                }
            }
        }
        return queries
    }

    @Test(arguments: 20..<24 as Range<UInt64>, TraceStorage.State.allCases)
    func `spans are counted and measured as they were sent`(seed: UInt64, state: TraceStorage.State) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 50)
        let storage = try TraceStorage(sent, state)
        let twin = TraceSearch(source: MemoryTraceSource(sent))
        for query in try Self.queries(sent, seed: seed) {
            let context = QueryContext(tenant: .default)
            let found = try storage.reader.spanStatistics(query, context: context)
            let wanted = try twin.spanStatistics(query, context: QueryContext(tenant: .default))
            #expect(found == wanted, "seed \(seed), \(query)")
            #expect(context.heldBytes == 0)
        }
    }

    @Test func `a group has its calls, errors and durations, and the kind it has no name for`() throws {
        var failed = TraceSpan.make(trace: 1, span: 2, name: "b", kind: 77, start: 2_000, duration: -5)
        failed.statusCode = 2
        let sent = [
            TraceSpan.make(trace: 1, span: 1, name: "a", kind: 2, start: 1_000, duration: 10),
            .make(trace: 1, span: 1, name: "a", kind: 2, start: 1_000, duration: 10), failed,
            .make(trace: 2, span: 1, name: "b", kind: 77, start: 2_999, duration: 7),
            .make(trace: 2, span: 3, service: nil, name: "a", kind: 2, start: 3_000, duration: 1),
        ]
        let range = TimeRange(start: Timestamp(nanoseconds: 1_000), end: Timestamp(nanoseconds: 3_001))
        let query = SpanStatisticsQuery(grouping: [.operation, .kind], range: range, step: 1_000)
        func histogram(_ durations: Int64...) -> ExponentialHistogram {
            durations.reduce(into: ExponentialHistogram()) { $0.insert($1) }
        }
        let wanted: [SpanStatistics.Row] = [
            .init(
                service: "", operation: "a", kind: 2, step: 2,
                measures: SpanMeasures(
                    calls: 1, durationSum: 1, durationMin: 1, durationMax: 1, durations: histogram(1))),
            .init(
                service: "shop", operation: "a", kind: 2, step: 0,
                measures: SpanMeasures(
                    calls: 2, durationSum: 20, durationMin: 10, durationMax: 10, durations: histogram(10, 10))),
            .init(
                service: "shop", operation: "b", kind: 77, step: 1,
                measures: SpanMeasures(
                    calls: 2, errors: 1, durationSum: 7, durationMin: 0, durationMax: 7,
                    durations: histogram(-5, 7))),
        ]
        for state in TraceStorage.State.allCases {
            let storage = try TraceStorage(sent, state, requests: 2)
            let found = try storage.reader.spanStatistics(query, context: QueryContext(tenant: .default))
            #expect(found.rows == wanted)
            #expect(found.tables == [AnsweringTable(name: "otel_traces", range: range)])
        }
    }

    /// Rule J-18: such a span lasts no time, and a mean lies between the least and the greatest.
    @Test(arguments: TraceStorage.State.allCases)
    func `spans that end before they start add nothing, and sums hold more than 64 bits`(state: TraceStorage.State)
        throws
    {
        let century: Int64 = 3_155_760_000_000_000_000
        for (durations, sum) in [
            ([10, -1_000_000], 10), ([-5], 0), ([century, century, century, century, -century], 4 * Int128(century)),
            ([Int64.max - 1_000, Int64.max - 1_000], 2 * Int128(Int64.max - 1_000)),
        ] as [([Int64], Int128)] {
            let sent = durations.enumerated().map {
                TraceSpan.make(trace: 1, span: UInt64($0) + 1, start: century < $1 ? 500 : century, duration: $1)
            }
            let storage = try TraceStorage(sent, state)
            let query = SpanStatisticsQuery(range: .everything)
            let measures = try storage.reader.spanStatistics(query, context: QueryContext(tenant: .default)).rows.map(
                \.measures)
            #expect(measures.count == 1)
            #expect(measures.first?.durationSum == sum, "\(durations)")
            #expect(measures.first?.durationMin == durations.map { max(0, $0) }.min())
            #expect(measures.first?.durationMax == durations.map { max(0, $0) }.max())
        }
    }

    @Test func `more groups than memory allows end the query, and there are no summaries to ask`() throws {
        let sent = (0..<2_000).map {
            TraceSpan.make(trace: 1, span: UInt64($0) + 1, name: "o\($0)", start: Int64($0) + 1)
        }
        let storage = try TraceStorage(sent, .parts, requests: 1)
        var query = SpanStatisticsQuery(grouping: .operation, range: .everything)
        let context = QueryContext(tenant: .default, byteLimit: 1 << 20)
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 1 << 20))) {
            try storage.reader.spanStatistics(query, context: context)
        }
        query.table = .rollup
        #expect(throws: QueryError.self) {
            try storage.reader.spanStatistics(query, context: QueryContext(tenant: .default))
        }
    }
}
