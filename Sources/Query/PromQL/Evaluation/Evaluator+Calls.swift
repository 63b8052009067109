import QueryModel

/// Calls of functions: what each kind of function in the table means over a grid.
extension Evaluator {
    func evaluate(
        _ call: FunctionCall, at expression: Expression, on grid: TimeGrid
    ) throws(QueryError) -> Value {
        switch call.function.body {
        case .elementwise(let body):
            let vector = try vectorArgument(of: call, on: grid)
            return .vector(try apply(body, to: vector, call, on: grid))
        case .window(let window):
            if let planned = try planned(expression, on: grid) {
                if !window.keepsName { try requireDistinctLabels(planned) }
                return .vector(planned)
            }
            let (vector, argument) = try rangeArgument(of: call, on: grid)
            return .vector(try slide(window, over: vector, argument, call, on: grid))
        case .general(let body):
            return try body(CallFrame(evaluator: self, call: call, expression: expression, grid: grid))
        }
    }

    private func scalars(of call: FunctionCall, on grid: TimeGrid) throws(QueryError) -> [[Double]] {
        var scalars: [[Double]] = []
        for argument in call.arguments where argument.type == .scalar {
            scalars.append(try scalar(argument, on: grid))
        }
        return scalars
    }

    private func vectorArgument(of call: FunctionCall, on grid: TimeGrid) throws(QueryError) -> [GridSeries] {
        guard let argument = call.arguments.first(where: { $0.type == .instantVector }) else { return [] }
        return try vector(argument, on: grid)
    }

    private func rangeArgument(
        of call: FunctionCall, on grid: TimeGrid
    ) throws(QueryError) -> (RangeVector, Expression) {
        guard let argument = call.arguments.first(where: { $0.type == .rangeVector }) else {
            throw .execution("expected a range vector in call to \(call.name)")
        }
        return (try rangeVector(argument, on: grid), argument)
    }

    private func apply(
        _ body: FunctionDefinition.Elementwise, to vector: [GridSeries], _ call: FunctionCall, on grid: TimeGrid
    ) throws(QueryError) -> [GridSeries] {
        let scalars = ScalarArguments(try scalars(of: call, on: grid))
        var output: [GridSeries] = []
        for var series in vector {
            try context.proceed()
            series.labels = series.labels.withoutMetricName
            series.histograms = []
            for step in series.values.indices {
                let value = series.values[step]
                if GridSeries.isAbsent(value) { continue }
                series.values[step] = body(value, scalars.at(step)) ?? GridSeries.absent
            }
            if series.hasAnyValue { output.append(series) }
        }
        return try merged(output)
    }

    private func slide(
        _ function: WindowFunction, over input: RangeVector, _ argument: Expression, _ call: FunctionCall,
        on grid: TimeGrid
    ) throws(QueryError) -> [GridSeries] {
        let scalars = ScalarArguments(try scalars(of: call, on: grid))
        if function.expectsQuantile, let quantile = call.arguments.first {
            checkQuantile(scalars.all[0], at: quantile)
        }
        var output: [GridSeries] = []
        for samples in input.series {
            try context.proceed()
            if function.expectsCounter && samples.histograms.isEmpty && !samples.timestamps.isEmpty {
                checkCounter(samples.labels.metricName, at: argument)
            }
            let apply = samples.histograms.isEmpty ? function.floats : function.histograms
            guard let apply else { continue }
            try chargeSteps(of: grid)
            let series = try slide(
                apply, over: samples, of: input, function, scalars, counting: &statistics)
            if series.hasAnyValue { output.append(series) }
        }
        if !function.keepsName { try requireDistinctLabels(output) }
        return output
    }

    private func slide(
        _ apply: WindowFunction.Body, over samples: SampleSeries, of input: RangeVector,
        _ function: WindowFunction, _ scalars: ScalarArguments, counting statistics: inout EvaluationStatistics
    ) throws(QueryError) -> GridSeries {
        let grid = input.times.grid
        let isQueryGrid = grid == queryGrid
        let labels = function.keepsName ? samples.labels : samples.labels.withoutMetricName
        var result = GridSeries(labels: labels, empty: grid.count)
        var window = SampleWindow(samples, range: input.range)
        // `@` makes every window the same; unless the function asks for the time or for scalars, so is its value.
        let isConstant = input.times.fixed != nil && scalars.all.isEmpty && !function.dependsOnTime
        for step in grid.indices {
            if step % 256 == 255 { try context.proceed() }
            window.slide(to: input.times[step], evaluatedAt: grid[step])
            if window.isEmpty { continue }
            statistics.look(at: window.count, step: isQueryGrid ? step : nil)
            let value = try apply(window, scalars.at(step))
            if isConstant {
                for every in grid.indices { result[every] = value }
                return result
            }
            if case .float(let number) = value {
                result.values[step] = number
            } else if let value {
                result[step] = value
            }
        }
        return result
    }

    func checkCounter(_ name: String, at argument: Expression) {
        let endings = ["_total", "_sum", "_count", "_bucket"]
        if name.isEmpty || endings.contains(where: name.hasSuffix) { return }
        inform(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                + QuotedText.quote(name), at: argument)
    }
}
