import Pattern
package import QueryModel

/// Reads LogQL, by recursive descent over its tokens.
///
/// - Every recursive rule goes through `nested`, and every operator of a metric expression is counted, so that neither
///   reading nor evaluating a text from a client can exhaust the stack.
/// - Operators over numbers alone are folded while reading.
/// - Parts that need compiling (expressions, templates, shapes) are compiled here: a parsed query cannot fail on them later.
package struct LogQLParser {
    /// The most levels of parentheses.
    static let deepestNesting = 64
    /// The most operators and aggregations over series in one query.
    static let mostOperations = 256

    private let text: [UInt8]
    private let lexemes: [Lexer.Lexeme]
    private var index = 0
    private var depth = 0
    private var operations = 0

    private init(_ text: String) throws(LogQLError) {
        self.text = Array(text.utf8)
        lexemes = try Lexer.lexemes(of: text)
    }

    // MARK: Entry points

    package static func query(_ text: String) throws(LogQLError) -> LogQLQuery {
        var parser = try LogQLParser(text)
        let query = try parser.expression(atLeast: 1)
        guard parser.token == .end else { throw parser.unexpected() }
        try check(query)
        return query
    }

    /// A log query, as live tail and the field detection take it; it may select every stream if `allowsEverything`.
    package static func logSelector(_ text: String, allowsEverything: Bool = false) throws(LogQLError) -> LogSelector {
        var parser = try LogQLParser(text)
        let query = try parser.expression(atLeast: 1)
        guard parser.token == .end else { throw parser.unexpected() }
        guard case .logs(let selector) = query else { throw .semantic("only log selector is supported") }
        if !allowsEverything { try check(selector.matchers) }
        return selector
    }

    /// A stream selector alone, as labels, series and volume calls take it. An empty text is `{}`, which selects everything.
    package static func matchers(_ text: String) throws(LogQLError) -> [LabelMatcher] {
        var parser = try LogQLParser(text)
        if parser.token == .end { return [] }
        let query = try parser.expression(atLeast: 1)
        guard parser.token == .end else { throw parser.unexpected() }
        guard case .logs(let selector) = query, selector.stages.isEmpty else { throw .onlyMatchers }
        return selector.matchers
    }

    private static func check(_ query: LogQLQuery) throws(LogQLError) {
        switch query {
        case .logs(let selector): try check(selector.matchers)
        case .metric(let expression): try check(expression)
        }
    }

    private static func check(_ expression: MetricExpression) throws(LogQLError) {
        switch expression {
        case .number, .vector: break
        case .range(let range): try check(range.selector.matchers)
        case .aggregation(let aggregation): try check(aggregation.operand)
        case .labelReplace(let replacement): try check(replacement.operand)
        case .binary(let binary):
            try check(binary.left)
            try check(binary.right)
        }
    }

    private static func check(_ matchers: [LabelMatcher]) throws(LogQLError) {
        guard matchers.allSatisfy(\.matchesEmpty) else { return }
        throw .semantic(
            """
            queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
            For instance, app=~".*" does not meet this requirement, but app=~".+" will
            """)
    }

    // MARK: Tokens

    var token: Token { lexemes[index].token }
    var nextToken: Token { index + 1 < lexemes.count ? lexemes[index + 1].token : .end }

    mutating func advance() { if index + 1 < lexemes.count { index += 1 } }

    func at(_ symbol: Token.Symbol) -> Bool { token == .symbol(symbol) }

    /// The word at hand in lower case, if it is one.
    var word: String? {
        if case .identifier(let text) = token { text.lowercased() } else { nil }
    }

    /// Takes the token if it is `symbol`.
    mutating func take(_ symbol: Token.Symbol) -> Bool {
        guard at(symbol) else { return false }
        advance()
        return true
    }

    mutating func take(word: String) -> Bool {
        guard self.word == word else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: Token.Symbol) throws(LogQLError) {
        guard take(symbol) else { throw unexpected(expecting: symbol.rawValue) }
    }

    mutating func expectName() throws(LogQLError) -> String {
        guard case .identifier(let name) = token else { throw unexpected(expecting: "IDENTIFIER") }
        advance()
        return name
    }

    mutating func expectString() throws(LogQLError) -> String {
        guard case .string(let text) = token else { throw unexpected(expecting: "STRING") }
        advance()
        return text
    }

    /// A number with an optional sign.
    mutating func expectNumber() throws(LogQLError) -> Double {
        let sign: Double = take(.minus) ? -1 : 1
        if sign > 0 { _ = take(.plus) }
        guard case .number(let value) = token else { throw unexpected(expecting: "NUMBER") }
        advance()
        return sign * value
    }

    func unexpected(expecting expected: String...) -> LogQLError {
        let wanted = expected.isEmpty ? "" : ", expecting " + expected.joined(separator: " or ")
        return Lexer.error("syntax error: unexpected \(token.name)\(wanted)", at: lexemes[index].offset, in: text)
    }

    /// Runs a rule that may come back to itself.
    mutating func nested<Result>(
        _ rule: (inout LogQLParser) throws(LogQLError) -> Result
    ) throws(LogQLError) -> Result {
        guard depth < Self.deepestNesting else {
            throw Lexer.error(
                "query is nested deeper than \(Self.deepestNesting) levels", at: lexemes[index].offset, in: text)
        }
        depth += 1
        defer { depth -= 1 }
        return try rule(&self)
    }

    /// To be called for each operation that stays in the tree.
    mutating func countOperation() throws(LogQLError) {
        operations += 1
        guard operations <= Self.mostOperations else {
            throw .semantic("query holds more than \(Self.mostOperations) operations")
        }
    }

    // MARK: Selectors

    /// `{a="b", c!="d"}`
    mutating func selector() throws(LogQLError) -> [LabelMatcher] {
        try expect(.openBrace)
        var matchers: [LabelMatcher] = []
        if take(.closeBrace) { return matchers }
        while true {
            matchers.append(try matcher())
            if take(.closeBrace) { return matchers }
            guard take(.comma) else { throw unexpected(expecting: "}", ",") }
        }
    }

    private mutating func matcher() throws(LogQLError) -> LabelMatcher {
        guard case .identifier(let name) = token else { throw unexpected(expecting: "IDENTIFIER", "}") }
        advance()
        guard case .symbol(let symbol) = token, let kind = LabelMatcher.Operator(rawValue: symbol.rawValue) else {
            throw unexpected(expecting: "=", "!=", "=~", "!~")
        }
        advance()
        return try Self.matcher(name, kind, try expectString())
    }

    static func matcher(
        _ name: String, _ kind: LabelMatcher.Operator, _ value: String
    ) throws(LogQLError) -> LabelMatcher {
        do {
            return try LabelMatcher(name, kind, value)
        } catch {
            throw .semantic(error.message)
        }
    }

    static func unanchored(_ source: String) throws(LogQLError) -> NamedPattern {
        do {
            return NamedPattern(source: source, pattern: try Pattern(unanchored: source))
        } catch {
            throw .semantic(error.message)
        }
    }
}
