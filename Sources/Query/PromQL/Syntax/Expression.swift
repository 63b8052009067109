package import QueryModel

/// The four kinds of value that a PromQL expression has.
package enum ExpressionType: String, Sendable {
    case scalar
    case string
    case instantVector = "instant vector"
    case rangeVector = "range vector"
}

/// A PromQL expression, and where it stands in its text, in bytes.
package struct Expression: Sendable {
    package indirect enum Node: Sendable {
        case number(Double)
        case string(String)
        case vector(VectorSelector)
        case matrix(MatrixSelector)
        case subquery(Subquery)
        case aggregate(AggregateExpression)
        case binary(BinaryExpression)
        case unary(UnaryExpression)
        case call(FunctionCall)
        case parenthesized(Expression)
    }

    package var node: Node
    package var range: Range<Int>
    /// How many expressions are nested, this one included.
    package let depth: Int

    init(_ node: Node, _ range: Range<Int>, depth: Int = 1) {
        self.node = node
        self.range = range
        self.depth = depth
    }

    package var type: ExpressionType {
        switch node {
        case .number: .scalar
        case .string: .string
        case .vector, .aggregate: .instantVector
        case .matrix, .subquery: .rangeVector
        case .binary(let binary): binary.type
        case .unary(let unary): unary.operand.type
        case .call(let call): call.function.result
        case .parenthesized(let inner): inner.type
        }
    }

    /// The expression inside any number of parentheses.
    package var unwrapped: Expression {
        var expression = self
        while case .parenthesized(let inner) = expression.node { expression = inner }
        return expression
    }
}

/// `@ …`: the timestamp at which a selector or subquery is evaluated whatever the query's own time.
package enum FixedTime: Hashable, Sendable {
    case milliseconds(Int64)
    /// The start and the end of the whole query's range.
    case start, end
}

/// `offset …` and `@ …`.
package struct TimeShift: Hashable, Sendable {
    /// Into the past if positive, in milliseconds.
    package var offset: Int64?
    package var fixed: FixedTime?

    package init(offset: Int64? = nil, fixed: FixedTime? = nil) {
        self.offset = offset
        self.fixed = fixed
    }
}

package struct VectorSelector: Hashable, Sendable {
    /// The name that stands before the braces, if any; it is also among the matchers.
    package var name: String?
    package var matchers: [LabelMatcher]
    package var shift = TimeShift()
}

package struct MatrixSelector: Hashable, Sendable {
    package var selector: VectorSelector
    /// In milliseconds.
    package var range: Int64
}

package struct Subquery: Sendable {
    package var expression: Expression
    /// In milliseconds.
    package var range: Int64
    /// In milliseconds; nil means the server's default.
    package var step: Int64?
    package var shift = TimeShift()
}

package enum AggregationOperator: String, Sendable, CaseIterable {
    case sum, avg, min, max, count, group, stddev, stdvar, topk, bottomk, limitk, quantile
    case countValues = "count_values"

    /// The type of the parameter before the aggregated expression.
    var parameterType: ExpressionType? {
        switch self {
        case .topk, .bottomk, .limitk, .quantile: .scalar
        case .countValues: .string
        default: nil
        }
    }
}

package struct AggregateExpression: Sendable {
    package var `operator`: AggregationOperator
    package var grouping: Grouping
    package var parameter: Expression?
    package var expression: Expression
}

package struct BinaryExpression: Sendable {
    package var `operator`: BinaryOperator
    package var returnsBool: Bool
    package var matching: VectorMatching
    /// Whether `on`, `ignoring` or `group_…` is written.
    package var hasMatching: Bool
    package var left: Expression
    package var right: Expression
    /// A scalar if both operands are scalars.
    package let type: ExpressionType

    init(
        operator: BinaryOperator, returnsBool: Bool, matching: VectorMatching, hasMatching: Bool,
        left: Expression, right: Expression
    ) {
        self.operator = `operator`
        self.returnsBool = returnsBool
        self.matching = matching
        self.hasMatching = hasMatching
        self.left = left
        self.right = right
        type = left.type == .scalar && right.type == .scalar ? .scalar : .instantVector
    }
}

package struct UnaryExpression: Sendable {
    package var negates: Bool
    package var operand: Expression
}

package struct FunctionCall: Sendable {
    let function: FunctionDefinition
    package var arguments: [Expression]

    package var name: String { function.name }
    package var parameterTypes: [ExpressionType] { function.parameters }
    package var resultType: ExpressionType { function.result }

    /// How many arguments there may be beyond those required; -1 for any number.
    package var variadic: Int { function.most.map { $0 - function.fewest } ?? -1 }
}
