import QueryModel
import Scheduling

/// Evaluates one query, series by series over a grid of timestamps.
///
/// Every expression yields its values at all timestamps of a grid at once: a selector reads the source once for the union of its
/// windows, and slides over each series' samples with two pointers. A subquery evaluates its expression on a grid of its own.
/// One evaluator works for one query on one thread.
///
/// Functions through which evaluation recurses do little else, so that their frames are small.
final class Evaluator {
    enum Value {
        /// One number for each timestamp.
        case scalar([Double])
        case string(String)
        case vector([GridSeries])
    }

    let source: any SeriesSource
    let context: QueryContext
    let options: PromQLEngine.Options
    /// The whole query's grid: what `start()` and `end()` mean.
    let queryGrid: TimeGrid
    private let text: [UInt8]
    private(set) var annotations = Annotations()
    var statistics: EvaluationStatistics

    init(
        source: any SeriesSource, query: PromQLQuery, grid: TimeGrid, options: PromQLEngine.Options,
        context: QueryContext
    ) {
        self.source = source
        self.context = context
        self.options = options
        queryGrid = grid
        statistics = EvaluationStatistics(stepCount: grid.count)
        text = Array(query.text.utf8)
    }

    func answer(_ value: QueryAnswer.Value) -> QueryAnswer {
        QueryAnswer(value: value, annotations: annotations, statistics: statistics)
    }

    func evaluate(_ expression: Expression, on grid: TimeGrid) throws(QueryError) -> Value {
        try context.proceed()
        switch expression.node {
        case .number(let value): return try constant(value, on: grid)
        case .string(let text): return .string(text)
        case .vector(let selector):
            if let planned = try planned(expression, on: grid) { return .vector(planned) }
            return .vector(try instantVector(selector, on: grid, reading: .values))
        case .matrix, .subquery:
            throw .execution("a range vector stands where an instant vector is expected")
        case .parenthesized(let inner): return try evaluate(inner, on: grid)
        case .unary(let unary): return try evaluate(unary, on: grid)
        case .binary: return try evaluateChain(expression, on: grid)
        case .aggregate(let aggregate): return .vector(try evaluate(aggregate, at: expression, on: grid))
        case .call(let call): return try evaluate(call, at: expression, on: grid)
        }
    }

    func constant(_ value: Double, on grid: TimeGrid) throws(QueryError) -> Value {
        try chargeSteps(of: grid)
        return .scalar(Array(repeating: value, count: grid.count))
    }

    /// To be called before memory is taken for each timestamp of a grid, which may be longer than memory is large.
    func chargeSteps(of grid: TimeGrid, series: Int = 1) throws(QueryError) {
        let (bytes, overflow) = grid.count.multipliedReportingOverflow(by: 8)
        let (all, tooMany) = bytes.multipliedReportingOverflow(by: max(series, 1))
        try context.charge(bytes: overflow || tooMany ? Int.max / 2 : all + 128 * series)
    }

    /// Gives back the memory of a vector that is used up.
    func release(_ vector: [GridSeries]) {
        context.release(bytes: vector.reduce(0) { $0 + GridSeries.cost(steps: $1.values.count) })
    }

    // MARK: Operands by type

    func vector(_ expression: Expression, on grid: TimeGrid) throws(QueryError) -> [GridSeries] {
        guard case .vector(let series) = try evaluate(expression, on: grid) else {
            throw .execution("expected an instant vector")
        }
        return series
    }

    func scalar(_ expression: Expression, on grid: TimeGrid) throws(QueryError) -> [Double] {
        guard case .scalar(let values) = try evaluate(expression, on: grid) else {
            throw .execution("expected a scalar")
        }
        return values
    }

    func string(_ expression: Expression) throws(QueryError) -> String {
        guard case .string(let text) = expression.unwrapped.node else {
            throw .execution("expected a string")
        }
        return text
    }

    // MARK: Checks and remarks

    /// Dropping a name or changing labels may have made two series the same.
    func requireDistinctLabels(_ vector: [GridSeries]) throws(QueryError) {
        var seen: Set<Labels> = []
        for series in vector where !seen.insert(series.labels).inserted {
            throw .execution("vector cannot contain metrics with the same labelset")
        }
    }

    /// Puts series of equal labels together, which is an error where both have a value.
    func merged(_ vector: [GridSeries]) throws(QueryError) -> [GridSeries] {
        var seen: Set<Labels> = []
        if vector.allSatisfy({ seen.insert($0.labels).inserted }) { return vector }
        var collector = GridSeriesCollector()
        for series in vector where !collector.insert(series) {
            throw .execution("vector cannot contain metrics with the same labelset")
        }
        return collector.series
    }

    func warn(_ message: String, at expression: Expression) {
        annotations.warn("\(message) (\(position(of: expression)))")
    }

    func inform(_ message: String, at expression: Expression) {
        annotations.inform("\(message) (\(position(of: expression)))")
    }

    private func position(of expression: Expression) -> String {
        TextPosition(offset: expression.range.lowerBound, in: text).description
    }
}
