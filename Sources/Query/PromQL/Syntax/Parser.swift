package import QueryModel

/// Turns a text into an `Expression` (rules of §3.1 to §3.5): operator precedence by climbing, everything else by descent.
///
/// Queries come from strangers, so what nests is bounded: parentheses, calls and signs by `deepestNesting`, and the tree, which
/// chains of operators also deepen, by `deepestTree`. What visits the tree walks such chains, so it recurses with the nesting.
package struct Parser {
    static let deepestNesting = 100
    static let deepestTree = 500

    let text: [UInt8]
    private let tokens: [Token]
    private var position = 0
    private var nesting = 0

    private init(text: [UInt8]) throws(SyntaxFailure) {
        self.text = text
        tokens = try Lexer.tokens(of: text)
    }

    /// Parses and type-checks.
    package static func parse(_ query: String) throws(ParseError) -> Expression {
        try parse(query) { expression throws(SyntaxFailure) in
            try TypeChecker.check(expression)
            return expression
        }
    }

    /// Parses a selector alone, such as a `match[]` parameter. All its matchers may match the empty text.
    package static func parseSelector(_ query: String) throws(ParseError) -> [LabelMatcher] {
        try parse(query) { expression throws(SyntaxFailure) in
            guard case .vector(let selector) = expression.node, selector.shift == TimeShift() else {
                throw SyntaxFailure(at: 0, "expected a vector selector without modifiers")
            }
            try TypeChecker.checkName(of: selector, at: expression)
            return selector.matchers
        }
    }

    private static func parse<Result>(
        _ query: String, finish: (Expression) throws(SyntaxFailure) -> Result
    ) throws(ParseError) -> Result {
        let text = Array(query.utf8)
        do throws(SyntaxFailure) {
            var parser = try Parser(text: text)
            if parser.peek.kind == .end { throw SyntaxFailure(at: 0, "no expression found in input") }
            let expression = try parser.parseExpression()
            guard parser.peek.kind == .end else { throw parser.unexpected() }
            return try finish(expression)
        } catch {
            throw ParseError(at: error.offset, of: text, error.message)
        }
    }

    // MARK: Tokens

    var peek: Token { tokens[position] }

    var peekSecond: Token { tokens[min(position + 1, tokens.count - 1)] }

    @discardableResult
    mutating func advance() -> Token {
        let token = tokens[position]
        if position + 1 < tokens.count { position += 1 }
        return token
    }

    mutating func accept(_ kind: Token.Kind) -> Bool {
        guard peek.kind == kind else { return false }
        advance()
        return true
    }

    @discardableResult
    mutating func expect(
        _ kind: Token.Kind, in place: String? = nil, _ expected: String? = nil
    ) throws(SyntaxFailure) -> Token {
        guard peek.kind == kind else { throw unexpected(in: place, expected: expected) }
        return advance()
    }

    func unexpected(in place: String? = nil, expected: String? = nil) -> SyntaxFailure {
        var message = "unexpected " + peek.description(in: text)
        if let place { message += " in \(place)" }
        if let expected { message += ", expected \(expected)" }
        return SyntaxFailure(at: peek.range.lowerBound, message)
    }

    /// Where the last token that was taken ends.
    var endOfLast: Int { position == 0 ? 0 : tokens[position - 1].range.upperBound }

    func make(_ node: Expression.Node, from start: Int, children: [Expression] = []) throws(SyntaxFailure) -> Expression
    {
        let depth = 1 + (children.map(\.depth).max() ?? 0)
        guard depth <= Self.deepestTree else {
            throw SyntaxFailure(at: start, "expression is nested too deeply")
        }
        return Expression(node, start..<max(start, endOfLast), depth: depth)
    }

    // MARK: Operators

    mutating func parseExpression(minimumPrecedence: Int = 1) throws(SyntaxFailure) -> Expression {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.deepestNesting else {
            throw SyntaxFailure(at: peek.range.lowerBound, "expression is nested too deeply")
        }
        var left = try parseUnary()
        while let sign = peekOperator, sign.precedence >= minimumPrecedence {
            advance()
            let returnsBool = acceptKeyword(.bool)
            var matching = VectorMatching(cardinality: sign.isSet ? .manyToMany : .oneToOne)
            let hasMatching = try parseMatching(&matching)
            let right = try parseExpression(
                minimumPrecedence: sign.isRightAssociative ? sign.precedence : sign.precedence + 1)
            let binary = BinaryExpression(
                operator: sign, returnsBool: returnsBool, matching: matching, hasMatching: hasMatching, left: left,
                right: right)
            left = try make(.binary(binary), from: left.range.lowerBound, children: [left, right])
        }
        return left
    }

    private var peekOperator: BinaryOperator? {
        if case .sign(let sign) = peek.kind { return sign }
        guard let keyword = peek.keyword, let word = BinaryOperator(rawValue: keyword) else { return nil }
        return word
    }

    private mutating func parseUnary() throws(SyntaxFailure) -> Expression {
        guard case .sign(let sign) = peek.kind, sign == .add || sign == .subtract else {
            return try parsePostfix()
        }
        let start = advance().range.lowerBound
        // Binds looser than `^` and tighter than `*`.
        let operand = try parseExpression(minimumPrecedence: BinaryOperator.power.precedence)
        if case .number(let value) = operand.node {
            return try make(.number(sign == .subtract ? -value : value), from: start)
        }
        let unary = UnaryExpression(negates: sign == .subtract, operand: operand)
        return try make(.unary(unary), from: start, children: [operand])
    }

    mutating func acceptKeyword(_ keyword: Keyword) -> Bool {
        guard peek.keyword == keyword.rawValue else { return false }
        advance()
        return true
    }

    private func isKeyword(_ keyword: Keyword) -> Bool { peek.keyword == keyword.rawValue }

    /// `on (…)`, `ignoring (…)`, and what may follow them.
    private mutating func parseMatching(_ matching: inout VectorMatching) throws(SyntaxFailure) -> Bool {
        guard isKeyword(.on) || isKeyword(.ignoring), peekSecond.kind == .leftParenthesis else {
            return false
        }
        matching.isOn = isKeyword(.on)
        advance()
        matching.labels = try parseLabelNames()
        guard isKeyword(.groupLeft) || isKeyword(.groupRight) else { return true }
        matching.cardinality = isKeyword(.groupLeft) ? .manyToOne : .oneToMany
        advance()
        if peek.kind == .leftParenthesis { matching.included = try parseLabelNames() }
        return true
    }

    /// `(a, "b.c", sum)`: names of labels, which may be keywords or quoted; a trailing comma is allowed.
    mutating func parseLabelNames() throws(SyntaxFailure) -> [String] {
        try expect(.leftParenthesis, in: "grouping opts", #""(""#)
        var names: [String] = []
        while !accept(.rightParenthesis) {
            switch peek.kind {
            case .word(let name) where !name.contains(":"): names.append(name)
            case .string(let name) where !name.isEmpty: names.append(name)
            default: throw unexpected(in: "grouping opts", expected: "label")
            }
            advance()
            if peek.kind != .rightParenthesis {
                try expect(.comma, in: "grouping opts", #""," or ")""#)
            }
        }
        return names
    }
}
