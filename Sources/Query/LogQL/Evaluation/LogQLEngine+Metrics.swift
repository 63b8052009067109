package import QueryModel
package import Scheduling

/// What a metric expression evaluates to.
package enum MetricResult: Sendable {
    case scalar(Double)
    /// Over a range sorted by labels; at one point in time in the expression's order, if it has one.
    case series([GridSeries])
}

extension LogQLEngine {
    /// - Parameter text: of the expression, by which results are kept; nil keeps none.
    package func metric(
        _ expression: MetricExpression, text: String? = nil, over grid: StepGrid, context: QueryContext
    ) throws(QueryError) -> MetricResult {
        let value: MetricEvaluator.Value
        if let cache, let text, context.usesResultCache, grid.count > 1, let dependence = expression.dependence {
            value = .series(try series(expression, text, over: grid, dependence, cache, context))
        } else {
            value = try MetricEvaluator(source: source, grid: grid, context: context).evaluate(expression)
        }
        switch value {
        case .scalar(let value): return .scalar(value)
        case .series(var series):
            guard series.count <= limits.series else {
                throw .execution(
                    """
                    maximum number of series (\(limits.series)) reached for a single query; consider more specific \
                    stream selectors, a shorter time range, or aggregating the result with sum(), count() or topk()
                    """)
            }
            if grid.count > 1 || !expression.ordersResult { series.sort { $0.labels < $1.labels } }
            return .series(series)
        }
    }
}

extension MetricExpression {
    fileprivate var ordersResult: Bool {
        if case .aggregation(let aggregation) = self { aggregation.operation.ordersResult } else { false }
    }
}
