import QueryModel

/// Selections that the source evaluates where the samples are; all else is evaluated here, sample by sample.
extension Evaluator {
    /// A selector, or a function of one.
    private struct PlannedSelection {
        let selector: VectorSelector
        let function: SeriesPlan.Function
        let range: Int64
        /// What stands for the samples.
        let argument: Expression
    }

    /// The value of a selection, aggregated if that is wanted; nil if it is none, or the source cannot do it.
    func planned(
        _ expression: Expression, reduction: SeriesPlan.Reduction? = nil, on grid: TimeGrid
    ) throws(QueryError) -> [GridSeries]? {
        guard let selection = selection(expression) else { return nil }
        let times = times(selection.selector.shift, on: grid)
        // `@` makes all windows one.
        guard let windows = TimeGrid(from: times.first, through: times.last, step: grid.step) else { return nil }
        let plan = SeriesPlan(
            matchers: selection.selector.matchers, function: selection.function, range: selection.range, grid: windows,
            reduction: reduction)
        try context.admit(range: plan.samples)
        guard let answer = try source.evaluate(plan, context: context) else { return nil }
        count(answer, of: plan, on: grid)
        for name in answer.counterNames { checkCounter(name, at: selection.argument) }
        guard windows.count < grid.count else { return answer.series }
        return try answer.series.map { (series) throws(QueryError) in
            try chargeSteps(of: grid)
            return GridSeries(labels: series.labels, values: Array(repeating: series.values[0], count: grid.count))
        }
    }

    private func selection(_ expression: Expression) -> PlannedSelection? {
        let expression = expression.unwrapped
        switch expression.node {
        case .vector(let selector):
            return PlannedSelection(
                selector: selector, function: .latest, range: options.lookback, argument: expression)
        case .call(let call):
            guard call.arguments.count == 1, case .matrix(let matrix) = call.arguments[0].unwrapped.node,
                let function = SeriesPlan.Function(rawValue: call.name)
            else { return nil }
            return PlannedSelection(
                selector: matrix.selector, function: function, range: matrix.range, argument: call.arguments[0])
        default: return nil
        }
    }

    private func count(_ answer: SeriesPlanAnswer, of plan: SeriesPlan, on grid: TimeGrid) {
        statistics.read(answer.samplesRead)
        let isQueryGrid = grid == queryGrid
        guard plan.grid.count < grid.count else {
            for (step, count) in answer.samplesByStep.enumerated() {
                statistics.look(at: count, step: isQueryGrid ? step : nil)
            }
            return
        }
        // A window that never moves is looked at once, but a selector's samples at each step.
        for step in plan.function == .latest ? grid.indices : 0..<1 {
            statistics.look(at: answer.samplesByStep[0], step: isQueryGrid ? step : nil)
        }
    }
}

extension AggregateExpression {
    /// What of the aggregation can be done where the samples are; nil for those that need all elements of a group at once.
    var reduction: SeriesPlan.Reduction? {
        SeriesPlan.Reduction.Operator(rawValue: self.operator.rawValue).map { SeriesPlan.Reduction($0, grouping) }
    }
}
