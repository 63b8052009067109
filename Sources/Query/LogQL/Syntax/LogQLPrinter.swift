import Pattern
import QueryModel

/// Writes queries as LogQL, on one line; reading the text gives the same query again.
package struct LogQLPrinter {
    private var text = ""

    package static func text(of query: LogQLQuery) -> String {
        var printer = LogQLPrinter()
        switch query {
        case .logs(let selector): printer.write(selector)
        case .metric(let expression): printer.write(expression)
        }
        return printer.text
    }

    // MARK: Logs

    private mutating func write(_ selector: LogSelector) {
        text += Self.selector(selector.matchers)
        for stage in selector.stages { text += " " + Self.stage(stage) }
    }

    static func selector(_ matchers: [LabelMatcher]) -> String {
        "{" + matchers.map(matcher).joined(separator: ", ") + "}"
    }

    private static func matcher(_ matcher: LabelMatcher) -> String {
        matcher.name + matcher.operator.rawValue + matcher.value.quoted
    }

    static func stage(_ stage: PipelineStage) -> String {
        switch stage {
        case .line(let filter): lineFilter(filter)
        case .label(let filter): "| " + labelFilter(filter)
        case .json(let fields): "| json" + extractions(fields)
        case .logfmt(let options, let fields):
            "| logfmt" + (options.isStrict ? " --strict" : "") + (options.keepsEmpty ? " --keep-empty" : "")
                + extractions(fields)
        case .regexp(let pattern): "| regexp " + pattern.source.quoted
        case .pattern(let shape): "| pattern " + shape.source.quoted
        case .unpack: "| unpack"
        case .decolorize: "| decolorize"
        case .lineFormat(let template): "| line_format " + template.source.quoted
        case .labelFormat(let assignments): "| label_format " + assignments.map(assignment).joined(separator: ", ")
        case .drop(let conditions): "| drop " + conditions.map(condition).joined(separator: ", ")
        case .keep(let conditions): "| keep " + conditions.map(condition).joined(separator: ", ")
        }
    }

    private static func lineFilter(_ filter: LineFilter) -> String {
        var sign = filter.isNegated ? "!=" : "|="
        let needles = filter.needles.map { needle in
            switch needle {
            case .text(let text): return text.quoted
            case .address(let range): return "ip(\(range.source.quoted))"
            case .regex(let pattern):
                sign = filter.isNegated ? "!~" : "|~"
                return pattern.source.quoted
            case .shape(let shape):
                sign = filter.isNegated ? "!>" : "|>"
                return shape.source.quoted
            }
        }
        return sign + " " + needles.joined(separator: " or ")
    }

    private static func labelFilter(_ filter: LabelFilter) -> String {
        switch filter {
        case .text(let matcher): self.matcher(matcher)
        case .number(let name, let comparison, let value):
            "\(name) \(comparison.rawValue) \(TemplateNumber.text(value))"
        case .duration(let name, let comparison, let value): "\(name) \(comparison.rawValue) \(duration(value))"
        case .bytes(let name, let comparison, let value): "\(name) \(comparison.rawValue) \(value)B"
        case .address(let name, let isNegated, let range):
            "\(name) \(isNegated ? "!=" : "=") ip(\(range.source.quoted))"
        case .all(let filters): filters.map(nestedFilter).joined(separator: " and ")
        case .any(let filters): filters.map(nestedFilter).joined(separator: " or ")
        }
    }

    private static func nestedFilter(_ filter: LabelFilter) -> String {
        switch filter {
        case .all, .any: "(" + labelFilter(filter) + ")"
        default: labelFilter(filter)
        }
    }

    private static func extractions(_ fields: [FieldExtraction]) -> String {
        if fields.isEmpty { return "" }
        return " " + fields.map { "\($0.label)=\($0.expression.quoted)" }.joined(separator: ", ")
    }

    private static func assignment(_ assignment: LabelAssignment) -> String {
        switch assignment.value {
        case .label(let source): "\(assignment.target)=\(source)"
        case .template(let template): "\(assignment.target)=\(template.source.quoted)"
        }
    }

    private static func condition(_ condition: LabelCondition) -> String {
        switch condition {
        case .name(let name): name
        case .matcher(let matcher): self.matcher(matcher)
        }
    }

    /// The largest units that leave no rest: `1h30m`.
    static func duration(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        let units: [(String, Int64)] = [
            ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000),
            ("ns", 1),
        ]
        var rest = nanoseconds.magnitude
        var parts = nanoseconds < 0 ? "-" : ""
        for (name, size) in units where rest >= UInt64(size) {
            parts += "\(rest / UInt64(size))\(name)"
            rest %= UInt64(size)
        }
        return parts
    }

    // MARK: Metrics

    private mutating func write(_ expression: MetricExpression) {
        switch expression {
        case .number(let value): text += TemplateNumber.text(value)
        case .vector(let value): text += "vector(\(TemplateNumber.text(value)))"
        case .range(let aggregation): write(aggregation)
        case .aggregation(let aggregation):
            text += aggregation.operation.rawValue
            if let grouping = aggregation.grouping { text += Self.grouping(grouping) + " " }
            text += aggregation.operation.takesCount ? "(\(aggregation.count), " : "("
            write(aggregation.operand)
            text += ")"
        case .binary(let binary): write(binary)
        case .labelReplace(let replacement):
            text += "label_replace("
            write(replacement.operand)
            let arguments = [
                replacement.target, replacement.replacement, replacement.source, replacement.pattern.source,
            ]
            text += arguments.map { ", " + $0.quoted }.joined() + ")"
        }
    }

    private mutating func write(_ aggregation: RangeAggregation) {
        text += aggregation.operation.rawValue + "("
        if let parameter = aggregation.parameter { text += TemplateNumber.text(parameter) + ", " }
        write(aggregation.selector)
        if let unwrap = aggregation.unwrap {
            let isPlain = unwrap.conversion == .number
            text += " | unwrap " + (isPlain ? unwrap.label : "\(unwrap.conversion.rawValue)(\(unwrap.label))")
            for filter in unwrap.filters { text += " | " + Self.labelFilter(filter) }
        }
        text += " [\(Self.duration(aggregation.range))]"
        if aggregation.offset != 0 { text += " offset " + Self.duration(aggregation.offset) }
        text += ")"
        if let grouping = aggregation.grouping { text += Self.grouping(grouping) }
    }

    private static func grouping(_ grouping: Grouping) -> String {
        (grouping.isWithout ? " without (" : " by (") + grouping.labels.joined(separator: ", ") + ")"
    }

    private mutating func write(_ binary: BinaryExpression) {
        writeOperand(binary.left)
        text += " " + binary.operator.rawValue
        if binary.returnsBool { text += " bool" }
        let matching = binary.matching
        if matching.isOn || !matching.labels.isEmpty || !matching.included.isEmpty || matching.cardinality.isGrouped {
            text += (matching.isOn ? " on (" : " ignoring (") + matching.labels.joined(separator: ", ") + ")"
        }
        if matching.cardinality.isGrouped {
            text += matching.cardinality == .manyToOne ? " group_left (" : " group_right ("
            text += matching.included.joined(separator: ", ") + ")"
        }
        text += " "
        writeOperand(binary.right)
    }

    private mutating func writeOperand(_ expression: MetricExpression) {
        guard case .binary = expression else { return write(expression) }
        text += "("
        write(expression)
        text += ")"
    }
}

extension VectorMatching.Cardinality {
    fileprivate var isGrouped: Bool { self == .manyToOne || self == .oneToMany }
}
