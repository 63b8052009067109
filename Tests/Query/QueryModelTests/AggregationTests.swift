import Core
import QueryModel
import Randomness
import Scheduling
import Testing

/// Aggregations over a grid (rules of §3.4 and §3.6).
struct AggregationTests {
    func aggregation(_ labels: [String] = [], without: Bool = false, steps: Int = 1) -> Aggregation {
        Aggregation(
            grouping: Grouping(labels: labels, isWithout: without), stepCount: steps,
            context: QueryContext(tenant: .default))
    }

    func series(_ values: [Double]) -> [GridSeries] {
        values.enumerated().map { i, value in
            GridSeries(labels: Labels([Label("i", "\(i)")]), values: [value])
        }
    }

    func reduce(_ reduction: Aggregation.Reduction, _ values: [Double]) throws -> Double {
        var dropped = false
        let result = try aggregation().reduce(reduction, series(values), dropped: &dropped)
        return try #require(result.first).values[0]
    }

    @Test(
        arguments: [
            (Aggregation.Reduction.sum, [1, 1e100, 1, -1e100], 2.0), (.avg, [1, 1e100, 1, -1e100], 0.5),
            (.avg, [1.7e308, 1.7e308], 1.7e308), (.avg, [-1.7e308, 1.7e308, -1.7e308, 1.7e308], 0),
            (.sum, [.infinity, -1], .infinity), (.avg, [.infinity, 1, 2], .infinity), (.min, [.nan, 3, 2], 2),
            (.max, [.nan, 3, .nan], 3), (.count, [.nan, 1], 2), (.group, [7, 8], 1),
            (.stdvar, [2, 4, 4, 4, 5, 5, 7, 9], 4),
            (.stddev, [2, 4, 4, 4, 5, 5, 7, 9], 2),
        ] as [(Aggregation.Reduction, [Double], Double)])
    func `a reduction of a group`(reduction: Aggregation.Reduction, values: [Double], expected: Double) throws {
        #expect(try reduce(reduction, values) == expected)
    }

    @Test func `NaN is a value`() throws {
        #expect(try reduce(.sum, [1, .nan]).isNaN)
        #expect(try reduce(.min, [.nan]).isNaN)
        #expect(try reduce(.avg, [.infinity, -.infinity]).isNaN)
    }

    @Test func `by keeps labels, without drops them and the name`() {
        let labels = Labels([Label("__name__", "m"), Label("a", "1"), Label("b", "2")])
        #expect(aggregation(["a"]).groupLabels(of: labels).text == #"{a="1"}"#)
        #expect(aggregation(["a"], without: true).groupLabels(of: labels).text == #"{b="2"}"#)
        #expect(aggregation().groupLabels(of: labels).text == "{}")
        #expect(aggregation(["__name__"]).groupLabels(of: labels).text == #"{__name__="m"}"#)
    }

    @Test(
        arguments: [
            (0.5, [1, 2, 3, 4], 2.5), (0, [3, 1], 1), (1, [3, 1], 3), (-1, [1], -.infinity), (2, [1], .infinity),
            (0.25, [10, 20], 12.5),
        ] as [(Double, [Double], Double)])
    func `quantile lies between the nearest ranks`(quantile: Double, values: [Double], expected: Double) {
        var values = values
        #expect(Quantile.value(quantile, of: &values) == expected)
    }

    @Test(
        arguments: [
            (Aggregation.Choice.topk, 2, [1, .nan, 3, 2], [3.0, 2.0]), (.bottomk, 2, [1, .nan, 3, 2], [1, 2]),
            (.topk, 0, [1], []), (.bottomk, 9, [3, 1, 2], [1, 2, 3]), (.limitk, 2, [5, 6, 7], [5, 6]),
            (.topk, -1, [1], []),
        ] as [(Aggregation.Choice, Int, [Double], [Double])])
    func `a choice takes the best in order`(
        choice: Aggregation.Choice, limit: Int, values: [Double], expected: [Double]
    ) throws {
        var dropped = false
        let result = try aggregation().choose(choice, [limit], series(values), dropped: &dropped)
        #expect(result.map { $0.values[0] } == expected)
    }

    @Test func `over a range a choice is made at each timestamp`() throws {
        let input = [
            GridSeries(labels: Labels([Label("i", "0")]), values: [1, 9]),
            GridSeries(labels: Labels([Label("i", "1")]), values: [2, GridSeries.absent]),
        ]
        var dropped = false
        let result = try aggregation(steps: 2).choose(.topk, [1, 1], input, dropped: &dropped)
        #expect(result.map { one in one.values.map { GridSeries.isAbsent($0) ? -1 : $0 } } == [[-1, 9], [2, -1]])
    }

    @Test func `random choices agree with sorting`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let values = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                Double(Int.random(in: 0...20, using: &generator))
            }
            let limit = Int.random(in: 1...45, using: &generator)
            var dropped = false
            let top = try aggregation().choose(.topk, [limit], series(values), dropped: &dropped)
            #expect(top.map { $0.values[0] } == Array(values.sorted(by: >).prefix(limit)), "seed \(seed)")
        }
    }
}
