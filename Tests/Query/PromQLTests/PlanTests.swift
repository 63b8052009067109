import Core
import PromQL
import QueryModel
import QuerySupport
import Randomness
import Scheduling
import Testing

/// What a source evaluates, against the evaluation of its samples: the same series in the same order, with the same remarks and
/// counts, and numbers within `AnswerDifference.tolerance`.
struct PlanTests {
    private static let start: Int64 = 1_600_002_000_000

    private static let functions = [
        "rate", "increase", "delta", "irate", "idelta", "changes", "resets", "sum_over_time", "avg_over_time",
        "min_over_time", "max_over_time", "count_over_time", "present_over_time", "last_over_time", "first_over_time",
    ]

    @Test(arguments: 0..<8) func `random series have the same values where they are and where they are brought to`(
        run: Int
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let samples = MemorySeriesSource(Self.series(hasHistograms: run == 7, using: &random))
        let planned = PlannedSeriesSource(samples, shares: 1 + random.below(4))
        var values = 0
        for _ in 0..<250 {
            let text = Self.expression(using: &random)
            let grid = try Self.grid(using: &random)
            let answers = [planned, SampleSource(samples)].map { (source: any SeriesSource) in
                Result { try Self.answer(text, over: grid, source) }
            }
            switch (answers[0], answers[1]) {
            case (.success(let one), .success(let other)):
                if let difference = AnswerDifference.find(one, other) {
                    Issue.record("\(text) over \(grid), seed \(seed): \(difference)")
                }
                values += other.statistics.queryableSamples
            case (.failure(let one), .failure(let other)):
                #expect("\(one)" == "\(other)", "\(text), seed \(seed)")
            default: Issue.record("\(text) over \(grid), seed \(seed): only one of both fails: \(answers)")
            }
        }
        #expect(values > 10_000, "otherwise the comparison says little")
    }

    private static func answer(_ text: String, over grid: TimeGrid, _ source: any SeriesSource) throws -> QueryAnswer {
        let engine = PromQLEngine(source: source)
        let query = try PromQLQuery(text)
        let context = QueryContext(tenant: .default)
        return grid.count == 1
            ? try engine.instant(query, at: grid.start, context: context)
            : try engine.range(query, over: grid, context: context)
    }

    private static func grid(using random: inout SeededRandom) throws -> TimeGrid {
        let first = start + Int64(random.below(5_400)) * 1000
        if random.below(4) == 0 { return TimeGrid(at: first) }
        let step = Int64([1, 7, 15, 60, 420][random.below(5)]) * 1000
        return try #require(TimeGrid(from: first, through: first + step * Int64(random.below(40)), step: step))
    }

    private static func expression(using random: inout SeededRandom) -> String {
        func pick(_ choices: [String]) -> String { choices[random.below(choices.count)] }
        let metric = pick(["hits_total", "level", "odd", "{__name__=~\"hits_total|level\"}", "x_bucket", "{job=\"a\"}"])
        let selector = (metric + pick(["", "", "{job!=\"b\"}", "{instance=~\"1|2\"}"])).replacing("}{", with: ", ")
        let shift = pick(["", "", "", " offset 2m", " offset -3m", " @ 1600004000", " @ start()", " @ end() offset 1m"])
        var text = selector + shift
        if random.below(4) > 0 {
            text = "\(pick(functions))(\(selector)[\(pick(["20s", "1m", "5m", "13m", "1h"]))]\(shift))"
        }
        if random.below(8) == 0 { text = "\(pick(functions))((\(text))[\(pick(["5m:30s", "10m:1m"]))])" }
        let grouping = pick([
            "", " by (job)", " by (instance, job)", " without (instance)", " by (le, job)", " without (le)",
            " by (nope)",
        ])
        switch random.below(8) {
        case 0, 1: return text
        case 2: return "topk(2, \(text))"
        case 3: return "histogram_quantile(0.9, sum by (job, le) (rate(x_bucket[\(pick(["1m", "5m"]))]\(shift))))"
        default: return "\(pick(["sum", "avg", "min", "max", "count", "group", "stddev"]))\(grouping) (\(text))"
        }
    }

    // MARK: Series

    private static func series(hasHistograms: Bool, using random: inout SeededRandom) -> [SampleSeries] {
        var all: [SampleSeries] = []
        for job in ["a", "b", "c"] {
            for instance in ["1", "2", "3"] {
                let labels = [Label("job", job), Label("instance", instance)]
                all.append(
                    series("hits_total", labels, using: &random) { random, value in
                        random.below(60) == 0 ? Double(random.below(50)) / 8 : value + Double(random.below(80)) / 7
                    })
                all.append(series("level", labels, using: &random) { random, _ in Double(random.below(900)) / 7 - 40 })
            }
            all.append(
                series("odd", [Label("job", job)], using: &random) { random, value in
                    // No sum of these, nor of their squares, overflows: what an overflow comes to depends on the order.
                    let odd = [.nan, .infinity, -.infinity, 1e150, -1e150, 1e-300, -0.0, 0]
                    return random.below(4) == 0 ? odd[random.below(odd.count)] : value.isFinite ? -value + 1 : 3
                })
            for bound in ["0.5", "1", "+Inf"] {
                all.append(
                    series("x_bucket", [Label("job", job), Label("le", bound)], using: &random) { random, value in
                        random.below(90) == 0 ? 0 : value + Double(random.below(9))
                    })
            }
        }
        if hasHistograms { all.append(native(using: &random)) }
        return all
    }

    /// Two hours of samples about every 15 s, with gaps and stale markers.
    private static func series(
        _ name: String, _ labels: [Label], using random: inout SeededRandom,
        next: (inout SeededRandom, Double) -> Double
    ) -> SampleSeries {
        var result = SampleSeries(labels: Labels(labels + [Label("__name__", name)]), timestamps: [], values: [])
        var time = start + Int64(random.below(15)) * 1000
        var value = Double(random.below(2)) * 1000
        let isOnWholeSeconds = random.below(2) == 0
        while time < start + 7_200_000 {
            value = next(&random, value)
            result.timestamps.append(time)
            result.values.append(random.below(50) == 0 ? Staleness.marker : value)
            time += random.below(40) == 0 ? Int64(random.below(900)) * 1000 + 1 : 15_000
            if !isOnWholeSeconds { time += Int64(random.below(3)) }
        }
        return result
    }

    private static func native(using random: inout SeededRandom) -> SampleSeries {
        let times = (0..<480).map { start + $0 * 15_000 }
        let histograms = times.indices.map { i in
            NativeHistogram(
                schema: 0, count: Double(3 * i), sum: Double(i), zeroThreshold: 0, zeroCount: 0, positiveOffset: 0,
                positive: [Double(i), Double(2 * i)], negativeOffset: 0, negative: [])
        }
        return SampleSeries(
            labels: Labels([Label("__name__", "level"), Label("job", "a"), Label("instance", "9")]), timestamps: times,
            values: times.map { _ in 0 }, histograms: histograms)
    }
}
