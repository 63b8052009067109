import Core
import QueryModel
import Randomness
import Scheduling
import Testing

/// Buckets that are evaluated as the arrays that they are stored as, against a series of numbers for each bucket.
struct ClassicHistogramTests {
    /// Points of one histogram, whose counts only grow until it starts again, or some bucket alone falls.
    private struct Points {
        var timestamps: [Int64] = []
        /// By point.
        var counts: [[Int64]] = []
        var totals: [Int64] = []

        init(buckets: Int, using random: inout SeededRandom) {
            var time: Int64 = 1_000_000
            var now = Array(repeating: Int64(0), count: buckets)
            var falls = random.below(3)
            for _ in 0..<random.below(400) {
                time += random.below(30) == 0 ? Int64(random.below(400_000)) + 1 : 15_000
                if random.below(60) < falls {
                    switch random.below(3) {
                    case 0: now = now.map { _ in 0 }
                    case 1: now[random.below(buckets)] = 0
                    default: falls = 60
                    }
                }
                for i in now.indices where random.below(3) > 0 { now[i] += Int64(random.below(50)) }
                timestamps.append(time)
                counts.append(now)
                totals.append(now.reduce(0, +) + (random.below(50) == 0 ? 1 : 0))
            }
        }
    }

    private static func plan(
        _ function: SeriesPlan.Function, _ reduction: SeriesPlan.Reduction?, using random: inout SeededRandom
    ) throws -> SeriesPlan {
        let step = Int64([1, 15, 60, 300][random.below(4)]) * 1000
        let start = 900_000 + Int64(random.below(2_000_000))
        return SeriesPlan(
            matchers: [], function: function, range: Int64([20, 60, 300, 3600][random.below(4)]) * 1000,
            grid: try #require(TimeGrid(from: start, through: start + step * Int64(random.below(60)), step: step)),
            reduction: reduction)
    }

    @Test func `buckets have the values of their series`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<400 {
            let bounds = (0..<random.below(6)).map { "\($0 + 1)" } + ["+Inf"]
            let function = SeriesPlan.Function.allCases[random.below(SeriesPlan.Function.allCases.count)]
            let groupings = [["job", "le"], ["job"], ["le"], []].map {
                Grouping(labels: $0, isWithout: random.below(3) == 0)
            }
            let reduction = random.below(3) == 0 ? nil : SeriesPlan.Reduction(.sum, groupings[random.below(4)])
            let plan = try Self.plan(function, reduction, using: &random)
            let context = QueryContext(tenant: .default)
            var arrays = try SeriesEvaluation(plan, context: context)
            var series = try SeriesEvaluation(plan, context: context)
            for job in 0..<3 {
                let points = Points(buckets: bounds.count, using: &random)
                let labels = Labels([Label("__name__", "x_bucket"), Label("job", "\(job)"), Label("zone", "z")])
                let wanted = bounds.indices.filter { _ in random.below(5) > 0 }
                let histogram = ClassicHistogram(labels: labels, layout: job, bounds: bounds, wanted: wanted)
                let isEvaluated = try arrays.add(
                    histogram, timestamps: points.timestamps.span,
                    counts: Self.runs(of: points, stride: bounds.count, using: &random), totals: points.totals.span)
                #expect(isEvaluated)
                for bucket in wanted {
                    let values = zip(points.counts, points.totals).map { counts, total in
                        Double(bucket + 1 == bounds.count ? total : counts[...bucket].reduce(0, +))
                    }
                    try series.add(
                        labels.setting("le", to: bounds[bucket]), timestamps: points.timestamps.span,
                        values: values.span)
                }
            }
            let (found, expected) = (try arrays.answer(), try series.answer())
            #expect(found.series.map(\.labels) == expected.series.map(\.labels), "\(plan), seed \(seed)")
            for (one, other) in zip(found.series, expected.series) {
                #expect(one.values.map(\.bitPattern) == other.values.map(\.bitPattern), "\(plan), seed \(seed)")
            }
            #expect(found.samplesRead == expected.samplesRead && found.samplesByStep == expected.samplesByStep)
        }
    }

    /// The counts, cut into runs at random.
    private static func runs(of points: Points, stride: Int, using random: inout SeededRandom) -> BucketCounts {
        var counts = BucketCounts(stride: stride)
        guard stride > 1 else { return counts }
        var begin = 0
        while begin < points.counts.count {
            let end = min(points.counts.count, begin + 1 + random.below(200))
            counts.append(Buffer(points.counts[begin..<end].flatMap { $0 }))
            begin = end
        }
        return counts
    }

    @Test func `counts that arithmetic cannot hold are refused`() throws {
        let context = QueryContext(tenant: .default)
        let plan = SeriesPlan(matchers: [], function: .rate, range: 60_000, grid: TimeGrid(at: 60_000))
        let histogram = ClassicHistogram(labels: .empty, layout: 0, bounds: ["1", "+Inf"], wanted: [0, 1])
        for bad: Int64 in [-1, 1 << 53, .min, .max] {
            for counts: [Int64] in [[0, 1, bad, 2], [bad, 0, 0, 0]] {
                var evaluation = try SeriesEvaluation(plan, context: context)
                var buckets = BucketCounts(stride: 2)
                buckets.append(Buffer(counts))
                let times: [Int64] = [1, 2]
                let totals: [Int64] = [1, 2]
                let isEvaluated = try evaluation.add(
                    histogram, timestamps: times.span, counts: buckets, totals: totals.span)
                #expect(!isEvaluated)
                #expect(try evaluation.answer().samplesRead == 0)
            }
        }
    }
}
