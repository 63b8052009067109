import Core
import PromQL
import QueryModel
import QuerySupport
import Scheduling
import Testing

/// Native histograms in queries (rules of §3.3, §3.5).
struct NativeHistogramQueryTests {
    /// One sample a minute: 1, 2, 3… observations in each of (1, 2] and (2, 4], and as many zeros.
    private static let source: MemorySeriesSource = {
        let counts = (1...10).map(Double.init)
        func labels(_ instance: String) -> Labels { Labels([Label("__name__", "sizes"), Label("instance", instance)]) }
        let series = ["a", "b"].map { instance in
            SampleSeries(
                labels: labels(instance), timestamps: counts.map { Int64($0) * 60_000 },
                values: counts.map { _ in 0 },
                histograms: counts.map { n in
                    NativeHistogram(
                        schema: 0, count: 3 * n, sum: 6 * n, zeroThreshold: 0.5, zeroCount: n, positiveOffset: 1,
                        positive: [n, n], negativeOffset: 0, negative: [])
                })
        }
        return MemorySeriesSource(series)
    }()

    private func evaluate(_ text: String) throws -> [SampleValue] {
        let query = try PromQLQuery(text)
        let answer = try PromQLEngine(source: Self.source).instant(
            query, at: 300_000, context: QueryContext(tenant: .default))
        guard case .vector(let elements) = answer.value else { return [] }
        return elements.map(\.value)
    }

    @Test(
        arguments: [
            (#"histogram_count(sizes{instance="a"})"#, 15.0), (#"histogram_sum(sizes{instance="a"})"#, 30),
            (#"histogram_avg(sizes{instance="a"})"#, 2), ("histogram_count(sum(sizes))", 30),
            ("histogram_count(avg(sizes))", 15),
            (#"histogram_count(sizes{instance="a"} * 2)"#, 30), (#"histogram_count(-sizes{instance="a"})"#, -15),
            // Three observations a minute, extrapolated over the five minutes.
            (#"histogram_count(increase(sizes{instance="a"}[5m]))"#, 15),
            (#"histogram_count(rate(sizes{instance="a"}[5m]))"#, 0.05),
            (#"histogram_count(irate(sizes{instance="a"}[5m]))"#, 0.05),
            (#"histogram_count(delta(sizes{instance="a"}[5m]))"#, 15),
            (#"histogram_count(sum_over_time(sizes{instance="a"}[2m]))"#, 27),
            (#"count_over_time(sizes{instance="a"}[2m])"#, 2),
            (#"histogram_count(last_over_time(sizes{instance="a"}[2m]))"#, 15),
            (#"changes(sizes{instance="a"}[3m])"#, 2),
            (#"resets(sizes{instance="a"}[3m])"#, 0), ("count(sizes)", 2),
            // A third are zeros, in [0, 0.5]; the middle of (1, 2] on a logarithmic scale is √2.
            (#"histogram_quantile(0.5, sizes{instance="a"})"#, 1.4142135623730951),
            (#"histogram_quantile(1, sizes{instance="a"})"#, 4),
            (#"histogram_quantile(0, sizes{instance="a"})"#, 0),
            (#"histogram_quantile(0.1666666666666666, sizes{instance="a"})"#, 0.25),
            (#"histogram_fraction(0, 2, sizes{instance="a"})"#, 2.0 / 3),
            (#"histogram_fraction(1.4142135623730951, 2, sizes{instance="a"})"#, 1.0 / 6),
            (#"timestamp(sizes{instance="a"})"#, 300),
            (#"histogram_count(max_over_time(vector(1)[2m:1m]) * on () group_right sizes{instance="a"})"#, 15),
        ] as [(String, Double)])
    func `a histogram has a value`(query: String, expected: Double) throws {
        let values = try evaluate(query)
        guard case .float(let value) = values.first, values.count == 1 else {
            Issue.record("\(query) gave \(values)")
            return
        }
        #expect(abs(value - expected) < 1e-12, "\(query)")
    }

    @Test(arguments: [
        "sizes + 1", "sizes > 1", "abs(sizes)", "max(sizes)", "topk(1, sizes)", "quantile(0.5, sizes)",
        "deriv(sizes[5m])", "sort(sizes)",
    ])
    func `what is not defined for histograms leaves them out`(query: String) throws {
        #expect(try evaluate(query).isEmpty)
    }

    @Test func `equal histograms are equal`() throws {
        #expect(try evaluate("sizes == sizes").count == 2)
        #expect(try evaluate("sizes != sizes").isEmpty)
    }
}
