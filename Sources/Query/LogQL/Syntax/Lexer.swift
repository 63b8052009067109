import Core

/// Splits LogQL into tokens, each with its place.
///
/// White space and comments (`#` to the end of the line) separate tokens and mean nothing else. A number runs into the
/// unit behind it: `5m` is one token, a duration; `5kb` is a size.
struct Lexer {
    struct Lexeme: Sendable {
        var token: Token
        /// Of its first byte.
        var offset: Int
    }

    /// Longer texts are refused before they are looked at.
    static let longestText = 131_072

    private let text: [UInt8]
    private var position = 0

    private init(_ text: String) { self.text = Array(text.utf8) }

    /// - Returns: the tokens with a final `.end`.
    static func lexemes(of text: String) throws(LogQLError) -> [Lexeme] {
        guard text.utf8.count <= longestText else {
            throw .semantic("input size too long (\(text.utf8.count) > \(longestText))")
        }
        var lexer = Lexer(text)
        var lexemes: [Lexeme] = []
        while true {
            lexer.skipBlanks()
            let offset = lexer.position
            let token = try lexer.next()
            lexemes.append(Lexeme(token: token, offset: offset))
            if token == .end { return lexemes }
        }
    }

    /// An error at the byte `offset` of `text`.
    static func error(_ message: String, at offset: Int, in text: [UInt8]) -> LogQLError {
        var line = 1
        var column = 1
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return .syntax(line: line, column: column, message)
    }

    private func error(_ message: String, at offset: Int) -> LogQLError {
        Self.error(message, at: offset, in: text)
    }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        position + ahead < text.count ? text[position + ahead] : nil
    }

    private mutating func skipBlanks() {
        while let byte = byte() {
            if byte == UInt8(ascii: "#") {
                while let next = self.byte(), next != UInt8(ascii: "\n") { position += 1 }
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                position += 1
            } else {
                return
            }
        }
    }

    private mutating func next() throws(LogQLError) -> Token {
        guard let byte = byte() else { return .end }
        switch byte {
        case UInt8(ascii: "\""): return .string(try quotedString())
        case UInt8(ascii: "`"): return .string(try rawString())
        case UInt8(ascii: "["): return .range(try range())
        case _ where Quantity.isDigit(byte): return try quantity()
        case UInt8(ascii: ".") where self.byte(1).map(Quantity.isDigit) ?? false: return try quantity()
        case _ where Self.startsName(byte): return .identifier(name())
        case UInt8(ascii: "-") where self.byte(1) == byte && self.byte(2).map(Self.startsName) ?? false:
            position += 2
            return .flag(takeText { Self.continuesName($0) || $0 == UInt8(ascii: "-") })
        default: return .symbol(try symbol())
        }
    }

    static func startsName(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }

    static func continuesName(_ byte: UInt8) -> Bool { startsName(byte) || Quantity.isDigit(byte) }

    private mutating func takeText(while accepts: (UInt8) -> Bool) -> String {
        let start = position
        while let byte = byte(), accepts(byte) { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    private mutating func name() -> String { takeText(while: Self.continuesName) }

    private mutating func symbol() throws(LogQLError) -> Token.Symbol {
        for length in [2, 1] where position + length <= text.count {
            let spelling = String(decoding: text[position..<position + length], as: UTF8.self)
            if let symbol = Token.Symbol(rawValue: spelling) {
                position += length
                return symbol
            }
        }
        let character = String(decoding: text[position...].prefix(4), as: UTF8.self).first ?? "?"
        throw error("syntax error: unexpected character '\(character)'", at: position)
    }

    // MARK: Numbers

    private mutating func quantity() throws(LogQLError) -> Token {
        let start = position
        let digits = takeText { Quantity.isDigit($0) || $0 == UInt8(ascii: ".") }
        let exponent = self.exponent()
        guard let next = byte(), next >= 0x80 || Self.startsName(next) else {
            guard let value = Double(digits + exponent) else {
                throw error("syntax error: unexpected number \(digits + exponent)", at: start)
            }
            return .number(value)
        }
        let unit = takeText { Self.continuesName($0) || $0 == UInt8(ascii: ".") || $0 >= 0x80 }
        let spelling = digits + exponent + unit
        if let duration = Quantity.duration(spelling) { return .duration(duration) }
        if let bytes = Quantity.bytes(spelling) { return .bytes(bytes) }
        throw error("syntax error: \(spelling) is neither a number, a duration nor a size", at: start)
    }

    /// `e` and a whole number, if that is what follows.
    private mutating func exponent() -> String {
        guard let letter = byte(), letter | 0x20 == UInt8(ascii: "e") else { return "" }
        let sign = byte(1) == UInt8(ascii: "-") || byte(1) == UInt8(ascii: "+") ? 1 : 0
        guard byte(1 + sign).map(Quantity.isDigit) ?? false else { return "" }
        let start = position
        position += 1 + sign
        _ = takeText(while: Quantity.isDigit)
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    private mutating func range() throws(LogQLError) -> Int64 {
        let start = position
        position += 1
        let spelling = takeText { $0 != UInt8(ascii: "]") }
        guard byte() != nil else { throw error("missing closing ']' in duration", at: start) }
        position += 1
        let trimmed = String(spelling.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        guard let duration = Quantity.duration(trimmed) else {
            throw error("not a valid duration string: \"\(trimmed)\"", at: start)
        }
        guard duration > 0 else { throw error("duration must be greater than 0", at: start) }
        return duration
    }

    // MARK: Strings

    private mutating func rawString() throws(LogQLError) -> String {
        let start = position
        position += 1
        let content = takeText { $0 != UInt8(ascii: "`") }
        guard byte() != nil else { throw error("literal not terminated", at: start) }
        position += 1
        return content
    }

    /// A string in double quotes, with Go's escapes.
    private mutating func quotedString() throws(LogQLError) -> String {
        let start = position
        var content: [UInt8] = []
        position += 1
        while let byte = byte(), byte != UInt8(ascii: "\n") {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &content, string: start)
            default: content.append(byte)
            }
        }
        throw error("literal not terminated", at: start)
    }

    private mutating func escape(into content: inout [UInt8], string start: Int) throws(LogQLError) {
        guard let letter = byte() else { throw error("literal not terminated", at: start) }
        position += 1
        switch letter {
        case UInt8(ascii: "a"): content.append(7)
        case UInt8(ascii: "b"): content.append(8)
        case UInt8(ascii: "f"): content.append(12)
        case UInt8(ascii: "n"): content.append(10)
        case UInt8(ascii: "r"): content.append(13)
        case UInt8(ascii: "t"): content.append(9)
        case UInt8(ascii: "v"): content.append(11)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): content.append(letter)
        case UInt8(ascii: "x"): content.append(UInt8(truncatingIfNeeded: try code(digits: 2, radix: 16, string: start)))
        case UInt8(ascii: "u"):
            try appendScalar(try code(digits: 4, radix: 16, string: start), to: &content, string: start)
        case UInt8(ascii: "U"):
            try appendScalar(try code(digits: 8, radix: 16, string: start), to: &content, string: start)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            position -= 1
            let value = try code(digits: 3, radix: 8, string: start)
            guard value < 256 else { throw error("invalid char escape", at: start) }
            content.append(UInt8(value))
        default: throw error("invalid char escape", at: start)
        }
    }

    private mutating func code(digits: Int, radix: UInt32, string start: Int) throws(LogQLError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = byte(), let digit = Hex.value(byte), digit < radix, value < 1 << 28 else {
                throw error("invalid char escape", at: start)
            }
            value = value * radix + UInt32(digit)
            position += 1
        }
        return value
    }

    private func appendScalar(_ value: UInt32, to content: inout [UInt8], string start: Int) throws(LogQLError) {
        guard let scalar = Unicode.Scalar(value) else { throw error("invalid char escape", at: start) }
        content.append(contentsOf: String(Character(scalar)).utf8)
    }
}
