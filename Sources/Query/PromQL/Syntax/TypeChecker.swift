import QueryModel

/// Checks what the grammar cannot say: types of operands and arguments, and clauses that only some operators take.
enum TypeChecker {
    static func check(_ expression: Expression) throws(SyntaxFailure) {
        // A chain of operators leans to the left, and may be as long as the parser allows: it is walked, not descended.
        var links: [Expression] = []
        var first = expression
        while case .binary(let binary) = first.node {
            links.append(first)
            first = binary.left
        }
        try checkNode(of: first)
        for link in links.reversed() {
            guard case .binary(let binary) = link.node else { continue }
            try check(binary.right)
            try checkOperands(of: binary, at: link)
        }
    }

    private static func checkNode(of expression: Expression) throws(SyntaxFailure) {
        switch expression.node {
        case .number, .string: break
        case .vector(let selector): try check(selector, at: expression)
        case .matrix(let matrix): try check(matrix.selector, at: expression)
        case .parenthesized(let inner): try check(inner)
        case .subquery(let subquery):
            try check(subquery.expression)
            try checkOperand(of: subquery, at: expression)
        case .unary(let unary):
            try check(unary.operand)
            try checkOperand(of: unary, at: expression)
        case .aggregate(let aggregate):
            try expect(.instantVector, aggregate.expression, in: "aggregation expression")
            if let parameter = aggregate.parameter, let type = aggregate.operator.parameterType {
                try expect(type, parameter, in: "aggregation parameter")
            }
        case .call(let call): try check(call, at: expression)
        // `check` has walked these.
        case .binary: break
        }
    }

    private static func checkOperand(of subquery: Subquery, at expression: Expression) throws(SyntaxFailure) {
        guard subquery.expression.type == .instantVector else {
            throw failure(
                expression,
                "subquery is only allowed on instant vector, got \(subquery.expression.type.rawValue) instead")
        }
    }

    private static func checkOperand(of unary: UnaryExpression, at expression: Expression) throws(SyntaxFailure) {
        guard unary.operand.type == .scalar || unary.operand.type == .instantVector else {
            throw failure(
                expression,
                "unary expression only allowed on expressions of type scalar or instant vector, got "
                    + QuotedText.quote(unary.operand.type.rawValue))
        }
    }

    private static func failure(_ expression: Expression, _ message: String) -> SyntaxFailure {
        SyntaxFailure(at: expression.range.lowerBound, message)
    }

    private static func expect(
        _ type: ExpressionType, _ expression: Expression, in place: String
    ) throws(SyntaxFailure) {
        try check(expression)
        guard expression.type == type else {
            throw failure(
                expression, "expected type \(type.rawValue) in \(place), got \(expression.type.rawValue)")
        }
    }

    private static func check(_ selector: VectorSelector, at expression: Expression) throws(SyntaxFailure) {
        try checkName(of: selector, at: expression)
        guard selector.matchers.contains(where: { !$0.matchesEmpty }) else {
            throw failure(expression, "vector selector must contain at least one non-empty matcher")
        }
    }

    static func checkName(of selector: VectorSelector, at expression: Expression) throws(SyntaxFailure) {
        if let name = selector.name, !name.isEmpty {
            let others = selector.matchers.dropLast().filter {
                $0.name == Labels.metricName && $0.operator == .equal
            }
            if let other = others.first {
                throw failure(
                    expression,
                    "metric name must not be set twice: \(QuotedText.quote(name)) or \(QuotedText.quote(other.value))")
            }
        }
    }

    private static func check(_ call: FunctionCall, at expression: Expression) throws(SyntaxFailure) {
        let function = call.function
        let (count, name) = (call.arguments.count, QuotedText.quote(call.name))
        if function.fewest == function.most, count != function.fewest {
            throw failure(expression, "expected \(function.fewest) argument(s) in call to \(name), got \(count)")
        }
        if count < function.fewest {
            throw failure(
                expression, "expected at least \(function.fewest) argument(s) in call to \(name), got \(count)")
        }
        if let most = function.most, count > most {
            throw failure(expression, "expected at most \(most) argument(s) in call to \(name), got \(count)")
        }
        for (position, argument) in call.arguments.enumerated() {
            try expect(function.type(ofArgument: position), argument, in: "call to function \(name)")
        }
    }

    private static func checkOperands(of binary: BinaryExpression, at expression: Expression) throws(SyntaxFailure) {
        let sign = binary.operator
        let (left, right) = (binary.left.type, binary.right.type)
        if binary.returnsBool && !sign.isComparison {
            throw failure(expression, "bool modifier can only be used on comparison operators")
        }
        if sign.isComparison && !binary.returnsBool && left == .scalar && right == .scalar {
            throw failure(expression, "comparisons between scalars must use BOOL modifier")
        }
        let matching = binary.matching
        if sign.isSet && (matching.cardinality == .manyToOne || matching.cardinality == .oneToMany) {
            throw failure(expression, "no grouping allowed for \(QuotedText.quote(sign.rawValue)) operation")
        }
        if matching.isOn, let both = matching.included.first(where: { matching.labels.contains($0) }) {
            throw failure(
                expression, "label \(QuotedText.quote(both)) must not occur in ON and GROUP clause at once")
        }
        for operand in [binary.left, binary.right]
        where operand.type != .scalar && operand.type != .instantVector {
            throw failure(operand, "binary expression must contain only scalar and instant vector types")
        }
        guard left == .scalar || right == .scalar else { return }
        if binary.hasMatching {
            throw failure(expression, "vector matching only allowed between instant vectors")
        }
        if sign.isSet {
            throw failure(
                expression, "set operator \(QuotedText.quote(sign.rawValue)) not allowed in binary scalar expression")
        }
    }
}
