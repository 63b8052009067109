import Pattern
import QueryModel

/// Operands: literals, selectors, calls, aggregations, and what may follow each of them.
extension Parser {
    /// An operand with `[…]`, `offset …` and `@ …` behind it, in any order that makes sense.
    mutating func parsePostfix() throws(SyntaxFailure) -> Expression {
        var expression = try parsePrimary()
        while true {
            if peek.kind == .leftBracket {
                expression = try parseRange(of: expression)
            } else if peek.kind == .at {
                expression = try parseFixedTime(of: expression)
            } else if peek.keyword == Keyword.offset.rawValue {
                expression = try parseOffset(of: expression)
            } else {
                return expression
            }
        }
    }

    private mutating func parsePrimary() throws(SyntaxFailure) -> Expression {
        let token = peek
        let start = token.range.lowerBound
        switch token.kind {
        case .number(let value):
            advance()
            return try make(.number(value), from: start)
        case .duration(let milliseconds):
            advance()
            return try make(.number(Double(milliseconds) / 1000), from: start)
        case .string(let value):
            advance()
            return try make(.string(value), from: start)
        case .leftParenthesis:
            advance()
            let inner = try parseExpression()
            try expect(.rightParenthesis)
            return try make(.parenthesized(inner), from: start, children: [inner])
        case .leftBrace:
            return try parseSelector(name: nil, from: start)
        case .word(let word):
            return try parseWord(word)
        default:
            throw unexpected()
        }
    }

    private mutating func parseWord(_ word: String) throws(SyntaxFailure) -> Expression {
        let start = peek.range.lowerBound
        let lower = word.lowercased()
        let next = peekSecond
        let isCall = next.kind == .leftParenthesis
        if let aggregation = AggregationOperator(rawValue: lower),
            isCall || next.keyword == Keyword.by.rawValue || next.keyword == Keyword.without.rawValue
        {
            advance()
            return try parseAggregate(aggregation, from: start)
        }
        advance()
        if isCall { return try parseCall(word, from: start) }
        if lower == "inf" { return try make(.number(.infinity), from: start) }
        if lower == "nan" { return try make(.number(.nan), from: start) }
        return try parseSelector(name: word, from: start)
    }

    private mutating func parseCall(_ name: String, from start: Int) throws(SyntaxFailure) -> Expression {
        guard let function = FunctionTable.function(named: name) else {
            throw SyntaxFailure(at: start, "unknown function with name \(QuotedText.quote(name))")
        }
        let arguments = try parseArguments()
        let call = FunctionCall(function: function, arguments: arguments)
        return try make(.call(call), from: start, children: arguments)
    }

    /// `(a, b)`; unlike in lists of labels a trailing comma is an error.
    private mutating func parseArguments() throws(SyntaxFailure) -> [Expression] {
        try expect(.leftParenthesis)
        var arguments: [Expression] = []
        if accept(.rightParenthesis) { return arguments }
        while true {
            arguments.append(try parseExpression())
            if accept(.rightParenthesis) { return arguments }
            let comma = try expect(.comma)
            if peek.kind == .rightParenthesis {
                throw SyntaxFailure(
                    at: comma.range.lowerBound, "trailing commas not allowed in function call args")
            }
        }
    }

    private mutating func parseAggregate(
        _ aggregation: AggregationOperator, from start: Int
    ) throws(SyntaxFailure) -> Expression {
        var grouping = try parseGrouping()
        guard peek.kind == .leftParenthesis else { throw unexpected(in: "aggregation") }
        var arguments = try parseArguments()
        if grouping == nil { grouping = try parseGrouping() }
        let end = max(start, endOfLast)
        let expected = aggregation.parameterType == nil ? 1 : 2
        guard !arguments.isEmpty else {
            throw SyntaxFailure(at: start, "no arguments for aggregate expression provided")
        }
        guard arguments.count == expected else {
            throw SyntaxFailure(
                at: start,
                "wrong number of arguments for aggregate expression provided, expected \(expected), got \(arguments.count)"
            )
        }
        let expression = arguments.removeLast()
        let aggregate = AggregateExpression(
            operator: aggregation, grouping: grouping ?? .everything, parameter: arguments.first,
            expression: expression)
        var made = try make(.aggregate(aggregate), from: start, children: arguments + [expression])
        made.range = start..<end
        return made
    }

    private mutating func parseGrouping() throws(SyntaxFailure) -> Grouping? {
        let isWithout = peek.keyword == Keyword.without.rawValue
        guard isWithout || peek.keyword == Keyword.by.rawValue else { return nil }
        advance()
        return Grouping(labels: try parseLabelNames(), isWithout: isWithout)
    }

    // MARK: Selectors

    private mutating func parseSelector(name: String?, from start: Int) throws(SyntaxFailure) -> Expression {
        var selector = VectorSelector(name: name, matchers: [])
        if accept(.leftBrace) {
            while !accept(.rightBrace) {
                try parseMatcher(into: &selector)
                if peek.kind != .rightBrace {
                    try expect(.comma, in: "label matching", #""," or "}""#)
                }
            }
        }
        if let name = selector.name {
            selector.matchers.append(try matcher(Labels.metricName, .equal, name, at: start))
        }
        return try make(.vector(selector), from: start)
    }

    private mutating func parseMatcher(into selector: inout VectorSelector) throws(SyntaxFailure) {
        let token = advance()
        let start = token.range.lowerBound
        let label: String
        switch token.kind {
        case .word(let name): label = name
        case .string(let name):
            label = name
            if peek.kind == .comma || peek.kind == .rightBrace {
                if let earlier = selector.name {
                    throw SyntaxFailure(
                        at: start,
                        "metric name must not be set twice: \(QuotedText.quote(earlier)) or \(QuotedText.quote(name))")
                }
                selector.name = name
                return
            }
        default:
            let found = token.description(in: text)
            throw SyntaxFailure(
                at: start, "unexpected \(found) in label matching, expected identifier or \"}\"")
        }
        let operation: LabelMatcher.Operator
        switch peek.kind {
        case .assign: operation = .equal
        case .sign(.notEqual): operation = .notEqual
        case .regexMatch: operation = .regex
        case .regexMismatch: operation = .notRegex
        default: throw unexpected(in: "label matching", expected: "label matching operator")
        }
        advance()
        guard case .string(let value) = peek.kind else {
            throw unexpected(in: "label matching", expected: "string")
        }
        advance()
        selector.matchers.append(try matcher(label, operation, value, at: start))
    }

    private func matcher(
        _ label: String, _ operation: LabelMatcher.Operator, _ value: String, at offset: Int
    ) throws(SyntaxFailure) -> LabelMatcher {
        do {
            return try LabelMatcher(label, operation, value)
        } catch {
            throw SyntaxFailure(at: offset, error.message)
        }
    }

    // MARK: Ranges and times

    /// A duration or a number of seconds, in milliseconds.
    private mutating func parseDuration(in place: String) throws(SyntaxFailure) -> Int64 {
        let start = peek.range.lowerBound
        switch peek.kind {
        case .duration(let milliseconds):
            advance()
            return milliseconds
        case .number(let seconds):
            advance()
            let milliseconds = (seconds * 1000).rounded()
            guard milliseconds.magnitude <= Double(DurationLiteral.longest) else {
                throw SyntaxFailure(at: start, "duration out of range")
            }
            return Int64(milliseconds)
        default: throw unexpected(in: place, expected: "number or duration")
        }
    }

    private mutating func parsePositiveDuration(in place: String) throws(SyntaxFailure) -> Int64 {
        let start = peek.range.lowerBound
        let duration = try parseDuration(in: place)
        guard duration > 0 else { throw SyntaxFailure(at: start, "duration must be greater than 0") }
        return duration
    }

    private mutating func parseRange(of expression: Expression) throws(SyntaxFailure) -> Expression {
        let bracket = advance().range.lowerBound
        let start = expression.range.lowerBound
        let range = try parsePositiveDuration(in: "subquery or range")
        if accept(.colon) {
            var subquery = Subquery(expression: expression, range: range)
            if peek.kind != .rightBracket {
                subquery.step = try parsePositiveDuration(in: "subquery selector")
            }
            try expect(.rightBracket, in: "subquery selector", #""]""#)
            return try make(.subquery(subquery), from: start, children: [expression])
        }
        try expect(.rightBracket, in: "subquery or range", #"":" or "]""#)
        guard case .vector(let selector) = expression.node else {
            throw SyntaxFailure(at: bracket, "ranges only allowed for vector selectors")
        }
        if selector.shift.offset != nil {
            throw SyntaxFailure(at: bracket, "no offset modifiers allowed before range")
        }
        if selector.shift.fixed != nil {
            throw SyntaxFailure(at: bracket, "no @ modifiers allowed before range")
        }
        return try make(.matrix(MatrixSelector(selector: selector, range: range)), from: start)
    }

    private mutating func parseOffset(of expression: Expression) throws(SyntaxFailure) -> Expression {
        advance()
        var isNegative = false
        if case .sign(let sign) = peek.kind, sign == .subtract || sign == .add {
            isNegative = sign == .subtract
            advance()
        }
        let duration = try parseDuration(in: "offset")
        return try shifted(
            expression,
            refusal:
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        ) { shift in
            guard shift.offset == nil else { return "offset may not be set multiple times" }
            shift.offset = isNegative ? -duration : duration
            return nil
        }
    }

    private mutating func parseFixedTime(of expression: Expression) throws(SyntaxFailure) -> Expression {
        advance()
        let fixed = try parseTimestamp()
        return try shifted(
            expression,
            refusal: "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        ) { shift in
            guard shift.fixed == nil else { return "@ <timestamp> may not be set multiple times" }
            shift.fixed = fixed
            return nil
        }
    }

    private mutating func parseTimestamp() throws(SyntaxFailure) -> FixedTime {
        let start = peek.range.lowerBound
        if let keyword = peek.keyword, keyword == "start" || keyword == "end" {
            advance()
            try expect(.leftParenthesis, in: "@")
            try expect(.rightParenthesis, in: "@")
            return keyword == "start" ? .start : .end
        }
        var factor = 1000.0
        if case .sign(let sign) = peek.kind, sign == .subtract || sign == .add {
            if sign == .subtract { factor = -factor }
            advance()
        }
        let seconds: Double
        switch peek.kind {
        case .number(let value): seconds = value
        case .duration(let value): seconds = Double(value) / 1000
        case .word(let word) where ["inf", "nan"].contains(word.lowercased()): seconds = .infinity
        default: throw unexpected(in: "@", expected: "timestamp")
        }
        advance()
        let milliseconds = (seconds * factor).rounded()
        guard milliseconds.magnitude <= Double(EvaluationTime.limit) else {
            throw SyntaxFailure(at: start, "timestamp out of bounds for @ modifier: \(seconds)")
        }
        return .milliseconds(Int64(milliseconds))
    }

    /// - Parameter change: answers what is wrong with the change, or nil if it was made.
    private func shifted(
        _ expression: Expression, refusal: String, change: (inout TimeShift) -> String?
    ) throws(SyntaxFailure) -> Expression {
        let start = expression.range.lowerBound
        var complaint: String?
        let node: Expression.Node
        var children: [Expression] = []
        switch expression.node {
        case .vector(var selector):
            complaint = change(&selector.shift)
            node = .vector(selector)
        case .matrix(var matrix):
            complaint = change(&matrix.selector.shift)
            node = .matrix(matrix)
        case .subquery(var subquery):
            complaint = change(&subquery.shift)
            children = [subquery.expression]
            node = .subquery(subquery)
        default: throw SyntaxFailure(at: start, refusal)
        }
        if let complaint { throw SyntaxFailure(at: start, complaint) }
        return try make(node, from: start, children: children)
    }
}

/// The timestamps that evaluation handles.
package enum EvaluationTime {
    /// Milliseconds to either side of the epoch; ranges and offsets added to it stay within 64 bits.
    package static let limit: Int64 = 4_000_000_000_000_000_000
}
