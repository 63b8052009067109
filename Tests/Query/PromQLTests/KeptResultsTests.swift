import Core
import PromQL
import QueryModel
import QuerySupport
import Randomness
import Scheduling
import Synchronization
import Testing

/// Series to which samples are added, as they are to a table.
private final class GrowingSource: SeriesSource {
    private let memory = Mutex(MemorySeriesSource())
    /// How often it was read, and from which time on, in milliseconds.
    let reads = Mutex<[TimeRange]>([])
    let changes = RowChanges()

    func add(_ labels: Labels, _ timestamp: Int64, _ value: Double) {
        let addition = changes.begin(.default, timestamp * 1_000_000...timestamp * 1_000_000)
        memory.withLock { memory in
            let index = memory.series.firstIndex { $0.labels == labels } ?? memory.series.count
            if index == memory.series.count {
                memory.series.append(SampleSeries(labels: labels, timestamps: [], values: []))
            }
            let times = memory.series[index].timestamps
            let position = times.firstIndex { $0 >= timestamp } ?? times.count
            if position < times.count, times[position] == timestamp {
                memory.series[index].values[position] = value
            } else {
                memory.series[index].timestamps.insert(timestamp, at: position)
                memory.series[index].values.insert(value, at: position)
            }
        }
        changes.end(addition)
    }

    func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries] {
        reads.withLock { $0.append(range) }
        let memory = memory.withLock { $0 }
        return try memory.series(matching: matchers, in: range, context: context)
    }

    func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] { [] }

    func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] { [] }

    func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] { [] }

    func metadata(metric: String?, context: QueryContext) throws(QueryError) -> [String: [MetricMetadata]] { [:] }

    func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])] { [] }
}

/// Range queries that are answered from results of earlier ones.
struct KeptResultsTests {
    private static func engine(
        _ source: GrowingSource, _ cache: ResultCache = ResultCache(), removals: @escaping @Sendable () -> Int = { 0 }
    ) -> PromQLEngine {
        PromQLEngine(
            source: source, cache: RangeCache(cache, .promQL, changes: source.changes, removals: removals))
    }

    private static func labels(_ name: String, _ job: String) -> Labels {
        Labels([Label("__name__", name), Label("job", job)])
    }

    private static func text(
        _ engine: PromQLEngine, _ query: String, _ grid: TimeGrid, usesResultCache: Bool = true
    ) throws -> String {
        let context = QueryContext(tenant: .default, usesResultCache: usesResultCache)
        let query = try PromQLQuery(query)
        let answer: QueryAnswer
        do throws(QueryError) {
            answer = try engine.range(query, over: grid, context: context)
        } catch {
            return "error \(error)"
        }
        guard case .matrix(let matrix) = answer.value else { return "no matrix" }
        let series = matrix.map { one in
            "\(one.labels.pairs) " + one.floats.map { "\($0.timestamp)=\($0.value)" }.joined(separator: " ")
        }
        return (series + answer.annotations.infos + answer.annotations.warnings).joined(separator: "\n")
    }

    private static let expressions = [
        "m", "sum by (job) (m)", "rate(c[1m])", "sum(rate(c[90s]))", "max_over_time(m[2m:30s])", "m offset 1m",
        "m offset -30s", "topk(1, m)", "sum(m) / count(m)", "-m", "m > 5", "m and c", "absent(m{job=\"x\"})",
        "avg_over_time(m[1m]) + 1", "timestamp(m)", "time() - m", "quantile(0.5, m)", "clamp(m, 1, scalar(sum(c)))",
        "count_over_time(c[1m] offset 2m)", "stddev_over_time(m[45s])", "changes(c[2m])", "irate(c[3m])",
        "sum by (job) (max_over_time((rate(c[1m]))[2m:15s] offset 1m))", "histogram_quantile(0.5, m)",
        // None of these is kept.
        "m @ 1000", "sum_over_time(m[1m] @ end())", "label_replace(m, \"x\", \"$1\", \"job\", \"(.*)\")",
        "{job=\"a\"}", "rate({__name__=~\"m|c\"}[1m])", "m or c", "sum(m) + on() sum(c)", "limitk(1, m)",
    ]

    @Test(arguments: [UInt64(3), 11, 77, 20_261_130])
    func `with and without kept results answers are the same, whatever comes late`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let source = GrowingSource()
        let cache = ResultCache()
        let engine = Self.engine(source, cache)
        let plain = PromQLEngine(source: source)
        // Days begin at multiples of 86,400 s, on both sides of which there are samples.
        let base: Int64 = 86_400_000
        func add() {
            // Mostly about now, sometimes long ago.
            let now = base + Int64(random.below(600)) * 1_000
            let name = random.pick(["m", "c"])
            source.add(
                Self.labels(name, random.pick(["a", "b", "c"])), random.oneIn(3) ? now - 500_000 : now,
                random.oneIn(30) ? Staleness.marker : Double(random.below(80)) / 8)
        }
        for _ in 0..<300 { add() }
        for round in 0..<2_500 {
            // A row changes the steps after it until its day ends, so more of them would leave little that is kept.
            if random.oneIn(150) { for _ in 0...random.below(3) { add() } }
            let step = random.pick([15_000, 30_000, 7_000] as [Int64])
            let start = base - 300_000 + Int64(random.below(20)) * (random.oneIn(4) ? 1_000 : 30_000)
            let end = start + step * Int64(random.below(30))
            let grid = try #require(TimeGrid(from: start, through: end, step: step))
            let query = random.pick(Self.expressions)
            let found = try Self.text(engine, query, grid)
            let wanted = try Self.text(plain, query, grid)
            #expect(found == wanted, "seed \(seed), round \(round): \(query) over \(grid)")
        }
        // Otherwise the comparison says little.
        #expect(cache.hitSteps > 2_000, "\(cache.hitSteps) of \(cache.askedSteps) steps, seed \(seed)")
    }

    @Test func `a range that moves on is evaluated at its new steps alone`() throws {
        let source = GrowingSource()
        let engine = Self.engine(source)
        for i in 0..<100 { source.add(Self.labels("m", "a"), Int64(i) * 10_000, Double(i)) }
        let first = try #require(TimeGrid(from: 600_000, through: 900_000, step: 30_000))
        _ = try Self.text(engine, "sum(m)", first)
        source.reads.withLock { $0 = [] }
        _ = try Self.text(engine, "sum(m)", first)
        #expect(source.reads.withLock { $0.isEmpty })
        let next = try #require(TimeGrid(from: 630_000, through: 930_000, step: 30_000))
        _ = try Self.text(engine, "sum(m)", next)
        // One step, and what it looks back.
        #expect(
            source.reads.withLock { $0 } == [
                TimeRange(start: Timestamp(milliseconds: 630_001), end: Timestamp(milliseconds: 930_001))
            ])
        // Steps that lie elsewhere are others.
        source.reads.withLock { $0 = [] }
        _ = try Self.text(engine, "sum(m)", #require(TimeGrid(from: 601_000, through: 901_000, step: 30_000)))
        #expect(source.reads.withLock { $0.count } == 1)
    }

    @Test func `a client that wants nothing kept is answered anew, and so is everybody once rows are gone`() throws {
        let source = GrowingSource()
        let removals = Mutex(0)
        let cache = ResultCache()
        let engine = Self.engine(source, cache) { removals.withLock { $0 } }
        source.add(Self.labels("m", "a"), 650_000, 1)
        let grid = try #require(TimeGrid(from: 600_000, through: 900_000, step: 30_000))
        _ = try Self.text(engine, "m", grid, usesResultCache: false)
        #expect(cache.usedBytes == 0)
        _ = try Self.text(engine, "m", grid)
        #expect(cache.usedBytes > 0)
        source.reads.withLock { $0 = [] }
        _ = try Self.text(engine, "m", grid, usesResultCache: false)
        #expect(source.reads.withLock { $0.count } == 1)
        removals.withLock { $0 += 1 }
        _ = try Self.text(engine, "m", grid)
        #expect(source.reads.withLock { $0.count } == 2)
    }

    @Test func `results take no more memory than they may, and go when nobody asks for them`() throws {
        let source = GrowingSource()
        for job in 0..<20 { source.add(Self.labels("m", "\(job)"), 650_000, 1) }
        let cache = ResultCache(ResultCache.Limits(bytes: 200_000))
        let engine = Self.engine(source, cache)
        let grid = try #require(TimeGrid(from: 600_000, through: 900_000, step: 30_000))
        for i in 0..<200 {
            _ = try Self.text(engine, "m > \(i)", grid)
            _ = try Self.text(engine, "m < \(i + 2)", grid)
            #expect(cache.usedBytes <= 200_000)
        }
        #expect(cache.usedBytes > 100_000)
        let short = ResultCache(ResultCache.Limits(age: .zero))
        let forgetful = Self.engine(source, short)
        _ = try Self.text(forgetful, "m", grid)
        _ = try Self.text(forgetful, "m", grid)
        #expect(short.hitSteps == 0)
    }
}
