import Core
import QueryModel

/// What is wrong with a text that should be JSON.
struct JSONFault: Error {
    private let what: StaticString
    private let position: Int?

    init(_ what: StaticString, at position: Int? = nil) {
        self.what = what
        self.position = position
    }

    var message: String { position.map { "\(what) at byte \($0)" } ?? "\(what)" }
}

/// Walks over JSON text that it borrows, without making anything of it. Numbers are handed over as they are written. Nesting is bounded,
/// so that no line can exhaust the stack.
struct JSONCursor: ~Escapable {
    enum Kind { case object, array, string, number, boolean, null }

    static let deepestNesting = 64

    let bytes: Span<UInt8>
    private(set) var position: Int

    /// A string or the text of another scalar, and whether it has escapes.
    struct Text {
        var range: Range<Int>
        var hasEscapes = false
    }

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    private func fault(_ what: StaticString) -> JSONFault { JSONFault(what, at: position) }

    mutating func move(to position: Int) { self.position = position }

    mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position]) {
            position += 1
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// The kind of the value that begins here, behind blanks.
    mutating func kind() throws(JSONFault) -> Kind {
        skipBlanks()
        guard position < bytes.count else { throw fault("unexpected end") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw fault("unexpected character")
        }
    }

    // MARK: Objects and arrays

    /// Enters an object.
    ///
    /// - Returns: whether it has members.
    mutating func beginObject() throws(JSONFault) -> Bool {
        skipBlanks()
        guard take(UInt8(ascii: "{")) else { throw fault("expected an object") }
        skipBlanks()
        return !take(UInt8(ascii: "}"))
    }

    /// A member's key; the cursor stands before the value then.
    mutating func key() throws(JSONFault) -> Text {
        skipBlanks()
        let key = try string()
        skipBlanks()
        guard take(UInt8(ascii: ":")) else { throw fault("expected ':'") }
        return key
    }

    /// Moves behind a value of an object or array that ends with `close`.
    ///
    /// - Returns: whether another value follows.
    mutating func next(before close: UInt8) throws(JSONFault) -> Bool {
        skipBlanks()
        if take(close) { return false }
        guard take(UInt8(ascii: ",")) else {
            throw close == UInt8(ascii: "}") ? fault("expected ',' or '}'") : fault("expected ',' or ']'")
        }
        return true
    }

    mutating func beginArray() throws(JSONFault) -> Bool {
        skipBlanks()
        guard take(UInt8(ascii: "[")) else { throw fault("expected an array") }
        skipBlanks()
        return !take(UInt8(ascii: "]"))
    }

    // MARK: Values

    /// Moves over a value and answers where it stood.
    @discardableResult
    mutating func skip(depth: Int = 0) throws(JSONFault) -> Range<Int> {
        guard depth < Self.deepestNesting else { throw fault("nested too deeply") }
        let kind = try kind()
        let start = position
        switch kind {
        case .object:
            var hasMore = try beginObject()
            while hasMore {
                _ = try key()
                try skip(depth: depth + 1)
                hasMore = try next(before: UInt8(ascii: "}"))
            }
        case .array:
            var hasMore = try beginArray()
            while hasMore {
                try skip(depth: depth + 1)
                hasMore = try next(before: UInt8(ascii: "]"))
            }
        case .string: _ = try string()
        case .number: number()
        case .boolean, .null: try word()
        }
        return start..<position
    }

    /// A value as a label has it.
    mutating func text() throws(JSONFault) -> Text {
        if try kind() == .string { return try string() }
        return Text(range: try skip())
    }

    /// What stands between the quotes, with its escapes.
    mutating func string() throws(JSONFault) -> Text {
        guard take(UInt8(ascii: "\"")) else { throw fault("expected a string") }
        let start = position
        var hasEscapes = false
        while true {
            position = bytes.indexOfQuoteOrBackslash(from: position)
            guard position < bytes.count else { throw fault("unterminated string") }
            if bytes[position] == UInt8(ascii: "\"") {
                position += 1
                return Text(range: start..<position - 1, hasEscapes: hasEscapes)
            }
            hasEscapes = true
            position = Swift.min(position + 2, bytes.count)
        }
    }

    private mutating func number() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                position += 1
            default: return
            }
        }
    }

    private mutating func word() throws(JSONFault) {
        let letters: [UInt8] =
            switch bytes[position] {
            case UInt8(ascii: "t"): Self.trueWord
            case UInt8(ascii: "f"): Self.falseWord
            default: Self.nullWord
            }
        guard ByteSearch.has(letters.span, in: bytes, at: position) else { throw fault("unexpected word") }
        position += letters.count
    }

    private static let trueWord = Array("true".utf8)
    private static let falseWord = Array("false".utf8)
    private static let nullWord = Array("null".utf8)

    /// Moves to the value at `path` in the value that begins here.
    ///
    /// - Returns: whether there is one.
    mutating func find(_ path: [FieldStep]) throws(JSONFault) -> Bool {
        for step in path {
            var found: Int?
            switch (step, try kind()) {
            case (.key(let wanted), .object):
                var hasMore = try beginObject()
                while hasMore {
                    let key = try key()
                    if found == nil, try isEqual(key, wanted) { found = position }
                    try skip()
                    hasMore = try next(before: UInt8(ascii: "}"))
                }
            case (.index(let wanted), .array):
                var hasMore = try beginArray()
                var index = 0
                while hasMore {
                    if index == wanted { found = position }
                    try skip()
                    index += 1
                    hasMore = try next(before: UInt8(ascii: "]"))
                }
            default: return false
            }
            guard let found else { return false }
            position = found
        }
        return true
    }

    private func isEqual(_ key: Text, _ wanted: String) throws(JSONFault) -> Bool {
        guard key.hasEscapes else { return ByteText.isEqual(bytes.extracting(key.range), wanted) }
        var plain: [UInt8] = []
        try append(key, to: &plain)
        return ByteText.isEqual(plain.span, wanted)
    }

    // MARK: Escapes

    /// Whether the escapes of a string are right.
    func check(_ text: Text) throws(JSONFault) {
        guard text.hasEscapes else { return }
        var position = text.range.lowerBound
        while position < text.range.upperBound { _ = try scalar(in: text.range, &position) }
    }

    /// Appends a string without its escapes, or another scalar as it is written.
    func append(_ text: Text, to output: inout [UInt8]) throws(JSONFault) {
        guard text.hasEscapes else { return output.append(copying: bytes.extracting(text.range)) }
        var position = text.range.lowerBound
        while position < text.range.upperBound {
            switch try scalar(in: text.range, &position) {
            case .byte(let byte): output.append(byte)
            case .scalar(let scalar):
                if let encoded = UTF8.encode(scalar) { output.append(contentsOf: encoded) }
            }
        }
    }

    private enum Piece {
        case byte(UInt8)
        case scalar(Unicode.Scalar)
    }

    private func scalar(in range: Range<Int>, _ position: inout Int) throws(JSONFault) -> Piece {
        let byte = bytes[position]
        position += 1
        guard byte == UInt8(ascii: "\\"), position < range.upperBound else { return .byte(byte) }
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return .byte(letter)
        case UInt8(ascii: "b"): return .byte(8)
        case UInt8(ascii: "f"): return .byte(12)
        case UInt8(ascii: "n"): return .byte(10)
        case UInt8(ascii: "r"): return .byte(13)
        case UInt8(ascii: "t"): return .byte(9)
        case UInt8(ascii: "u"): return .scalar(try unit(in: range, &position))
        default: throw JSONFault("invalid escape")
        }
    }

    /// Reads `XXXX`, and the second half of a surrogate pair; a lone half becomes U+FFFD.
    private func unit(in range: Range<Int>, _ position: inout Int) throws(JSONFault) -> Unicode.Scalar {
        guard let high = digits(in: range, at: position) else { throw JSONFault("invalid escape") }
        position += 4
        guard (0xD800...0xDBFF).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
        guard position + 1 < range.upperBound, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u"), let low = digits(in: range, at: position + 2),
            (0xDC00...0xDFFF).contains(low)
        else { return "\u{FFFD}" }
        position += 6
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    private func digits(in range: Range<Int>, at start: Int) -> UInt32? {
        guard start + 4 <= range.upperBound else { return nil }
        var value: UInt32 = 0
        for index in start..<start + 4 {
            guard let digit = Hex.value(bytes[index]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
