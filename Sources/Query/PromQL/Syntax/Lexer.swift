import QueryModel

/// Cuts a PromQL text into tokens (rules of §3.1).
///
/// A colon is part of a metric name outside brackets, and a sign of its own inside them (`[5m:1m]`); inside braces names are label
/// names and have no colon. Numbers and durations are one lexical class: the longest run of letters, digits, dots and underscores
/// that begins with a digit, which is then read as either.
struct Lexer {
    private let text: [UInt8]
    private var offset = 0
    private var parentheses = 0
    private var isInBrackets = false
    private var isInBraces = false

    private init(_ text: [UInt8]) { self.text = text }

    static func tokens(of text: [UInt8]) throws(SyntaxFailure) -> [Token] {
        var lexer = Lexer(text)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private func peek(_ distance: Int = 0) -> UInt8? {
        offset + distance < text.count ? text[offset + distance] : nil
    }

    private mutating func skipBlanks() {
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): offset += 1
            case UInt8(ascii: "#"):
                while let next = peek(), next != UInt8(ascii: "\n") { offset += 1 }
            default: return
            }
        }
    }

    private mutating func next() throws(SyntaxFailure) -> Token {
        skipBlanks()
        let start = offset
        guard let byte = peek() else {
            if isInBraces { throw SyntaxFailure(at: start, "unexpected end of input inside braces") }
            if isInBrackets { throw SyntaxFailure(at: start, "unclosed left bracket") }
            if parentheses > 0 { throw SyntaxFailure(at: start, "unclosed left parenthesis") }
            return Token(kind: .end, range: start..<start)
        }
        let kind: Token.Kind
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): kind = try scanNumber()
        case UInt8(ascii: "."):
            guard let digit = peek(1), Self.isDigit(digit) else { throw unexpected(at: start) }
            kind = try scanNumber()
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
            var literal = StringLiteral(text: text, offset: offset)
            kind = .string(try literal.scan())
            offset = literal.offset
        case _ where Self.isNameStart(byte): kind = scanWord()
        case UInt8(ascii: ":") where !isInBrackets && !isInBraces: kind = scanWord()
        default: kind = try scanSign(byte)
        }
        return Token(kind: kind, range: start..<offset)
    }

    private mutating func scanWord() -> Token.Kind {
        let start = offset
        while let byte = peek(),
            Self.isNameStart(byte) || Self.isDigit(byte)
                || (byte == UInt8(ascii: ":") && !isInBrackets && !isInBraces)
        { offset += 1 }
        return .word(String(decoding: text[start..<offset], as: UTF8.self))
    }

    private mutating func scanSign(_ byte: UInt8) throws(SyntaxFailure) -> Token.Kind {
        let start = offset
        offset += 1
        func following(_ sign: Character) -> Bool { peek() == sign.asciiValue }
        switch byte {
        case UInt8(ascii: "("):
            parentheses += 1
            return .leftParenthesis
        case UInt8(ascii: ")"):
            guard parentheses > 0 else { throw SyntaxFailure(at: start, "unexpected right parenthesis ')'") }
            parentheses -= 1
            return .rightParenthesis
        case UInt8(ascii: "{"):
            if isInBraces { throw SyntaxFailure(at: start, "unexpected character inside braces: '{'") }
            isInBraces = true
            return .leftBrace
        case UInt8(ascii: "}"):
            guard isInBraces else { throw SyntaxFailure(at: start, "unexpected right brace '}'") }
            isInBraces = false
            return .rightBrace
        case UInt8(ascii: "["):
            if isInBrackets { throw SyntaxFailure(at: start, "unexpected left bracket '['") }
            isInBrackets = true
            return .leftBracket
        case UInt8(ascii: "]"):
            guard isInBrackets else { throw SyntaxFailure(at: start, "unexpected right bracket ']'") }
            isInBrackets = false
            return .rightBracket
        case UInt8(ascii: ","): return .comma
        case UInt8(ascii: ":") where isInBrackets: return .colon
        case UInt8(ascii: "@"): return .at
        case UInt8(ascii: "="):
            if following("~") { return advance(.regexMatch) }
            if following("=") && !isInBraces { return advance(.sign(.equal)) }
            return .assign
        case UInt8(ascii: "!"):
            if following("~") { return advance(.regexMismatch) }
            if following("=") { return advance(.sign(.notEqual)) }
            if offset >= text.count { throw SyntaxFailure(at: start, "unexpected end of input") }
            let found = Self.quoteCharacter(in: text, at: offset)
            throw SyntaxFailure(at: start, "unexpected character after '!': \(found)")
        case UInt8(ascii: "<"): return following("=") ? advance(.sign(.lessOrEqual)) : .sign(.less)
        case UInt8(ascii: ">"): return following("=") ? advance(.sign(.greaterOrEqual)) : .sign(.greater)
        case UInt8(ascii: "+"): return .sign(.add)
        case UInt8(ascii: "-"): return .sign(.subtract)
        case UInt8(ascii: "*"): return .sign(.multiply)
        case UInt8(ascii: "/"): return .sign(.divide)
        case UInt8(ascii: "%"): return .sign(.modulo)
        case UInt8(ascii: "^"): return .sign(.power)
        default: throw unexpected(at: start)
        }
    }

    private mutating func advance(_ kind: Token.Kind) -> Token.Kind {
        offset += 1
        return kind
    }

    private func unexpected(at start: Int) -> SyntaxFailure {
        let found = Self.quoteCharacter(in: text, at: start)
        return SyntaxFailure(
            at: start, isInBraces ? "unexpected character inside braces: \(found)" : "unexpected character: \(found)")
    }

    private mutating func scanNumber() throws(SyntaxFailure) -> Token.Kind {
        let start = offset
        let isHexadecimal =
            peek() == UInt8(ascii: "0") && (peek(1) ?? 0) | 0x20 == UInt8(ascii: "x")
        while let byte = peek() {
            let isExponentSign =
                !isHexadecimal && (byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"))
                && offset > start && text[offset - 1] | 0x20 == UInt8(ascii: "e")
            guard Self.isNameStart(byte) || Self.isDigit(byte) || byte == UInt8(ascii: ".") || isExponentSign
            else { break }
            offset += 1
        }
        let run = text[start..<offset]
        if let number = NumberLiteral.parse(run) { return .number(number) }
        if let duration = DurationLiteral.milliseconds(run) { return .duration(duration) }
        throw SyntaxFailure(
            at: start,
            "bad number or duration syntax: \(QuotedText.quote(String(decoding: run, as: UTF8.self)))")
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    static func isNameStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// The character at `offset` in single quotes, as messages show it.
    private static func quoteCharacter(in text: [UInt8], at offset: Int) -> String {
        let character = String(decoding: text[offset...].prefix(4), as: UTF8.self).first ?? "?"
        return character == "'" ? #"'\''"# : "'\(character)'"
    }
}
