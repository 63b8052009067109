import Core
import LogFixtures
import LogQL
import QueryModel
import Randomness
import Scheduling
import Testing

/// Metric queries that are answered from results of earlier ones.
struct KeptResultsTests {
    private static let second: Int64 = 1_000_000_000

    private static let queries = [
        "count_over_time({app=~\".+\"}[1m])", "sum by (app) (count_over_time({app=~\".+\"} |= \"x\" [30s]))",
        "sum(rate({app=\"a\"}[1m] offset 30s))", "bytes_over_time({app=~\".+\"}[20s] offset -10s)",
        "max_over_time({app=~\".+\"} | logfmt | unwrap n [1m]) by (app)", "absent_over_time({app=\"b\"}[10s])",
        "topk(1, sum by (app) (count_over_time({app=~\".+\"}[1m])))",
        "sum(count_over_time({app=\"a\"}[1m])) / sum(count_over_time({app=~\".+\"}[1m])) * 100",
        "sum by (app) (count_over_time({app=~\".+\"}[1m])) > 2",
        "first_over_time({app=\"a\"} | logfmt | unwrap n [1m]) by ()",
        // None of these is kept.
        "sum(count_over_time({app=\"a\"}[1m])) or vector(0)", "sum(count_over_time({app=\"a\"}[1m])) + on () vector(1)",
        "label_replace(sum by (app) (count_over_time({app=~\".+\"}[1m])), \"x\", \"$1\", \"app\", \"(.*)\")",
    ]

    private static func text(
        _ engine: LogQLEngine, _ query: String, _ grid: StepGrid
    ) throws -> String {
        guard case .metric(let expression) = try LogQLParser.query(query) else { return "no metric" }
        do throws(QueryError) {
            let context = QueryContext(tenant: .default)
            guard case .series(let series) = try engine.metric(expression, text: query, over: grid, context: context)
            else { return "a number" }
            return series.filter(\.hasAnyValue).map { one in
                one.labels.text + one.values.map { GridSeries.isAbsent($0) ? " _" : " \($0)" }.joined()
            }.joined(separator: "\n")
        } catch {
            return "error \(error)"
        }
    }

    @Test(arguments: [UInt64(5), 20_261_130])
    func `with and without kept results answers are the same, whatever comes late`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let cache = ResultCache()
        let changes = RowChanges()
        var entries: [LogEntry] = []
        var time: Int64 = 1_000
        for round in 0..<1_000 {
            if random.oneIn(3) {
                time += Int64(random.below(5))
                // All times differ, so that there is a first and a last entry.
                let at = (random.oneIn(5) ? time - Int64(random.below(200)) : time) * Self.second + Int64(round)
                let addition = changes.begin(.default, at...at)
                let stream = LogStream(labels: Labels([Label("app", random.pick(["a", "b"]))]))
                entries.append(
                    LogEntry(
                        timestamp: Timestamp(nanoseconds: at), stream: stream,
                        line: random.pick(["x n=1", "y n=2.5", "n=7 x", "plain x"]), metadata: []))
                changes.end(addition)
            }
            let source = MemoryLogSource(entries)
            let kept = LogQLEngine(
                source: source, cache: RangeCache(cache, .logQL, changes: changes, removals: { 0 }))
            let step = random.pick([10, 15] as [Int64]) * Self.second
            let start = (time - 200) / 30 * 30 * Self.second + (random.oneIn(5) ? 1 : 0)
            let end = start + step * Int64(random.below(25))
            let grid = try #require(
                StepGrid(from: Timestamp(nanoseconds: start), through: Timestamp(nanoseconds: end), step: step))
            let query = random.pick(Self.queries)
            let found = try Self.text(kept, query, grid)
            let wanted = try Self.text(LogQLEngine(source: source), query, grid)
            #expect(found == wanted, "seed \(seed), round \(round): \(query)")
        }
        // Otherwise the comparison says little.
        #expect(cache.hitSteps > 1_000, "\(cache.hitSteps) of \(cache.askedSteps) steps, seed \(seed)")
    }
}
