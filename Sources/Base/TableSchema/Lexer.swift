/// Cuts the text of a schema file into words, numbers, texts and symbols; `--` begins a comment.
struct Token: Equatable {
    enum Kind: Equatable {
        case word(String)
        case integer(Int64)
        case decimal(Double)
        case text([UInt8])
        case symbol(Symbol)
        case end
    }

    var kind: Kind
    var offset: Int

    /// How an error message names the token.
    var shown: String {
        switch kind {
        case .word(let word): "'\(word)'"
        case .integer(let value): "'\(value)'"
        case .decimal(let value): "'\(value)'"
        case .text: "a text"
        case .symbol(let symbol): "'\(symbol.rawValue)'"
        case .end: "the end of the file"
        }
    }

    func isKeyword(_ keyword: String) -> Bool {
        if case .word(let word) = kind { word.uppercased() == keyword } else { false }
    }
}

enum Symbol: String {
    case open = "("
    case close = ")"
    case comma = ","
    case semicolon = ";"
    case dot = "."
    case plus = "+"
    case minus = "-"
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

struct Lexer {
    private let file: SourceFile
    private var position = 0

    /// The tokens of `file`, the last of them `.end`.
    static func tokens(of file: SourceFile) throws(SchemaError) -> [Token] {
        guard file.bytes.count <= SchemaLimit.fileBytes else {
            throw file.error(at: 0, "the file is longer than \(SchemaLimit.fileBytes) bytes")
        }
        var lexer = Lexer(file: file)
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private init(file: SourceFile) { self.file = file }

    private func byte(at index: Int) -> UInt8? { index < file.bytes.count ? file.bytes[index] : nil }

    private mutating func next() throws(SchemaError) -> Token {
        skipBlanks()
        let start = position
        guard let first = byte(at: start) else { return Token(kind: .end, offset: start) }
        switch first {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            return Token(kind: .word(try word()), offset: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            return Token(kind: try number(), offset: start)
        case UInt8(ascii: "'"):
            return Token(kind: .text(try text()), offset: start)
        default:
            return Token(kind: .symbol(try symbol(first)), offset: start)
        }
    }

    private mutating func skipBlanks() {
        while let byte = byte(at: position) {
            if byte == UInt8(ascii: "-"), self.byte(at: position + 1) == UInt8(ascii: "-") {
                while let inside = self.byte(at: position), inside != UInt8(ascii: "\n") { position += 1 }
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                position += 1
            } else {
                return
            }
        }
    }

    private mutating func word() throws(SchemaError) -> String {
        let start = position
        while let byte = byte(at: position), byte.isWordByte { position += 1 }
        guard position - start <= SchemaLimit.nameLength else {
            throw file.error(at: start, "a name may have \(SchemaLimit.nameLength) characters at most")
        }
        return String(decoding: file.bytes[start..<position], as: UTF8.self)
    }

    /// `12`, `0.001` or `1e-3`.
    private mutating func number() throws(SchemaError) -> Token.Kind {
        let start = position
        while let byte = byte(at: position) {
            let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            let isAfterExponent = isSign && (file.bytes[position - 1] | 0x20) == UInt8(ascii: "e")
            guard byte.isWordByte || byte == UInt8(ascii: ".") || isAfterExponent else { break }
            position += 1
        }
        let digits = String(decoding: file.bytes[start..<position], as: UTF8.self)
        if let value = Int64(digits) { return .integer(value) }
        let isDecimal = digits.utf8.allSatisfy { $0.isDigit || ".eE+-".utf8.contains($0) }
        guard isDecimal, digits.contains(where: { $0 == "." || $0 == "e" || $0 == "E" }),
            let value = Double(digits), value.isFinite
        else {
            throw file.error(at: start, "not a number, or too large a one")
        }
        return .decimal(value)
    }

    /// `'…'`, in which two quotes stand for one.
    private mutating func text() throws(SchemaError) -> [UInt8] {
        let start = position
        var bytes: [UInt8] = []
        position += 1
        while let byte = byte(at: position), byte != UInt8(ascii: "\n") {
            position += 1
            if byte == UInt8(ascii: "'") {
                guard self.byte(at: position) == byte else { return bytes }
                position += 1
            }
            bytes.append(byte)
        }
        throw file.error(at: start, "the text has no closing quote on its line")
    }

    private mutating func symbol(_ first: UInt8) throws(SchemaError) -> Symbol {
        if let second = byte(at: position + 1), second < 0x80 {
            let pair = String(decoding: [first, second], as: UTF8.self)
            if pair == "<>" {
                position += 2
                return .notEqual
            }
            if let symbol = Symbol(rawValue: pair) {
                position += 2
                return symbol
            }
        }
        guard first < 0x80, let symbol = Symbol(rawValue: String(decoding: [first], as: UTF8.self)) else {
            throw file.error(at: position, "unexpected character")
        }
        position += 1
        return symbol
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var isWordByte: Bool {
        isDigit || self == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }
}
