import Pattern
import QueryModel
import Scheduling

/// Evaluates metric expressions over a grid, from the leaves up.
struct MetricEvaluator {
    let source: any LogSource
    let grid: StepGrid
    let context: QueryContext

    enum Value {
        case scalar(Double)
        case series([GridSeries])
    }

    func evaluate(_ expression: MetricExpression) throws(QueryError) -> Value {
        try context.proceed()
        switch expression {
        case .number(let value): return .scalar(value)
        case .vector(let value):
            try context.charge(bytes: GridSeries.cost(steps: grid.count))
            return .series([GridSeries(labels: .empty, values: Array(repeating: value, count: grid.count))])
        case .range(let aggregation):
            return .series(try evaluate(aggregation, grouping: aggregation.grouping))
        case .aggregation(let aggregation): return .series(try evaluate(aggregation))
        case .binary(let binary): return .series(try evaluate(binary))
        case .labelReplace(let replacement): return .series(try evaluate(replacement))
        }
    }

    private func evaluate(
        _ aggregation: RangeAggregation, grouping: Grouping?
    ) throws(QueryError) -> [GridSeries] {
        try RangeEvaluator.evaluate(aggregation, grouping: grouping, over: grid, source: source, context: context)
    }

    private func series(of expression: MetricExpression) throws(QueryError) -> [GridSeries] {
        switch try evaluate(expression) {
        case .series(let series): series
        case .scalar(let value): [GridSeries(labels: .empty, values: Array(repeating: value, count: grid.count))]
        }
    }

    // MARK: Aggregations

    private func evaluate(_ aggregation: VectorAggregation) throws(QueryError) -> [GridSeries] {
        let grouping = aggregation.grouping ?? .everything
        if case .range(let range) = aggregation.operand, range.aggregates(into: aggregation.operation) {
            return try evaluate(range, grouping: grouping)
        }
        let input = try series(of: aggregation.operand)
        let aggregator = Aggregation(grouping: grouping, stepCount: grid.count, context: context)
        // Logs have no histograms, so that nothing is ever dropped.
        var dropped = false
        if let reduction = aggregation.operation.reduction {
            return try aggregator.reduce(reduction, input, dropped: &dropped)
        }
        switch aggregation.operation {
        case .bottom:
            return try aggregator.choose(.bottomk, limits(aggregation.count), input, dropped: &dropped)
        case .sort, .sortDescending: return sorted(input, descending: aggregation.operation == .sortDescending)
        case .approximateTop where grid.count > 1:
            throw .execution("approx_topk is only supported for instant queries")
        default: return try aggregator.choose(.topk, limits(aggregation.count), input, dropped: &dropped)
        }
    }

    private func limits(_ count: Int) -> [Int] { Array(repeating: count, count: grid.count) }

    /// By value at the only step; over several steps there is no order.
    private func sorted(_ series: [GridSeries], descending: Bool) -> [GridSeries] {
        guard grid.count == 1 else { return series }
        return series.sorted { left, right in
            let (a, b) = (left.values[0], right.values[0])
            if a.isNaN || b.isNaN { return !a.isNaN }
            if a == b { return left.labels < right.labels }
            return descending ? a > b : a < b
        }
    }

    // MARK: Operators

    private func evaluate(_ binary: BinaryExpression) throws(QueryError) -> [GridSeries] {
        let arithmetic = VectorArithmetic(stepCount: grid.count, context: context)
        var dropped = false
        switch (try evaluate(binary.left), try evaluate(binary.right)) {
        case (.series(let left), .series(let right)) where binary.operator.isSet:
            let union = try arithmetic.combineSets(binary.operator, left, right, matching: binary.matching)
            return try merged(union)
        case (.series(let left), .series(let right)):
            return try arithmetic.combine(
                binary.operator, left, right, matching: binary.matching, returnsBool: binary.returnsBool,
                dropped: &dropped)
        case (.series(let vector), .scalar(let number)):
            return try arithmetic.combine(
                binary.operator, vector, scalar: Array(repeating: number, count: grid.count), scalarIsLeft: false,
                returnsBool: binary.returnsBool, dropped: &dropped)
        case (.scalar(let number), .series(let vector)):
            return try arithmetic.combine(
                binary.operator, vector, scalar: Array(repeating: number, count: grid.count), scalarIsLeft: true,
                returnsBool: binary.returnsBool, dropped: &dropped)
        case (.scalar(let left), .scalar(let right)):
            // The parser aggregates these; kept so that a tree made otherwise has a value too.
            let value = VectorArithmetic.combine(binary.operator, [left], [right])[0]
            return [GridSeries(labels: .empty, values: Array(repeating: value, count: grid.count))]
        }
    }

    /// With `or`, series of equal labels may come from either side at different timestamps.
    private func merged(_ series: [GridSeries]) throws(QueryError) -> [GridSeries] {
        var output = GridSeriesCollector()
        for one in series where !output.insert(one) {
            throw .execution("vector cannot contain metrics with the same labelset")
        }
        return output.series
    }

    private func evaluate(_ replacement: LabelReplacement) throws(QueryError) -> [GridSeries] {
        var output = GridSeriesCollector()
        for var series in try series(of: replacement.operand) {
            try context.proceed()
            series.labels = try Self.replaced(replacement, in: series.labels)
            guard output.insert(series) else {
                throw .execution("vector cannot contain metrics with the same labelset")
            }
        }
        return output.series
    }

    private static func replaced(_ replacement: LabelReplacement, in labels: Labels) throws(QueryError) -> Labels {
        let text = labels[replacement.source]
        let pattern = replacement.pattern.pattern
        guard let match = pattern.firstMatch(in: text) else { return labels }
        do {
            return labels.setting(
                replacement.target, to: try pattern.expand(replacement.replacement, match: match, in: text))
        } catch {
            throw .execution("label_replace: \(error.message)")
        }
    }
}

extension RangeAggregation {
    /// Whether grouping the entries at once gives what grouping this aggregation's series would give.
    func aggregates(into outer: VectorOperation) -> Bool {
        guard grouping == nil else { return false }
        switch operation {
        case .count, .rate, .bytes, .bytesRate, .sum: return outer == .sum
        case .minimum: return outer == .minimum
        case .maximum: return outer == .maximum
        default: return false
        }
    }
}

extension VectorOperation {
    var reduction: Aggregation.Reduction? {
        switch self {
        case .sum: .sum
        case .average: .avg
        case .minimum: .min
        case .maximum: .max
        case .count: .count
        case .standardDeviation: .stddev
        case .standardVariance: .stdvar
        case .top, .bottom, .approximateTop, .sort, .sortDescending: nil
        }
    }

    /// Whether the order of the elements is part of the answer.
    var ordersResult: Bool {
        switch self {
        case .top, .bottom, .approximateTop, .sort, .sortDescending: true
        default: false
        }
    }
}
