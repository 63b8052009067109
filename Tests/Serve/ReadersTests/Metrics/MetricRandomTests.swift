import Core
import Glibc
import Observability
import QueryModel
import Randomness
import Readers
import Scheduling
import Testing

/// Random points of all kinds, from memtables and parts in every mixture, against `MetricNaiveModel`.
struct MetricRandomTests {
    private struct Stream {
        var metric: MetricRequest.Metric
        var attributes: [Attribute]

        /// A point with made-up numbers; times are whole milliseconds of three days.
        func point(using random: inout SeededRandom) -> MetricRequest.Point {
            let time = second(0) + Int64(random.below(3 * 86_400_000)) * 1_000_000
            var point = MetricRequest.Point(metric: metric, attributes: attributes, time: time, value: .none)
            point.start = time - 10_000_000_000
            guard random.below(12) > 0 else {
                point.flags = 1
                return point
            }
            switch metric.kind {
            case 5: point.value = .double(Double(random.below(1000)) / 8)
            case 7: point.value = .int(Int64(random.below(1000)))
            case 9:
                let counts = (0..<4).map { _ in UInt64(random.below(5)) }
                point.value = .histogram(
                    count: counts.reduce(0, +), sum: metric.temporality == 1 || random.below(4) > 0 ? 2 : nil, min: nil,
                    max: nil, bounds: [1, 5, 10], counts: counts)
            case 10:
                point.value = .exponential(
                    count: 9, sum: 1, scale: Int32(random.below(8)), zeroCount: 1, zeroThreshold: 0,
                    positiveOffset: Int32(random.below(9)) - 4, positive: [1, 2, UInt64(random.below(3))],
                    negativeOffset: 0, negative: [])
            default:
                point.value = .summary(
                    count: UInt64(random.below(9)), sum: 3, quantiles: [(0.5, 1), (0.9, Double(random.below(9)))])
            }
            return point
        }
    }

    private static let metrics: [MetricRequest.Metric] = [
        .gauge("level"), .counter("hits"), .counter("bytes", isDelta: true), .histogram("size"),
        .histogram("wait", isDelta: true), .exponential("pause"), .summary("quick"),
    ]

    private static let selectors: [[(String, LabelMatcher.Operator, String)]] = [
        [], [("__name__", .equal, "hits_total")], [("__name__", .regex, "size.*|wait_bucket")],
        [("le", .equal, "5")], [("le", .notEqual, "5"), ("shard", .equal, "1")], [("shard", .notRegex, "[02]")],
        [("quantile", .regex, "0.9"), ("__name__", .equal, "quick")],
        [("__name__", .notEqual, "pause"), ("job", .equal, "shop")],
        [("__name__", .equal, "wait_sum")], [("missing", .equal, "")], [("missing", .notEqual, "")],
    ]

    @Test(arguments: 0..<4) func `series are those of the naive model, whatever is in memory and what in parts`(
        run: Int
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let streams = Self.metrics.flatMap { metric in
            (0..<3).map { Stream(metric: metric, attributes: attributes(["shard": "\($0)"])) }
        }
        // A small limit empties the directory again and again.
        let store = try MetricStore(directoryBytes: run % 2 == 0 ? 256 << 20 : 10_000)
        var model = MetricNaiveModel()
        for _ in 0..<6 {
            var points: [MetricRequest.Point] = []
            for _ in 0..<(40 + random.below(400)) {
                points.append(streams[random.below(streams.count)].point(using: &random))
            }
            try store.ingest(points)
            model.add(points)
            if random.below(2) == 0 { try store.flush() }
            for selector in Self.selectors {
                try compare(store, model, selector.map { try LabelMatcher($0.0, $0.1, $0.2) }, &random)
            }
        }
    }

    @Test func `any number of threads reads the same series in the same order, and counts the same`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let streams = Self.metrics.flatMap { metric in
            (0..<40).map { Stream(metric: metric, attributes: attributes(["shard": "\($0)"])) }
        }
        let store = try MetricStore()
        for round in 0..<4 {
            // Parts of several blocks, then a memtable.
            let count = round < 3 ? 30_000 : 500
            try store.ingest((0..<count).map { _ in streams[random.below(streams.count)].point(using: &random) })
            if round < 3 { try store.flush() }
        }
        let readers = [1, 4].map { store.reader(on: QueryPool(threadCount: $0)) }
        for selector in Self.selectors {
            let matchers = try selector.map { try LabelMatcher($0.0, $0.1, $0.2) }
            let ends = [random.below(3 * 86_400), random.below(3 * 86_400)].sorted().map { second(Double($0)) }
            for range in [TimeRange.everything, between(ends[0], ends[1])] {
                let contexts = readers.map { _ in store.context() }
                let found = try zip(readers, contexts).map { reader, context in
                    try reader.series(matching: matchers, in: range, context: context)
                }
                let isEqual = found[0].elementsEqual(found[1]) { $0.isIdentical(to: $1) }
                #expect(isEqual, "\(matchers.map(\.value))")
                let totals = contexts.map { context in
                    context.statistics.totals.filter { $0.name != "peakBytes" }.map(\.value)
                }
                #expect(totals[0] == totals[1], "\(matchers.map(\.value))")
                // A thread of the pool may hold its last block a little longer than the query runs.
                for _ in 0..<10_000 where contexts[0].heldBytes != contexts[1].heldBytes { usleep(1000) }
                #expect(contexts[0].heldBytes == contexts[1].heldBytes)
            }
        }
    }

    private func compare(
        _ store: MetricStore, _ model: MetricNaiveModel, _ matchers: [LabelMatcher], _ random: inout SeededRandom
    ) throws {
        let ends = [random.below(3 * 86_400), random.below(3 * 86_400)].sorted().map { second(Double($0)) }
        let range = random.below(3) == 0 ? TimeRange.everything : between(ends[0], ends[1])
        let found = try store.series(matchers, in: range)
        let expected = model.series(matchers, in: range)
        #expect(Set(found.map(\.labels)).count == found.count, "a label set comes once")
        #expect(Set(found.map(\.labels)) == Set(expected.keys), "\(matchers.map(\.value))")
        for series in found {
            #expect(zip(series.timestamps, series.timestamps.dropFirst()).allSatisfy { $0 < $1 })
            var samples: [Int64: MetricNaiveModel.Sample] = [:]
            for (i, time) in series.timestamps.enumerated() {
                samples[time] =
                    series.histograms.isEmpty ? .float(series.values[i]) : .histogram(series.histograms[i].bits)
            }
            #expect(samples == expected[series.labels], "\(series.labels)")
        }
    }
}
