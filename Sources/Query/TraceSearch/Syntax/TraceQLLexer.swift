import QueryModel
import Settings

/// Splits a query into tokens, each with its place in bytes.
struct TraceQLLexer {
    enum Token: Hashable, Sendable {
        /// A word, or what stands in a scope: `name`, `event:name`, `span.http.route`, `.a`.
        case name(Name)
        case string(String)
        case number(String)
        /// Nanoseconds.
        case duration(Int64)
        case symbol(Symbol)
        case end
    }

    struct Name: Hashable, Sendable {
        /// In front of the first dot or colon; all of it, if there is none.
        var scope: String
        /// `.` or `:`, if the name has a scope.
        var separator: UInt8?
        var key = ""

        var text: String { separator.map { scope + String(UnicodeScalar($0)) + key } ?? scope }
    }

    enum Symbol: String, Hashable, Sendable, CaseIterable {
        // The longer ones first, since they begin like others.
        case and = "&&"
        case or = "||"
        case notEqual = "!="
        case notMatching = "!~"
        case matching = "=~"
        case lessOrEqual = "<="
        case greaterOrEqual = ">="
        case equal = "="
        case less = "<"
        case greater = ">"
        case not = "!"
        case open = "("
        case close = ")"
        case openSpanset = "{"
        case closeSpanset = "}"
    }

    struct Lexeme: Sendable {
        var token: Token
        /// Of its first byte.
        var offset: Int
    }

    /// Longer texts are refused before they are looked at.
    static let longestText = 65_536

    private let text: [UInt8]
    private var position = 0

    private init(_ text: [UInt8]) { self.text = text }

    /// - Returns: the tokens with a final `.end`.
    static func lexemes(of text: [UInt8]) throws(TraceQLError) -> [Lexeme] {
        guard text.count <= longestText else {
            throw TraceQLError("the query has \(text.count) bytes, and may have \(longestText)", at: 0, in: text)
        }
        var lexer = TraceQLLexer(text)
        var lexemes: [Lexeme] = []
        while true {
            lexer.skipBlanks()
            let offset = lexer.position
            let token = try lexer.next()
            lexemes.append(Lexeme(token: token, offset: offset))
            if token == .end { return lexemes }
        }
    }

    private func error(_ reason: String, at offset: Int) -> TraceQLError { TraceQLError(reason, at: offset, in: text) }

    private var byte: UInt8? { position < text.count ? text[position] : nil }

    private func byte(ahead distance: Int) -> UInt8? {
        position + distance < text.count ? text[position + distance] : nil
    }

    private mutating func skipBlanks() {
        while let byte, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
    }

    private mutating func next() throws(TraceQLError) -> Token {
        guard let first = byte else { return .end }
        switch first {
        case UInt8(ascii: "\""): return .string(try quoted())
        case UInt8(ascii: "`"): return .string(try raw())
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "-"), UInt8(ascii: "+"):
            guard let following = byte(ahead: 1), (0x30...0x39).contains(following) else {
                throw error("expected a number after the sign", at: position)
            }
            return try number()
        default: break
        }
        for symbol in Symbol.allCases where text[position...].starts(with: symbol.rawValue.utf8) {
            position += symbol.rawValue.utf8.count
            return .symbol(symbol)
        }
        return try name()
    }

    // MARK: Strings

    private mutating func quoted() throws(TraceQLError) -> String {
        let start = position
        position += 1
        var bytes: [UInt8] = []
        while let byte {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try utf8(bytes, from: start)
            case UInt8(ascii: "\\"): try escape(to: &bytes)
            default: bytes.append(byte)
            }
        }
        throw error("the string has no end", at: start)
    }

    private mutating func escape(to bytes: inout [UInt8]) throws(TraceQLError) {
        let start = position - 1
        guard let byte else { throw error("the string has no end", at: start) }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case UInt8(ascii: "u"):
            guard position + 4 <= text.count,
                let value = UInt32(String(decoding: text[position..<position + 4], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(value)
            else { throw error("\\u takes the four hexadecimal digits of a character", at: start) }
            position += 4
            bytes += Array(String(Character(scalar)).utf8)
        default: throw error("unknown escape; there are \\n, \\r, \\t, \\u, \\\" and \\\\", at: start)
        }
    }

    private mutating func raw() throws(TraceQLError) -> String {
        let start = position
        position += 1
        guard let end = text[position...].firstIndex(of: UInt8(ascii: "`")) else {
            throw error("the string has no end", at: start)
        }
        defer { position = end + 1 }
        return try utf8(Array(text[position..<end]), from: start)
    }

    private func utf8(_ bytes: [UInt8], from start: Int) throws(TraceQLError) -> String {
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw error("the string is not UTF-8", at: start)
        }
        return string
    }

    // MARK: Numbers

    /// Digits that run into letters are a duration: `1.5s`, `1h30m`.
    private mutating func number() throws(TraceQLError) -> Token {
        let start = position
        position += 1
        while let byte, Self.isPartOfName(byte) || Self.isSign(byte) && Self.isExponent(text[position - 1]) {
            position += 1
        }
        let digits = String(decoding: text[start..<position], as: UTF8.self)
        if Number(decimal: digits) != nil { return .number(digits) }
        if let duration = DurationText.go(digits) { return .duration(duration) }
        throw error("\"\(digits)\" is neither a number nor a duration such as 1.5s or 100ms", at: start)
    }

    private static func isSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") }

    private static func isExponent(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") }

    // MARK: Names

    /// What a name consists of, unless it is quoted: anything but blanks and what means something.
    private static func isPartOfName(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && !"{}()=~!<>&|^\"`,".utf8.contains(byte)
    }

    private mutating func name() throws(TraceQLError) -> Token {
        let start = position
        let (dot, colon) = (UInt8(ascii: "."), UInt8(ascii: ":"))
        while let byte, Self.isPartOfName(byte), byte != dot, byte != colon { position += 1 }
        var name = Name(scope: try utf8(Array(text[start..<position]), from: start))
        if byte == dot || byte == colon {
            name.separator = byte
            position += 1
            name.key = try key()
        }
        guard position > start else {
            let character = String(decoding: text[position...], as: UTF8.self).prefix(1)
            throw error("unexpected character \"\(character)\"", at: start)
        }
        return .name(name)
    }

    /// An attribute's key: `http.route`, `"with blanks"`, `a."b c".d`.
    private mutating func key() throws(TraceQLError) -> String {
        let start = position
        var key: [UInt8] = []
        while let byte {
            if byte == UInt8(ascii: "\"") {
                key += Array(try quoted().utf8)
            } else if Self.isPartOfName(byte) {
                key.append(byte)
                position += 1
            } else {
                break
            }
        }
        return try utf8(key, from: start)
    }
}
