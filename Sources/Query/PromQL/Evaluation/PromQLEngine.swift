package import QueryModel
package import Scheduling

/// A parsed and type-checked query.
package struct PromQLQuery: Sendable {
    package let text: String
    package let expression: Expression

    package init(_ text: String) throws(ParseError) {
        self.text = text
        expression = try Parser.parse(text)
    }

    package var type: ExpressionType { expression.type }

    /// The matchers of every selector, in the order of the text.
    package var selectors: [[LabelMatcher]] { expression.selectors }
}

/// Evaluates PromQL over a source of series.
package struct PromQLEngine: Sendable {
    package struct Options: Hashable, Sendable {
        /// How far back an instant selector looks for a sample, in milliseconds (§3.2).
        package var lookback: Int64
        /// The step of a subquery that names none, in milliseconds (§3.2).
        package var subqueryStep: Int64

        package init(lookback: Int64 = 300_000, subqueryStep: Int64 = 60_000) {
            self.lookback = lookback
            self.subqueryStep = subqueryStep
        }
    }

    let source: any SeriesSource
    private let cache: RangeCache?

    /// - Parameter cache: of range queries, whose values at steps are taken from there and kept there; nil evaluates all anew.
    package init(source: any SeriesSource, cache: RangeCache? = nil) {
        self.source = source
        self.cache = cache
    }

    /// The query's value at one timestamp, in milliseconds (rule P-7).
    package func instant(
        _ query: PromQLQuery, at timestamp: Int64, options: Options = Options(), context: QueryContext
    ) throws(QueryError) -> QueryAnswer {
        let grid = TimeGrid(at: timestamp)
        let evaluator = Evaluator(
            source: source, query: query, grid: grid, options: options, context: context)
        if query.type == .rangeVector {
            let samples = try evaluator.rangeVector(query.expression, on: grid)
            let series = try evaluator.rawSeries(of: samples)
            return evaluator.answer(.matrix(series.sorted { $0.labels < $1.labels }))
        }
        switch try evaluator.evaluate(query.expression, on: grid) {
        case .scalar(let values): return evaluator.answer(.scalar(timestamp, values[0]))
        case .string(let text): return evaluator.answer(.string(timestamp, text))
        case .vector(let series):
            try evaluator.requireDistinctLabels(series)
            let elements = series.compactMap { one in
                one[0].map { QueryAnswer.Element(labels: one.labels, timestamp: timestamp, value: $0) }
            }
            return evaluator.answer(.vector(elements))
        }
    }

    /// The query's values over a grid (rules P-13, P-14).
    package func range(
        _ query: PromQLQuery, over grid: TimeGrid, options: Options = Options(), context: QueryContext
    ) throws(QueryError) -> QueryAnswer {
        if let cache, context.usesResultCache, grid.count > 1, query.type == .instantVector,
            let dependence = query.expression.dependence(options)
        {
            return try range(query, over: grid, options, cache, dependence, context)
        }
        let evaluator = Evaluator(
            source: source, query: query, grid: grid, options: options, context: context)
        switch try evaluator.evaluate(query.expression, on: grid) {
        case .scalar(let values):
            let series = MatrixSeries(GridSeries(labels: .empty, values: values), over: grid)
            return evaluator.answer(.matrix([series]))
        case .string(let text): return evaluator.answer(.string(grid.start, text))
        case .vector(let vector):
            try evaluator.requireDistinctLabels(vector)
            var matrix: [MatrixSeries] = []
            for series in vector where series.hasAnyValue {
                try context.charge(bytes: 2 * GridSeries.cost(steps: grid.count))
                matrix.append(MatrixSeries(series, over: grid))
            }
            return evaluator.answer(.matrix(matrix.sorted { $0.labels < $1.labels }))
        }
    }
}

extension Expression {
    /// The matchers of every selector below, in the order of the text.
    var selectors: [[LabelMatcher]] {
        switch node {
        case .number, .string: []
        case .vector(let selector): [selector.matchers]
        case .matrix(let matrix): [matrix.selector.matchers]
        case .subquery(let subquery): subquery.expression.selectors
        case .aggregate(let aggregate):
            (aggregate.parameter?.selectors ?? []) + aggregate.expression.selectors
        case .binary: selectorsOfChain
        case .unary(let unary): unary.operand.selectors
        case .call(let call): call.arguments.flatMap(\.selectors)
        case .parenthesized(let inner): inner.selectors
        }
    }

    /// A chain of operators leans to the left: it is walked, not descended.
    private var selectorsOfChain: [[LabelMatcher]] {
        var links: [BinaryExpression] = []
        var first = self
        while case .binary(let binary) = first.node {
            links.append(binary)
            first = binary.left
        }
        return first.selectors + links.reversed().flatMap(\.right.selectors)
    }
}
