import Core
import Observability
import PromQL
import QueryModel
import QuerySupport
import Randomness
import Readers
import Scheduling
import Telemetry
import Testing

/// Plans that are evaluated over parts and memtables, against the evaluation of the samples that the same reader hands over.
struct MetricPlanTests {
    private struct Stream {
        let metric: MetricRequest.Metric
        let attributes: [Attribute]
        let scope: String
        var value = 0.0
        var buckets: [UInt64] = [0, 0, 0, 0]
        var bounds = [1.0, 5, 10]

        /// The next point, as a sender would have it; now and then it starts again, has nothing, or has other bounds.
        mutating func point(at time: Int64, using random: inout SeededRandom) -> MetricRequest.Point {
            var point = MetricRequest.Point(
                metric: metric, scope: scope, attributes: attributes, time: time, value: .none)
            point.start = time - 15_000_000_000
            if random.below(60) == 0 {
                point.flags = 1
                return point
            }
            if random.below(80) == 0 { (value, buckets) = (0, buckets.map { _ in 0 }) }
            value += Double(random.below(100)) / 8
            for i in buckets.indices { buckets[i] += UInt64(random.below(4)) }
            switch metric.kind {
            case 7: point.value = random.below(2) == 0 ? .int(Int64(value)) : .double(value)
            case 9:
                if random.below(300) == 0 { bounds = bounds == [1, 5, 10] ? [1, 5, 20] : [1, 5, 10] }
                point.value = .histogram(
                    count: buckets.reduce(0, +), sum: random.below(9) > 0 ? value : nil, min: nil, max: nil,
                    bounds: bounds,
                    counts: buckets)
            case 10:
                point.value = .exponential(
                    count: 9, sum: 1, scale: 2, zeroCount: 1, zeroThreshold: 0, positiveOffset: 0,
                    positive: [1, 2, UInt64(value)], negativeOffset: 0, negative: [])
            case 11: point.value = .summary(count: buckets[0], sum: value, quantiles: [(0.5, value), (0.9, value + 1)])
            default: point.value = .double(random.below(50) == 0 ? .nan : 40 - value)
            }
            return point
        }
    }

    private static func streams(using random: inout SeededRandom) -> [Stream] {
        let metrics: [MetricRequest.Metric] = [
            .gauge("level"), .counter("hits"), .counter("bytes", isDelta: true), .histogram("size"),
            .histogram("wait", isDelta: true), .exponential("pause"), .summary("quick"), .gauge("size_count"),
        ]
        var streams: [Stream] = []
        for metric in metrics {
            for shard in 0..<(2 + random.below(6)) {
                let attributes = attributes(["shard": "\(shard)", "zone": "\(shard % 2)"])
                streams.append(Stream(metric: metric, attributes: attributes, scope: "library"))
                // Another stream that comes to the same series.
                if random.below(8) == 0 {
                    streams.append(Stream(metric: metric, attributes: attributes, scope: "other library"))
                }
            }
        }
        return streams
    }

    private static let selectors = [
        "level", "hits_total", "bytes_total", "size_bucket", "size_count", "size_sum", "wait_bucket", "quick", "pause",
        "size_bucket{le=~\"5|.Inf\"}", "hits_total{shard!=\"1\"}", "{__name__=~\"hits_total|level\",zone=\"0\"}",
        "{zone=\"1\",shard=~\"1|3\"}", "{le=\"5\"}", "level{missing=\"\"}", "level{missing!=\"\"}",
        "level{shard!~\"[02]\"}",
    ]

    private static func expression(using random: inout SeededRandom) -> String {
        func pick(_ choices: [String]) -> String { choices[random.below(choices.count)] }
        let selector = pick(selectors)
        let shift = pick(["", "", " offset 10m", " @ end()"])
        if random.below(6) == 0 {
            let histogram = pick(["size_bucket", "wait_bucket"])
            return "histogram_quantile(0.9, sum by (le, zone) (rate(\(histogram)[\(pick(["1m", "10m"]))]\(shift))))"
        }
        var text = selector + shift
        if random.below(4) > 0 {
            let function = pick([
                "rate", "increase", "delta", "irate", "changes", "resets", "avg_over_time", "sum_over_time",
                "max_over_time", "min_over_time", "count_over_time", "last_over_time", "present_over_time",
            ])
            text = "\(function)(\(selector)[\(pick(["30s", "2m", "20m", "3h"]))]\(shift))"
        }
        let grouping = pick(["", " by (zone)", " by (shard, le)", " without (zone)", " by (le)"])
        switch random.below(9) {
        case 0, 1, 2: return text
        case 3: return "topk\(grouping)(2, \(text))"
        default: return "\(pick(["sum", "avg", "min", "max", "count", "group"]))\(grouping)(\(text))"
        }
    }

    @Test(arguments: 0..<4) func `an answer is that over the samples, whatever is in memory and what in parts`(
        run: Int
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let store = try MetricStore(directoryBytes: run % 2 == 0 ? 256 << 20 : 20_000)
        var streams = Self.streams(using: &random)
        // Around midnight, since deltas begin anew with each day.
        var time = second(12 * 3600 - 2 * 3600)
        for _ in 0..<5 {
            var points: [MetricRequest.Point] = []
            for _ in 0..<(20 + random.below(120)) {
                time += random.below(20) == 0 ? Int64(random.below(900)) * 1_000_000_000 : 15_000_000_000
                for i in streams.indices where random.below(12) > 0 {
                    let late = random.below(40) == 0 ? Int64(random.below(300_000)) * 1_000_000 : 0
                    points.append(
                        streams[i].point(at: time + Int64(random.below(1000)) * 1_000_000 - late, using: &random))
                }
            }
            try store.ingest(points)
            if random.below(3) > 0 { try store.flush() }
            for _ in 0..<40 { try compare(store, seed, until: time / 1_000_000, &random) }
        }
    }

    private func compare(_ store: MetricStore, _ seed: UInt64, until end: Int64, _ random: inout SeededRandom) throws {
        let text = Self.expression(using: &random)
        let query = try PromQLQuery(text)
        let step = Int64([15, 60, 300][random.below(3)]) * 1000
        let first = end - Int64(random.below(4 * 3600)) * 1000
        let grid = try #require(
            TimeGrid(from: first, through: random.below(5) == 0 ? first : first + step * 40, step: step))
        let sources: [any SeriesSource] = [store.reader, SampleSource(store.reader)]
        let answers = sources.map { source in
            Result { try PromQLEngine(source: source).range(query, over: grid, context: store.context()) }
        }
        switch (answers[0], answers[1]) {
        case (.success(let one), .success(let other)):
            if let difference = AnswerDifference.find(one, other) {
                Issue.record("\(text) over \(grid), seed \(seed): \(difference)")
            }
        case (.failure(let one), .failure(let other)): #expect("\(one)" == "\(other)", "\(text), seed \(seed)")
        default: Issue.record("\(text), seed \(seed): only one of both fails: \(answers)")
        }
    }

    @Test func `any number of threads comes to the same answer, to the bit`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let store = try MetricStore()
        var streams = (0..<80).map {
            Stream(
                metric: $0 % 2 == 0 ? .counter("hits") : .histogram("size"), attributes: attributes(["shard": "\($0)"]),
                scope: "library")
        }
        for round in 0..<3 {
            var points: [MetricRequest.Point] = []
            for i in 0..<(round < 2 ? 600 : 20) {
                for stream in streams.indices {
                    let time = second(Double(round * 9000 + i * 15))
                    points.append(streams[stream].point(at: time, using: &random))
                }
            }
            try store.ingest(points)
            if round < 2 { try store.flush() }
        }
        let start = second(300) / 1_000_000
        let grid = try #require(TimeGrid(from: start, through: start + 18_000_000, step: 60_000))
        for text in ["sum(rate(hits_total[5m]))", "avg by (le) (increase(size_bucket[7m]))", "max(hits_total)"] {
            let query = try PromQLQuery(text)
            let answers = try [1, 2, 5].map { threads in
                let engine = PromQLEngine(source: store.reader(on: QueryPool(threadCount: threads)))
                return try engine.range(query, over: grid, context: store.context())
            }
            let values = answers.map { answer -> [[UInt64]] in
                guard case .matrix(let series) = answer.value else { return [] }
                return series.map { $0.floats.map(\.value.bitPattern) }
            }
            #expect(!values[0].isEmpty && values[0] == values[1] && values[0] == values[2], "\(text), seed \(seed)")
        }
    }

    @Test func `a query says what was asked of the source, selector by selector`() throws {
        let store = try MetricStore()
        var random = SeededRandom(seed: 1)
        var hits = Stream(metric: .counter("hits"), attributes: attributes(["shard": "0"]), scope: "library")
        try store.ingest((0..<20).map { hits.point(at: second(Double($0 * 15)), using: &random) })
        let context = store.context()
        let grid = TimeGrid(at: second(300) / 1_000_000)
        let query = try PromQLQuery(
            "sum(rate(hits_total[5m])) / count(hits_total) + predict_linear(hits_total[2m], 60)")
        _ = try PromQLEngine(source: store.reader).range(query, over: grid, context: context)
        let at = "at \(grid.start / 1000)"
        #expect(
            context.statistics.plans == [
                #"sum by () of rate over 300 s of {__name__="hits_total"} \#(at)"#,
                #"count by () of latest over 300 s of {__name__="hits_total"} \#(at)"#,
                #"samples of {__name__="hits_total"}"#,
            ])
    }

    // MARK: Labels

    @Test func `names and values of labels are those of the series`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let store = try MetricStore()
        var streams = Self.streams(using: &random)
        for round in 0..<3 {
            // A stream of which nothing but stale points is there has labels, but no buckets.
            let points = streams.indices.map { streams[$0].point(at: second(Double(round * 15)), using: &random) }
            try store.ingest(points.filter { $0.flags == 0 && random.below(4) > 0 })
            if round < 2 { try store.flush() }
            for selector in Self.selectors {
                let matchers = try PromQLQuery(selector).selectors
                let sets = try store.reader.labelSets(matching: matchers, in: .everything, context: store.context())
                let found = Set(sets.filter { $0["__name__"] != "target_info" })
                let accepted = try store.series(matchers[0]).map(\.labels)
                #expect(found.isSuperset(of: accepted), "\(selector), seed \(seed)")
                #expect(found.allSatisfy { matchers[0].matches($0) }, "\(selector), seed \(seed)")
                let names = try store.reader.labelNames(matching: matchers, in: .everything, context: store.context())
                #expect(names == Set(sets.flatMap { $0.pairs.map(\.name) }).sorted(), "\(selector), seed \(seed)")
                for name in ["__name__", "shard", "zone", "le", "quantile", "job", "missing"] {
                    let values = try store.reader.labelValues(
                        of: name, matching: matchers, in: .everything, context: store.context())
                    let expected = Set(sets.map { $0[name] }).subtracting([""]).sorted()
                    #expect(values == expected, "\(name) of \(selector), seed \(seed)")
                }
            }
        }
    }
}
