import JSON
import QueryModel

/// Expressions as text, in one form whatever the form they were written in (rule P-30).
extension Expression {
    /// The longest expression that stays on one line.
    static let longestLine = 100

    /// On one line.
    package var text: String {
        var writer = ExpressionWriter(limit: nil)
        writer.write(self)
        return writer.output
    }

    /// Broken into indented lines where it is long.
    package var prettyText: String {
        var writer = PrettyWriter()
        writer.write(self, level: 0)
        return writer.output
    }

    fileprivate var isLong: Bool {
        var writer = ExpressionWriter(limit: Self.longestLine)
        writer.write(self)
        return writer.output.utf8.count > Self.longestLine
    }
}

private struct ExpressionWriter {
    private(set) var output = ""
    /// Where to stop: what follows is not needed.
    let limit: Int?

    init(limit: Int?) { self.limit = limit }

    mutating func write(_ expression: Expression) {
        if let limit, output.utf8.count > limit { return }
        switch expression.node {
        case .number(let value): output += PrometheusNumber.formatPlain(value)
        case .string(let text): output += QuotedText.quote(text)
        case .vector(let selector): output += selector.text + selector.shift.text
        case .matrix(let matrix):
            output += matrix.selector.text + "[\(DurationLiteral.text(milliseconds: matrix.range))]"
            output += matrix.selector.shift.text
        case .subquery(let subquery):
            write(subquery.expression)
            output += subquery.suffix
        case .parenthesized(let inner): enclose("(", [inner])
        case .unary(let unary):
            output += unary.negates ? "-" : "+"
            write(unary.operand)
        case .call(let call): enclose(call.name + "(", call.arguments)
        case .aggregate(let aggregate): enclose(aggregate.prefix, aggregate.arguments)
        case .binary: writeChain(expression)
        }
    }

    /// A chain of operators leans to the left: it is walked, not descended.
    private mutating func writeChain(_ expression: Expression) {
        var links: [BinaryExpression] = []
        var first = expression
        while case .binary(let binary) = first.node {
            links.append(binary)
            first = binary.left
        }
        write(first)
        for link in links.reversed() {
            output += " \(link.sign) "
            write(link.right)
        }
    }

    private mutating func enclose(_ opening: String, _ expressions: [Expression]) {
        output += opening
        for (i, expression) in expressions.enumerated() {
            if i > 0 { output += ", " }
            write(expression)
        }
        output += ")"
    }
}

private struct PrettyWriter {
    private(set) var output = ""

    private mutating func indent(_ level: Int) { output += String(repeating: "  ", count: level) }

    mutating func write(_ expression: Expression, level: Int) {
        indent(level)
        writeIndented(expression, level: level)
    }

    /// What follows the first line's indentation.
    private mutating func writeIndented(_ expression: Expression, level: Int) {
        guard expression.isLong else {
            output += expression.text
            return
        }
        switch expression.node {
        case .parenthesized(let inner): enclose("(", [inner], level)
        case .call(let call): enclose(call.name + "(", call.arguments, level)
        case .aggregate(let aggregate): enclose(aggregate.prefix, aggregate.arguments, level)
        case .unary(let unary):
            output += unary.negates ? "-" : "+"
            writeIndented(unary.operand, level: level)
        case .subquery(let subquery):
            writeIndented(subquery.expression, level: level)
            output += subquery.suffix
        case .binary: writeChain(expression, level: level)
        case .number, .string, .vector, .matrix: output += expression.text
        }
    }

    /// Operators stand on lines of their own; what they join is indented once more for each of them.
    private mutating func writeChain(_ expression: Expression, level: Int) {
        var links: [BinaryExpression] = []
        var first = expression
        while case .binary(let binary) = first.node, first.isLong {
            links.append(binary)
            first = binary.left
        }
        indent(links.count)
        writeIndented(first, level: level + links.count)
        for (i, link) in links.enumerated().reversed() {
            output += "\n"
            indent(level + i)
            output += link.sign + "\n"
            write(link.right, level: level + i + 1)
        }
    }

    private mutating func enclose(_ opening: String, _ expressions: [Expression], _ level: Int) {
        output += opening + "\n"
        for (i, expression) in expressions.enumerated() {
            if i > 0 { output += ",\n" }
            write(expression, level: level + 1)
        }
        output += "\n"
        indent(level)
        output += ")"
    }
}

extension TimeShift {
    fileprivate var text: String {
        var text =
            switch fixed {
            case nil: ""
            case .start: " @ start()"
            case .end: " @ end()"
            case .milliseconds(let time):
                " @ \(time < 0 ? "-" : "")\(time.magnitude / 1000).\(String(time.magnitude % 1000 + 1000).dropFirst())"
            }
        if let offset, offset != 0 { text += " offset \(DurationLiteral.text(milliseconds: offset))" }
        return text
    }
}

extension VectorSelector {
    private var hasPlainName: Bool { name.map(MetricName.isPlain) ?? false }

    /// Without `offset` and `@`.
    fileprivate var text: String {
        // The last matcher is the name's.
        var parts = (name == nil ? matchers : matchers.dropLast()).map(\.text)
        if let name, !hasPlainName { parts.insert(QuotedText.quote(name), at: 0) }
        let braces = parts.isEmpty ? "" : "{\(parts.joined(separator: ","))}"
        return (hasPlainName ? name ?? "" : "") + braces
    }
}

extension LabelMatcher {
    fileprivate var text: String {
        let label = Labels.isPlainName(name) ? name : QuotedText.quote(name)
        return label + `operator`.rawValue + QuotedText.quote(value)
    }
}

extension Subquery {
    fileprivate var suffix: String {
        let step = step.map { DurationLiteral.text(milliseconds: $0) } ?? ""
        return "[\(DurationLiteral.text(milliseconds: range)):\(step)]" + shift.text
    }
}

extension AggregateExpression {
    fileprivate var arguments: [Expression] { (parameter.map { [$0] } ?? []) + [expression] }

    /// Up to the opening parenthesis.
    fileprivate var prefix: String {
        if grouping.labels.isEmpty && !grouping.isWithout { return `operator`.rawValue + "(" }
        return "\(`operator`.rawValue) \(grouping.isWithout ? "without" : "by") (\(LabelList.text(grouping.labels))) ("
    }
}

extension BinaryExpression {
    /// The operator with all that stands between it and the right operand.
    fileprivate var sign: String {
        var text = `operator`.rawValue
        if returnsBool { text += " bool" }
        guard hasMatching else { return text }
        text += " \(matching.isOn ? "on" : "ignoring") (\(LabelList.text(matching.labels)))"
        let included = LabelList.text(matching.included)
        switch matching.cardinality {
        case .manyToOne: text += " group_left (\(included))"
        case .oneToMany: text += " group_right (\(included))"
        case .oneToOne, .manyToMany: break
        }
        return text
    }
}

private enum LabelList {
    static func text(_ names: [String]) -> String {
        names.map { Labels.isPlainName($0) ? $0 : QuotedText.quote($0) }.joined(separator: ", ")
    }
}

private enum MetricName {
    /// Whether a metric's name may stand before the braces: `[a-zA-Z_:][a-zA-Z0-9_:]*`, and no number's name.
    static func isPlain(_ name: String) -> Bool {
        let lower = name.lowercased()
        if lower == "inf" || lower == "nan" { return false }
        return Labels.isPlainName(name.replacing(":", with: "_"))
    }
}
