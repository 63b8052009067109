import JSON
import QueryModel

/// Unary and binary operators, and aggregations (rules of §3.3 and §3.4).
extension Evaluator {
    func evaluate(_ unary: UnaryExpression, on grid: TimeGrid) throws(QueryError) -> Value {
        let operand = try evaluate(unary.operand, on: grid)
        return unary.negates ? try negated(operand) : operand
    }

    private func negated(_ operand: Value) throws(QueryError) -> Value {
        switch operand {
        case .string: return operand
        case .scalar(let values): return .scalar(values.map { -$0 })
        case .vector(let vector):
            let negated = vector.map { series in
                var result = series
                result.labels = series.labels.withoutMetricName
                for step in result.values.indices {
                    switch series[step] {
                    case nil: break
                    case .float(let value): result.values[step] = -value
                    case .histogram(let value): result[step] = .histogram(value.scaled { -$0 })
                    }
                }
                return result
            }
            return .vector(try merged(negated))
        }
    }

    /// A chain of operators leans to the left, and may be as long as the parser allows: it is walked, not descended.
    func evaluateChain(_ expression: Expression, on grid: TimeGrid) throws(QueryError) -> Value {
        var links: [(binary: BinaryExpression, expression: Expression)] = []
        var first = expression
        while case .binary(let binary) = first.node {
            links.append((binary, first))
            first = binary.left
        }
        var value = try evaluate(first, on: grid)
        for link in links.reversed() {
            let right = try evaluate(link.binary.right, on: grid)
            value = try combine(value, right, by: link.binary, at: link.expression, on: grid)
        }
        return value
    }

    private func combine(
        _ left: Value, _ right: Value, by binary: BinaryExpression, at expression: Expression, on grid: TimeGrid
    ) throws(QueryError) -> Value {
        let arithmetic = VectorArithmetic(stepCount: grid.count, context: context)
        let sign = binary.operator
        var dropped = false
        defer {
            if dropped {
                inform(
                    "incompatible sample types encountered for binary operator \(QuotedText.quote(sign.rawValue))",
                    at: expression)
            }
        }
        switch (left, right) {
        case (.scalar(let l), .scalar(let r)): return .scalar(VectorArithmetic.combine(sign, l, r))
        case (.vector(let vector), .scalar(let scalar)), (.scalar(let scalar), .vector(let vector)):
            var scalarIsLeft = false
            if case .scalar = left { scalarIsLeft = true }
            let result = try arithmetic.combine(
                sign, vector, scalar: scalar, scalarIsLeft: scalarIsLeft, returnsBool: binary.returnsBool,
                dropped: &dropped)
            return .vector(try merged(result))
        case (.vector(let l), .vector(let r)):
            if sign.isSet {
                return .vector(try arithmetic.combineSets(sign, l, r, matching: binary.matching))
            }
            let result = try arithmetic.combine(
                sign, l, r, matching: binary.matching, returnsBool: binary.returnsBool, dropped: &dropped)
            release(l)
            release(r)
            return .vector(result)
        default: throw .execution("operators do not take strings")
        }
    }

    func evaluate(
        _ aggregate: AggregateExpression, at expression: Expression, on grid: TimeGrid
    ) throws(QueryError) -> [GridSeries] {
        if let reduction = aggregate.reduction,
            let planned = try planned(aggregate.expression, reduction: reduction, on: grid)
        {
            return planned
        }
        let input = try vector(aggregate.expression, on: grid)
        return try self.aggregate(input, by: aggregate, at: expression, on: grid)
    }

    private func aggregate(
        _ input: [GridSeries], by aggregate: AggregateExpression, at expression: Expression, on grid: TimeGrid
    ) throws(QueryError) -> [GridSeries] {
        let aggregation = Aggregation(
            grouping: aggregate.grouping, stepCount: grid.count, context: context)
        var dropped = false
        let result: [GridSeries]
        switch aggregate.operator {
        case .sum: result = try aggregation.reduce(.sum, input, dropped: &dropped)
        case .avg: result = try aggregation.reduce(.avg, input, dropped: &dropped)
        case .min: result = try aggregation.reduce(.min, input, dropped: &dropped)
        case .max: result = try aggregation.reduce(.max, input, dropped: &dropped)
        case .count: result = try aggregation.reduce(.count, input, dropped: &dropped)
        case .group: result = try aggregation.reduce(.group, input, dropped: &dropped)
        case .stddev: result = try aggregation.reduce(.stddev, input, dropped: &dropped)
        case .stdvar: result = try aggregation.reduce(.stdvar, input, dropped: &dropped)
        case .topk: result = try choose(.topk, aggregate, aggregation, input, on: grid, dropped: &dropped)
        case .bottomk: result = try choose(.bottomk, aggregate, aggregation, input, on: grid, dropped: &dropped)
        case .limitk: result = try choose(.limitk, aggregate, aggregation, input, on: grid, dropped: &dropped)
        case .quantile:
            guard let parameter = aggregate.parameter else { return [] }
            let quantile = try scalar(parameter, on: grid)
            checkQuantile(quantile, at: parameter)
            result = try aggregation.quantile(quantile, input, dropped: &dropped)
        case .countValues:
            guard let parameter = aggregate.parameter else { return [] }
            let name = try string(parameter)
            guard !name.isEmpty else { throw .execution("invalid label name \(QuotedText.quote(name))") }
            result = try aggregation.countValues(into: name, input, text: PrometheusNumber.formatPlain)
        }
        if dropped {
            inform(
                "ignored histogram in \(aggregate.operator.rawValue) aggregation", at: expression)
        }
        release(input)
        return result
    }

    private func choose(
        _ choice: Aggregation.Choice, _ aggregate: AggregateExpression, _ aggregation: Aggregation,
        _ input: [GridSeries], on grid: TimeGrid, dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        guard let parameter = aggregate.parameter else { return [] }
        var limits: [Int] = []
        limits.reserveCapacity(grid.count)
        for limit in try scalar(parameter, on: grid) {
            if limit.isNaN { throw .execution("Parameter value is NaN for \(choice.rawValue)") }
            guard abs(limit) < 0x1p63 else {
                throw .execution("Scalar value \(PrometheusNumber.format(limit)) overflows int64")
            }
            limits.append(Int(limit))
        }
        return try aggregation.choose(choice, limits, input, dropped: &dropped)
    }

    /// Values outside [0, 1] are legal, but rarely meant.
    func checkQuantile(_ values: [Double], at expression: Expression) {
        guard let odd = values.first(where: { !($0 >= 0 && $0 <= 1) }) else { return }
        warn("quantile value should be between 0 and 1, got \(PrometheusNumber.format(odd))", at: expression)
    }
}
