import Core
import QueryModel
import Scheduling

/// Range queries whose steps may be known already.
extension PromQLEngine {
    func range(
        _ query: PromQLQuery, over grid: TimeGrid, _ options: Options, _ cache: RangeCache,
        _ dependence: TimeDependence, _ context: QueryContext
    ) throws(QueryError) -> QueryAnswer {
        var statistics = EvaluationStatistics(stepCount: grid.count)
        var annotations = Annotations()
        let request = RangeCache.Request(
            text: query.text, options: [options.lookback, options.subqueryStep], start: grid.start, step: grid.step,
            count: grid.count, dependence: dependence.times)
        let vector = try cache.series(request, context: context) { (run) throws(QueryError) in
            let part = grid.part(run)
            let evaluator = Evaluator(source: source, query: query, grid: part, options: options, context: context)
            let series = try evaluator.vector(query.expression, on: part)
            try evaluator.requireDistinctLabels(series)
            statistics.add(evaluator.statistics, from: run.lowerBound)
            annotations.add(evaluator.annotations)
            // Remarks are of the steps that were evaluated, and what is kept has none.
            let isKept = evaluator.annotations.isEmpty && !context.isIncomplete
            return (series.filter(\.hasAnyValue), isKept)
        }
        var matrix: [MatrixSeries] = []
        for series in vector where series.hasAnyValue {
            try context.charge(bytes: 2 * GridSeries.cost(steps: grid.count))
            matrix.append(MatrixSeries(series, over: grid))
        }
        return QueryAnswer(
            value: .matrix(matrix.sorted { $0.labels < $1.labels }), annotations: annotations, statistics: statistics)
    }
}

extension TimeDependence {
    private static let day: Int64 = 86_400_000

    /// The times of rows, in nanoseconds, that the values at a time in milliseconds depend on: samples of delta temporality are shown as
    /// sums since 0:00 UTC of their day (rule T-9), and samples are known to the millisecond.
    func times(_ time: Int64) -> ClosedRange<Int64> {
        let first = time &- back
        let day = first >= 0 ? first / Self.day : (first + 1) / Self.day - 1
        let last = max(time &+ ahead, first) &+ 1
        return Self.nanoseconds(day &* Self.day &- 1)...Self.nanoseconds(last)
    }

    private static func nanoseconds(_ milliseconds: Int64) -> Int64 {
        let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? (milliseconds < 0 ? .min : .max) : nanoseconds
    }
}
