import Core
import QueryModel
import Randomness
import Scheduling
import Synchronization
import Testing

/// Counts spans of a list, by whole or broken steps.
private final class SpanList: SpanStatisticsSource {
    let spans = Mutex<[(service: String, start: Int64, duration: Int64)]>([])
    let asked = Mutex<[TimeRange]>([])

    func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        asked.withLock { $0.append(query.range) }
        var rows: [String: [Int: SpanMeasures]] = [:]
        for span in spans.withLock({ $0 }) {
            let start = Timestamp(nanoseconds: span.start)
            guard query.range.contains(start), query.services.isEmpty || query.services.contains(span.service) else {
                continue
            }
            let step = query.step(of: start)
            rows[span.service, default: [:]][step, default: SpanMeasures()].add(isError: span.duration < 0)
            if query.wantsDurations { rows[span.service]?[step]?.add(duration: span.duration) }
        }
        return SpanStatistics(
            rows: rows.flatMap { service, steps in
                steps.map { SpanStatistics.Row(service: service, step: $0.key, measures: $0.value) }
            }, tables: [AnsweringTable(name: "spans", range: query.range)])
    }
}

/// Statistics that are answered from results of earlier ones.
struct KeptSpanStatisticsTests {
    @Test(arguments: [UInt64(8), 20_261_130])
    func `with and without kept results answers are the same, whatever comes late`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let list = SpanList()
        let changes = RowChanges()
        let cache = ResultCache()
        let kept = KeptSpanStatistics(list, RangeCache(cache, .spans, changes: changes, removals: { 0 }))
        let minute: Int64 = 60_000_000_000
        for round in 0..<1_500 {
            if random.oneIn(4) {
                let start = Int64(random.below(120)) * minute + Int64(random.below(60)) * 1_000_000_000
                let addition = changes.begin(.default, start...start)
                list.spans.withLock { $0.append((random.pick(["a", "b"]), start, Int64(random.below(1_000)) - 100)) }
                changes.end(addition)
            }
            let start = Timestamp(nanoseconds: Int64(random.below(60)) * minute)
            // Sometimes the last step is broken off.
            let length = Int64(random.below(50) + 1) * minute + (random.oneIn(6) ? 1 : 0)
            let query = SpanStatisticsQuery(
                services: random.oneIn(3) ? ["a"] : [], range: TimeRange(start: start, end: start.advanced(by: length)),
                step: random.pick([minute, 5 * minute]), wantsDurations: random.oneIn(2))
            let context = QueryContext(tenant: .default)
            let found = try kept.spanStatistics(query, context: context)
            let wanted = try list.spanStatistics(query, context: context)
            #expect(found.rows == wanted.rows, "seed \(seed), round \(round): \(query)")
            #expect(found.tables == wanted.tables, "seed \(seed), round \(round)")
        }
        #expect(cache.hitSteps > 2_000, "\(cache.hitSteps) of \(cache.askedSteps) steps, seed \(seed)")
    }

    @Test func `what summaries have is never kept, since they are made later`() throws {
        let list = SpanList()
        let cache = ResultCache()
        let kept = KeptSpanStatistics(list, RangeCache(cache, .spans, changes: RowChanges(), removals: { 0 }))
        let query = SpanStatisticsQuery(
            range: TimeRange(start: Timestamp(nanoseconds: 0), end: Timestamp(nanoseconds: 100)), step: 10,
            table: .rollup)
        for _ in 0..<2 { _ = try kept.spanStatistics(query, context: QueryContext(tenant: .default)) }
        #expect(list.asked.withLock { $0.count } == 2)
    }
}
