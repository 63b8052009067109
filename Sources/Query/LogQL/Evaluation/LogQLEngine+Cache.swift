import Core
import QueryModel
import Scheduling

/// Metric queries whose steps may be known already.
extension LogQLEngine {
    func series(
        _ expression: MetricExpression, _ text: String, over grid: StepGrid, _ dependence: TimeDependence,
        _ cache: RangeCache, _ context: QueryContext
    ) throws(QueryError) -> [GridSeries] {
        let request = RangeCache.Request(
            text: text, start: grid.start, step: grid.step, count: grid.count, dependence: dependence.times)
        return try cache.series(request, context: context) { (run) throws(QueryError) in
            let evaluator = MetricEvaluator(source: source, grid: grid.part(run), context: context)
            guard case .series(let series) = try evaluator.evaluate(expression) else {
                throw .execution("expected series")
            }
            return (series, !context.isIncomplete)
        }
    }
}

extension TimeDependence {
    /// The times, in nanoseconds, of the entries that the values at a time depend on.
    func times(_ time: Int64) -> ClosedRange<Int64> {
        let first = Timestamp(nanoseconds: time).advanced(by: -back).nanoseconds
        return first...max(first, Timestamp(nanoseconds: time).advanced(by: ahead).nanoseconds)
    }
}

extension MetricExpression {
    /// Nil if evaluating some steps alone may find no fault where all steps together would, which is wherever series of different
    /// steps could have equal labels; and for what is no series.
    var dependence: TimeDependence? {
        switch self {
        case .number, .labelReplace: return nil
        case .vector: return TimeDependence.none
        case .range(let aggregation):
            return TimeDependence.none.reaching(back: aggregation.range, offset: aggregation.offset)
        case .aggregation(let aggregation): return aggregation.operand.dependence
        case .binary(let binary):
            guard binary.matching == VectorMatching() || binary.matching == VectorMatching(cardinality: .manyToMany),
                binary.operator != .or
            else { return nil }
            switch (binary.left, binary.right) {
            case (.number, .number): return nil
            case (.number, let operand), (let operand, .number): return operand.dependence
            case (let left, let right):
                guard let left = left.dependence, let right = right.dependence else { return nil }
                return left.union(right)
            }
        }
    }
}
