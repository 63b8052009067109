import Core
package import QueryModel

/// Reads the part of TraceQL that selects traces, by recursive descent (docs/QUERYING.md has the grammar).
///
///     {resource.service.name = "shop" && span.http.status_code >= 500} && {name =~ "SELECT .*" && duration > 100ms}
///
/// Braces hold what one span must meet, and each pair of them may be met by another span of the trace.
package struct TraceQLParser {
    private let text: [UInt8]
    private let lexemes: [TraceQLLexer.Lexeme]
    private var index = 0
    private var depth = 0
    private var leaves = 0
    private var tests = 0

    /// Deeper texts, and those with more conditions, are refused.
    private static let deepest = 32
    private static let mostTests = 256

    private init(_ text: [UInt8]) throws(TraceQLError) {
        self.text = text
        lexemes = try TraceQLLexer.lexemes(of: text)
    }

    package static func parse(_ text: String) throws(TraceQLError) -> TraceCondition {
        var parser = try TraceQLParser(Array(text.utf8))
        let condition = try parser.spansets()
        guard parser.token == .end else {
            throw parser.error("expected && or || or the end of the query instead of \(parser.shown)")
        }
        return condition
    }

    // MARK: Tokens

    private var token: TraceQLLexer.Token { lexemes[index].token }
    private var offset: Int { lexemes[index].offset }

    private mutating func take(_ symbol: TraceQLLexer.Symbol) -> Bool {
        guard token == .symbol(symbol) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ symbol: TraceQLLexer.Symbol) throws(TraceQLError) {
        guard take(symbol) else { throw error("expected \(symbol.rawValue) instead of \(shown)") }
    }

    private var shown: String {
        switch token {
        case .name(let name): "\"\(name.text)\""
        case .string: "a string"
        case .number(let digits): digits
        case .duration: "a duration"
        case .symbol(let symbol): symbol.rawValue
        case .end: "the end of the query"
        }
    }

    private func error(_ reason: String, at offset: Int? = nil) -> TraceQLError {
        TraceQLError(reason, at: offset ?? self.offset, in: text)
    }

    private mutating func nested<Value>(
        _ read: (inout TraceQLParser) throws(TraceQLError) -> Value
    ) throws(TraceQLError) -> Value {
        guard depth < Self.deepest else { throw error("nested more than \(Self.deepest) deep") }
        depth += 1
        defer { depth -= 1 }
        return try read(&self)
    }

    /// One or more operands with `symbol` between them; one alone is itself.
    private mutating func chain<Value>(
        _ symbol: TraceQLLexer.Symbol, _ joined: ([Value]) -> Value,
        _ operand: (inout TraceQLParser) throws(TraceQLError) -> Value
    ) throws(TraceQLError) -> Value {
        let first = try operand(&self)
        var operands = [first]
        while take(symbol) { operands.append(try operand(&self)) }
        return operands.count == 1 ? first : joined(operands)
    }

    // MARK: Spansets

    private mutating func spansets() throws(TraceQLError) -> TraceCondition {
        try nested { parser throws(TraceQLError) in
            try parser.chain(.or, TraceCondition.any) { parser throws(TraceQLError) in
                try parser.chain(.and, TraceCondition.all) { parser throws(TraceQLError) in try parser.spanset() }
            }
        }
    }

    private mutating func spanset() throws(TraceQLError) -> TraceCondition {
        if take(.open) {
            let inner = try spansets()
            try expect(.close)
            return inner
        }
        guard leaves < TraceCondition.leafLimit else {
            throw error("a query may have \(TraceCondition.leafLimit) pairs of braces")
        }
        leaves += 1
        guard take(.openSpanset) else { throw error("expected { instead of \(shown)") }
        if take(.closeSpanset) { return .span(.always) }
        let condition = try conditions()
        guard take(.closeSpanset) else { throw error("expected && or || or } instead of \(shown)") }
        return .span(condition)
    }

    // MARK: Conditions on one span

    private mutating func conditions() throws(TraceQLError) -> SpanCondition {
        try nested { parser throws(TraceQLError) in
            try parser.chain(.or, SpanCondition.any) { parser throws(TraceQLError) in
                try parser.chain(.and, SpanCondition.all) { parser throws(TraceQLError) in try parser.condition() }
            }
        }
    }

    private mutating func condition() throws(TraceQLError) -> SpanCondition {
        if take(.not) { return .not(try nested { parser throws(TraceQLError) in try parser.condition() }) }
        if take(.open) {
            let inner = try conditions()
            try expect(.close)
            return inner
        }
        return try comparison()
    }

    private mutating func comparison() throws(TraceQLError) -> SpanCondition {
        let start = offset
        tests += 1
        guard tests <= Self.mostTests else { throw error("a query may have \(Self.mostTests) comparisons") }
        let left = try operand()
        let at = offset
        guard case .symbol(let symbol) = token, let sign = TraceQLComparison.Sign(symbol) else {
            throw error("expected one of =, !=, <, <=, >, >=, =~ and !~ instead of \(shown)")
        }
        index += 1
        let rightStart = offset
        let right = try operand()
        do throws(TraceQLComparison.Mistake) {
            switch (left, right) {
            case (.subject(let subject), .literal(let literal)):
                return try TraceQLComparison.condition(subject, sign, literal)
            case (.literal(let literal), .subject(let subject)):
                guard let turned = sign.reversed else {
                    throw .atSign("\(symbol.rawValue) takes the pattern on its right")
                }
                return try TraceQLComparison.condition(subject, turned, literal)
            case (.subject, .subject): throw .atSign("two values of a span cannot be compared with each other")
            case (.literal, .literal): throw .atSign("a comparison needs an attribute or a field of the span")
            }
        } catch {
            switch error {
            case .atSign(let reason): throw self.error(reason, at: at)
            case .atLiteral(let reason):
                if case .literal = left { throw self.error(reason, at: start) }
                throw self.error(reason, at: rightStart)
            }
        }
    }

    private enum Operand {
        case subject(SpanSubject)
        case literal(TraceQLComparison.Literal)
    }

    private mutating func operand() throws(TraceQLError) -> Operand {
        let start = offset
        defer { index += 1 }
        switch token {
        case .string(let text): return .literal(.string(text))
        case .number(let digits): return .literal(.number(digits))
        case .duration(let nanoseconds): return .literal(.duration(nanoseconds))
        case .name(let name):
            if let subject = TraceQLNames.subject(name) { return .subject(subject) }
            if name.separator == nil, let literal = TraceQLComparison.Literal(word: name.scope) {
                return .literal(literal)
            }
            throw error(TraceQLNames.unknown(name), at: start)
        case .symbol, .end: throw error("expected an attribute, a field or a value instead of \(shown)")
        }
    }
}

/// The names of fields and attributes.
enum TraceQLNames {
    static let fields: [(name: String, field: SpanField)] = [
        ("name", .name), ("duration", .duration), ("status", .status), ("statusMessage", .statusMessage),
        ("kind", .kind),
        ("span:name", .name), ("span:duration", .duration), ("span:status", .status),
        ("span:statusMessage", .statusMessage), ("span:kind", .kind), ("span:id", .spanID),
        ("span:parentID", .parentSpanID), ("trace:id", .traceID), ("event:name", .eventName),
        ("event:timeSinceStart", .eventTimeSinceStart), ("link:traceID", .linkTraceID), ("link:spanID", .linkSpanID),
        ("instrumentation:name", .scopeName), ("instrumentation:version", .scopeVersion),
    ]

    static let scopes: [(name: String, scopes: AttributeScopes)] = [
        // As in TraceQL: of the span, or of its resource.
        ("", [.span, .resource]), ("span", .span), ("resource", .resource), ("event", .event), ("link", .link),
        ("instrumentation", .scope),
    ]

    static func subject(_ name: TraceQLLexer.Name) -> SpanSubject? {
        if name.separator == UInt8(ascii: ".") {
            guard !name.key.isEmpty, let scope = scopes.first(where: { $0.name == name.scope }) else { return nil }
            return .attribute(name.key, in: scope.scopes, elements: true)
        }
        return fields.first { $0.name == name.text }.map { .field($0.field) }
    }

    static func unknown(_ name: TraceQLLexer.Name) -> String {
        switch name.text {
        case "rootName", "rootServiceName", "traceDuration", "trace:rootName", "trace:rootService", "trace:duration":
            return "\"\(name.text)\" cannot be searched for: conditions are on spans"
        default: break
        }
        switch name.separator {
        case UInt8(ascii: ".") where name.key.isEmpty: return "expected the attribute's key behind the dot"
        case UInt8(ascii: "."):
            return "unknown scope \"\(name.scope)\": there are span, resource, event, link and instrumentation"
        default:
            let hint = name.separator == nil ? "; an attribute has a scope or begins with a dot, .\(name.text)" : ""
            return "unknown field \"\(name.text)\"\(hint)"
        }
    }
}
