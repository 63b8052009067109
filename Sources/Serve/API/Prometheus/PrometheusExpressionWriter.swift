import JSON
import PromQL
import QueryModel

/// A query's syntax tree as `/api/v1/parse_query` shows it (rule P-30).
extension JSONWriter {
    mutating func expression(_ expression: Expression) {
        if case .binary = expression.node { return chain(expression) }
        beginObject()
        key("type")
        switch expression.node {
        case .number(let value):
            string("numberLiteral")
            member("val", PrometheusNumber.format(value))
        case .string(let value):
            string("stringLiteral")
            member("val", value)
        case .parenthesized(let inner):
            string("parenExpr")
            member("expr", inner)
        case .unary(let unary):
            string("unaryExpr")
            member("op", unary.negates ? "-" : "+")
            member("expr", unary.operand)
        case .vector(let selector):
            string("vectorSelector")
            members(of: selector)
        case .matrix(let matrix):
            string("matrixSelector")
            members(of: matrix.selector)
            key("range")
            int(matrix.range)
        case .subquery(let subquery):
            string("subquery")
            member("expr", subquery.expression)
            key("range")
            int(subquery.range)
            key("step")
            int(subquery.step ?? 0)
            members(of: subquery.shift)
        case .call(let call):
            string("call")
            members(of: call)
        case .aggregate(let aggregate):
            string("aggregation")
            members(of: aggregate)
        case .binary: string("binaryExpr")
        }
        endObject()
    }

    private mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    private mutating func member(_ name: StaticString, _ value: Expression?) {
        key(name)
        if let value { expression(value) } else { null() }
    }

    private mutating func members(of selector: VectorSelector) {
        member("name", selector.name ?? "")
        key("matchers")
        beginArray()
        for matcher in selector.matchers {
            beginObject()
            member("name", matcher.name)
            member("value", matcher.value)
            member("type", matcher.operator.rawValue)
            endObject()
        }
        endArray()
        members(of: selector.shift)
    }

    private mutating func members(of shift: TimeShift) {
        key("offset")
        int(shift.offset ?? 0)
        key("timestamp")
        if case .milliseconds(let time) = shift.fixed { int(time) } else { null() }
        key("startOrEnd")
        switch shift.fixed {
        case .start: string("start")
        case .end: string("end")
        case .milliseconds, nil: null()
        }
    }

    private mutating func members(of call: FunctionCall) {
        key("func")
        beginObject()
        member("name", call.name)
        key("argTypes")
        strings(call.parameterTypes.map(\.shortName))
        key("variadic")
        int(call.variadic)
        member("returnType", call.resultType.shortName)
        endObject()
        key("args")
        beginArray()
        for argument in call.arguments { expression(argument) }
        endArray()
    }

    private mutating func members(of aggregate: AggregateExpression) {
        member("op", aggregate.operator.rawValue)
        member("expr", aggregate.expression)
        member("param", aggregate.parameter)
        key("grouping")
        strings(aggregate.grouping.labels)
        key("without")
        bool(aggregate.grouping.isWithout)
    }

    /// A chain of operators leans to the left: it is walked, not descended.
    private mutating func chain(_ expression: Expression) {
        var links: [BinaryExpression] = []
        var first = expression
        while case .binary(let binary) = first.node {
            links.append(binary)
            first = binary.left
            beginObject()
            member("type", "binaryExpr")
            member("op", binary.operator.rawValue)
            key("lhs")
        }
        self.expression(first)
        for binary in links.reversed() {
            members(of: binary)
            endObject()
        }
    }

    /// All that follows the left operand.
    private mutating func members(of binary: BinaryExpression) {
        member("rhs", binary.right)
        key("matching")
        // Only operators between vectors match.
        if binary.left.type == .scalar || binary.right.type == .scalar {
            null()
        } else {
            beginObject()
            let cardinality =
                switch binary.matching.cardinality {
                case .oneToOne: "one-to-one"
                case .manyToOne: "many-to-one"
                case .oneToMany: "one-to-many"
                case .manyToMany: "many-to-many"
                }
            member("card", cardinality)
            key("labels")
            strings(binary.matching.labels)
            key("on")
            bool(binary.matching.isOn)
            key("include")
            strings(binary.matching.included)
            endObject()
        }
        key("bool")
        bool(binary.returnsBool)
    }
}

extension ExpressionType {
    /// As the reference server names types to machines.
    fileprivate var shortName: String {
        switch self {
        case .scalar: "scalar"
        case .string: "string"
        case .instantVector: "vector"
        case .rangeVector: "matrix"
        }
    }
}
