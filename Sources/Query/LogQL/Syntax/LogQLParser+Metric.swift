import Pattern
import QueryModel

/// The rules of metric expressions, and of where log and metric expressions may stand.
extension LogQLParser {
    /// Operators of at least this precedence, and what they join.
    mutating func expression(atLeast precedence: Int) throws(LogQLError) -> LogQLQuery {
        var left = try operand()
        while let binary = binaryOperator, binary.precedence >= precedence {
            advance()
            var expression = try modifiers(of: binary, left: try metric(left, leg: "left", of: binary))
            let next = binary.isRightAssociative ? binary.precedence : binary.precedence + 1
            let right = try nested { (parser) throws(LogQLError) in try parser.expression(atLeast: next) }
            expression.right = try metric(right, leg: "right", of: binary)
            left = .metric(try folded(expression))
        }
        return left
    }

    private var binaryOperator: BinaryOperator? {
        switch token {
        case .symbol(let symbol): BinaryOperator(rawValue: symbol.rawValue)
        case .identifier: word == "atan2" ? nil : word.flatMap(BinaryOperator.init)
        default: nil
        }
    }

    private func metric(
        _ query: LogQLQuery, leg: String, of binary: BinaryOperator
    ) throws(LogQLError) -> MetricExpression {
        guard case .metric(let expression) = query else {
            throw .semantic(
                "unexpected type for \(leg) leg of binary operation (\(binary.rawValue)): log selector")
        }
        if binary.isSet, case .number(let value) = expression {
            throw .semantic(
                "unexpected literal for \(leg) leg of logical/set binary operation (\(binary.rawValue)): \(TemplateNumber.text(value))"
            )
        }
        return expression
    }

    /// `bool`, `on (…)`, `group_left (…)` behind an operator. The right operand is still missing.
    private mutating func modifiers(
        of binary: BinaryOperator, left: MetricExpression
    ) throws(LogQLError) -> BinaryExpression {
        var expression = BinaryExpression(
            operator: binary, returnsBool: false, matching: VectorMatching(), left: left, right: .number(0))
        if binary.isSet { expression.matching.cardinality = .manyToMany }
        if word == "bool" {
            guard binary.isComparison else { throw unexpected() }
            advance()
            expression.returnsBool = true
        }
        guard let word, word == "on" || word == "ignoring" else { return expression }
        advance()
        let names = try nameList()
        expression.matching.labels = names
        expression.matching.isOn = word == "on"
        guard let side = self.word, side == "group_left" || side == "group_right" else { return expression }
        guard !binary.isSet else {
            throw .semantic("no grouping allowed for \"\(binary.rawValue)\" operation")
        }
        advance()
        let included = at(.openParenthesis) ? try nameList() : []
        if expression.matching.isOn, let twice = included.first(where: names.contains) {
            throw .semantic("label \"\(twice)\" must not occur in ON and GROUP clause at once")
        }
        expression.matching.cardinality = side == "group_left" ? .manyToOne : .oneToMany
        expression.matching.included = included
        return expression
    }

    /// The number that the expression is, if both operands are numbers.
    private mutating func folded(_ expression: BinaryExpression) throws(LogQLError) -> MetricExpression {
        if case .number(let left) = expression.left, case .number(let right) = expression.right {
            return .number(VectorArithmetic.combine(expression.operator, [left], [right])[0])
        }
        try countOperation()
        return .binary(expression)
    }

    // MARK: Operands

    private mutating func operand() throws(LogQLError) -> LogQLQuery {
        switch token {
        case .number, .symbol(.plus), .symbol(.minus): return .metric(.number(try expectNumber()))
        case .symbol(.openBrace): return .logs(LogSelector(matchers: try selector(), stages: try stages()))
        case .symbol(.openParenthesis):
            advance()
            let inner = try nested { (parser) throws(LogQLError) in try parser.expression(atLeast: 1) }
            try expect(.closeParenthesis)
            guard case .logs(var selector) = inner else { return inner }
            selector.stages += try stages()
            return .logs(selector)
        case .identifier: return .metric(try nested { (parser) throws(LogQLError) in try parser.call() })
        default: throw unexpected()
        }
    }

    private mutating func call() throws(LogQLError) -> MetricExpression {
        guard let word else { throw unexpected() }
        if let operation = RangeOperation(rawValue: word) { return try rangeAggregation(operation) }
        if let operation = VectorOperation(rawValue: word) { return try vectorAggregation(operation) }
        switch word {
        case "vector":
            advance()
            try expect(.openParenthesis)
            let value = try expectNumber()
            try expect(.closeParenthesis)
            return .vector(value)
        case "label_replace": return try labelReplacement()
        default: throw unexpected()
        }
    }

    private mutating func labelReplacement() throws(LogQLError) -> MetricExpression {
        advance()
        try expect(.openParenthesis)
        let operand = try metricOperand()
        var arguments: [String] = []
        for _ in 0..<4 {
            try expect(.comma)
            arguments.append(try expectString())
        }
        try expect(.closeParenthesis)
        guard arguments[0].isLabelName else {
            throw .semantic("invalid destination label name in label_replace: \(arguments[0])")
        }
        try countOperation()
        let pattern: NamedPattern
        do {
            pattern = NamedPattern(source: arguments[3], pattern: try .init(anchored: arguments[3]))
        } catch {
            throw .semantic("invalid regex in label_replace: \(error.message)")
        }
        return .labelReplace(
            LabelReplacement(
                operand: operand, target: arguments[0], replacement: arguments[1], source: arguments[2],
                pattern: pattern))
    }

    private mutating func metricOperand() throws(LogQLError) -> MetricExpression {
        let query = try expression(atLeast: 1)
        guard case .metric(let expression) = query else { throw unexpected(expecting: "RANGE") }
        return expression
    }

    // MARK: Vector aggregations

    private mutating func vectorAggregation(_ operation: VectorOperation) throws(LogQLError) -> MetricExpression {
        advance()
        try countOperation()
        var grouping = try self.grouping()
        try expect(.openParenthesis)
        var count = 0
        if operation.takesCount {
            guard case .number = token, nextToken == .symbol(.comma) else {
                throw .semantic("parameter required for operation \(operation.rawValue)")
            }
            count = try seriesCount(of: operation)
            try expect(.comma)
        } else if case .number(let value) = token, nextToken == .symbol(.comma) {
            throw .semantic("unsupported parameter for operation \(operation.rawValue)(\(value),")
        }
        let operand = try metricOperand()
        try expect(.closeParenthesis)
        if grouping == nil { grouping = try self.grouping() }
        if grouping != nil, operation == .sort || operation == .sortDescending || operation == .approximateTop {
            throw .semantic("grouping not allowed for \(operation.rawValue) aggregation")
        }
        return .aggregation(
            VectorAggregation(operation: operation, count: count, grouping: grouping, operand: operand))
    }

    private mutating func seriesCount(of operation: VectorOperation) throws(LogQLError) -> Int {
        let value = try expectNumber()
        guard let count = Int(exactly: value) else {
            throw .semantic("invalid parameter \(operation.rawValue)(\(value),")
        }
        guard count > 0 else {
            throw .semantic("invalid parameter (must be greater than 0) \(operation.rawValue)(\(count)")
        }
        return count
    }

    private mutating func grouping() throws(LogQLError) -> Grouping? {
        if take(word: "by") { return Grouping(labels: try nameList()) }
        if take(word: "without") { return Grouping(labels: try nameList(), isWithout: true) }
        return nil
    }

    /// `(a, b)`
    private mutating func nameList() throws(LogQLError) -> [String] {
        try expect(.openParenthesis)
        var names: [String] = []
        if take(.closeParenthesis) { return names }
        while true {
            let name = try expectName()
            if !names.contains(name) { names.append(name) }
            if take(.closeParenthesis) { return names }
            guard take(.comma) else { throw unexpected(expecting: ")", ",") }
        }
    }

    // MARK: Range aggregations

    private mutating func rangeAggregation(_ operation: RangeOperation) throws(LogQLError) -> MetricExpression {
        advance()
        try expect(.openParenthesis)
        let parameter = try quantile(of: operation)
        var operand = RangeOperand()
        try rangeOperand(&operand)
        guard let range = operand.range else { throw unexpected(expecting: "RANGE") }
        try expect(.closeParenthesis)
        let grouping = try self.grouping()
        if grouping != nil, !operation.acceptsGrouping || operand.unwrap == nil {
            throw .semantic("grouping not allowed for \(operation.rawValue) aggregation")
        }
        if operand.unwrap != nil ? !operation.acceptsUnwrap : !operation.acceptsLines {
            let how = operand.unwrap != nil ? "with" : "without"
            throw .semantic("invalid aggregation \(operation.rawValue) \(how) unwrap")
        }
        return .range(
            RangeAggregation(
                operation: operation, parameter: parameter,
                selector: LogSelector(matchers: operand.matchers, stages: operand.stages),
                unwrap: operand.unwrap, range: range, offset: operand.offset, grouping: grouping))
    }

    private mutating func quantile(of operation: RangeOperation) throws(LogQLError) -> Double? {
        var hasNumber = at(.minus) || at(.plus)
        if case .number = token { hasNumber = true }
        guard operation == .quantile else {
            if hasNumber { throw .semantic("parameter not supported for operation \(operation.rawValue)") }
            return nil
        }
        guard hasNumber else { throw .semantic("parameter required for operation \(operation.rawValue)") }
        let value = try expectNumber()
        try expect(.comma)
        return value
    }

    private struct RangeOperand {
        var matchers: [LabelMatcher] = []
        var stages: [PipelineStage] = []
        var unwrap: Unwrap?
        var range: Int64?
        var offset: Int64 = 0
    }

    /// A selector, its pipeline, and the range at any place behind the selector.
    private mutating func rangeOperand(_ operand: inout RangeOperand) throws(LogQLError) {
        if take(.openParenthesis) {
            try nested { (parser) throws(LogQLError) in try parser.rangeOperand(&operand) }
            try expect(.closeParenthesis)
        } else {
            operand.matchers = try selector()
        }
        while true {
            if case .range(let range) = token {
                guard operand.range == nil else { throw unexpected() }
                operand.range = range
                advance()
                operand.offset = try offset()
            } else if atUnwrap {
                guard operand.unwrap == nil else { throw unexpected() }
                operand.unwrap = try unwrap()
            } else if atStage {
                let before = self
                let stage = try stage()
                guard operand.unwrap != nil else {
                    operand.stages.append(stage)
                    continue
                }
                guard case .label(let filter) = stage else { throw before.unexpected() }
                operand.unwrap?.filters.append(filter)
            } else {
                return
            }
        }
    }

    private mutating func offset() throws(LogQLError) -> Int64 {
        guard take(word: "offset") else { return 0 }
        let isNegative = take(.minus)
        guard case .duration(let value) = token else { throw unexpected(expecting: "DURATION") }
        advance()
        return isNegative ? -value : value
    }

    var atUnwrap: Bool {
        guard at(.pipe), case .identifier(let name) = nextToken else { return false }
        return name.lowercased() == "unwrap"
    }

    private mutating func unwrap() throws(LogQLError) -> Unwrap {
        advance()
        advance()
        let name = try expectName()
        guard at(.openParenthesis) else { return Unwrap(label: name, conversion: .number, filters: []) }
        guard let conversion = Unwrap.Conversion(rawValue: name.lowercased()) else { throw unexpected() }
        advance()
        let label = try expectName()
        try expect(.closeParenthesis)
        return Unwrap(label: label, conversion: conversion, filters: [])
    }
}
