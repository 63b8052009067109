/// Reads JSON text token by token, strictly after RFC 8259, without a tree and without copies.
///
/// Strings and numbers are handed out as they stand in the text: whoever needs them decodes them. Two liberties are taken with
/// text, since neither can be misread and senders do both: bytes that are not UTF-8 and lone surrogates become U+FFFD.
/// The memory that is read must outlive the reader; nothing in it makes the reader trap or read beyond its end.
package struct JSONReader {
    /// A piece of the text: a string's inside, still escaped, or a number.
    package struct Slice: Hashable, Sendable {
        package var range: Range<Int>
        /// Whether a string needs unescaping.
        package var hasEscapes: Bool
    }

    package enum Token: Hashable, Sendable {
        case beginObject
        case endObject
        case beginArray
        case endArray
        case key(Slice)
        case string(Slice)
        /// Of valid grammar, and of any size.
        case number(Slice)
        case bool(Bool)
        case null
        /// The value is complete, and nothing follows it.
        case end
    }

    private enum Expectation { case value, valueOrEnd, key, keyOrEnd, commaOrEnd, nothing }

    /// The deepest nesting that is allowed unless a caller asks for more or less.
    package static let usualDepth = 128
    /// The deepest nesting that a reader can be asked to allow: OTLP nests four levels of JSON for one of its values.
    package static let deepest = 512

    private let text: UnsafeRawBufferPointer
    private let maximumDepth: Int
    package private(set) var offset = 0
    private var depth = 0
    /// Bit i tells whether level i, counted from the innermost, is an object.
    private var levels: UInt128 = 0
    /// The levels further out, 128 to an element; the last element is the innermost of them.
    private var outerLevels: [UInt128] = []
    private var expectation = Expectation.value

    package init(_ text: UnsafeRawBufferPointer, maximumDepth: Int = usualDepth) {
        self.text = text
        self.maximumDepth = min(maximumDepth, Self.deepest)
    }

    package mutating func next() throws(JSONError) -> Token {
        skipSpace()
        switch expectation {
        case .nothing:
            guard offset == text.count else { throw JSONError(.textAfterValue, at: offset) }
            return .end
        case .value, .valueOrEnd:
            return try value(mayEnd: expectation == .valueOrEnd)
        case .key, .keyOrEnd:
            return try key(mayEnd: expectation == .keyOrEnd)
        case .commaOrEnd:
            let inObject = levels & 1 == 1
            let byte = try peek()
            if byte == UInt8(ascii: ",") {
                offset += 1
                expectation = inObject ? .key : .value
                return try next()
            }
            guard byte == UInt8(ascii: inObject ? "}" : "]") else { throw JSONError(.unexpectedByte(byte), at: offset) }
            return close(inObject ? .endObject : .endArray)
        }
    }

    /// Skips the rest of the value that `token` began.
    package mutating func skip(_ token: Token) throws(JSONError) {
        guard token == .beginObject || token == .beginArray else { return }
        let outer = depth - 1
        while depth > outer { _ = try next() }
    }

    // MARK: Tokens

    private mutating func value(mayEnd: Bool) throws(JSONError) -> Token {
        let byte = try peek()
        switch byte {
        case UInt8(ascii: "{"):
            try open(isObject: true)
            return .beginObject
        case UInt8(ascii: "["):
            try open(isObject: false)
            return .beginArray
        case UInt8(ascii: "]") where mayEnd:
            return close(.endArray)
        case UInt8(ascii: "\""):
            let slice = try quoted()
            finishValue()
            return .string(slice)
        case UInt8(ascii: "-"), 0x30...0x39:
            let slice = try number()
            finishValue()
            return .number(slice)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw JSONError(.unexpectedByte(byte), at: offset)
        }
    }

    private mutating func key(mayEnd: Bool) throws(JSONError) -> Token {
        let byte = try peek()
        if byte == UInt8(ascii: "}"), mayEnd { return close(.endObject) }
        guard byte == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte(byte), at: offset) }
        let slice = try quoted()
        skipSpace()
        let colon = try peek()
        guard colon == UInt8(ascii: ":") else { throw JSONError(.unexpectedByte(colon), at: offset) }
        offset += 1
        expectation = .value
        return .key(slice)
    }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard depth < maximumDepth else { throw JSONError(.tooDeep(limit: maximumDepth), at: offset) }
        if depth > 0, depth.isMultiple(of: UInt128.bitWidth) { outerLevels.append(levels) }
        depth += 1
        levels = levels << 1 | (isObject ? 1 : 0)
        offset += 1
        expectation = isObject ? .keyOrEnd : .valueOrEnd
    }

    private mutating func close(_ token: Token) -> Token {
        offset += 1
        depth -= 1
        levels >>= 1
        if depth.isMultiple(of: UInt128.bitWidth), let outer = outerLevels.popLast() { levels = outer }
        finishValue()
        return token
    }

    private mutating func finishValue() { expectation = depth == 0 ? .nothing : .commaOrEnd }

    private mutating func word(_ word: StaticString, _ token: Token) throws(JSONError) -> Token {
        for i in 0..<word.utf8CodeUnitCount {
            let byte = try peek()
            guard byte == word.utf8Start[i] else { throw JSONError(.unexpectedByte(byte), at: offset) }
            offset += 1
        }
        finishValue()
        return token
    }

    private mutating func quoted() throws(JSONError) -> Slice {
        let start = offset + 1
        var position = start
        var hasEscapes = false
        while true {
            position = JSONEscaping.plainRun(text, from: position)
            guard position < text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
            switch text[position] {
            case UInt8(ascii: "\""):
                offset = position + 1
                return Slice(range: start..<position, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                position += try escapeLength(at: position)
            case 0x80...:
                position += 1
            default:
                throw JSONError(.controlCharacter, at: position)
            }
        }
    }

    private func escapeLength(at position: Int) throws(JSONError) -> Int {
        guard position + 1 < text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
        switch text[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard position + 5 < text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
            guard JSONText.hexQuad(text, at: position + 2) != nil else { throw JSONError(.invalidEscape, at: position) }
            return 6
        default:
            throw JSONError(.invalidEscape, at: position)
        }
    }

    private mutating func number() throws(JSONError) -> Slice {
        let start = offset
        if text[offset] == UInt8(ascii: "-") { offset += 1 }
        let firstDigit = offset
        try digits()
        if text[firstDigit] == UInt8(ascii: "0"), offset > firstDigit + 1 {
            throw JSONError(.invalidNumber, at: start)
        }
        if offset < text.count, text[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if offset < text.count, text[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < text.count, text[offset] == UInt8(ascii: "+") || text[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            try digits()
        }
        return Slice(range: start..<offset, hasEscapes: false)
    }

    private mutating func digits() throws(JSONError) {
        let start = offset
        while offset < text.count, (0x30...0x39).contains(text[offset]) { offset &+= 1 }
        guard offset > start else { throw JSONError(offset < text.count ? .invalidNumber : .unexpectedEnd, at: offset) }
    }

    // MARK: Bytes

    private mutating func skipSpace() {
        while offset < text.count {
            let byte = text[offset]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            offset &+= 1
        }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard offset < text.count else { throw JSONError(.unexpectedEnd, at: text.count) }
        return text[offset]
    }
}

/// What slices stand for.
extension JSONReader {
    /// The bytes of a slice as they stand in the text.
    package func rawBytes(_ slice: Slice) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[slice.range])
    }

    /// A string's or key's text, unescaped; of a number its digits as they were sent.
    package func string(_ slice: Slice) -> String {
        let bytes = rawBytes(slice)
        guard slice.hasEscapes else { return String(decoding: bytes, as: UTF8.self) }
        var output: [UInt8] = []
        JSONText.unescape(bytes, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// A string's bytes, unescaped, appended to `output`. Bytes that are not UTF-8 are left as they are.
    package func appendBytes(of slice: Slice, to output: inout [UInt8]) {
        let bytes = rawBytes(slice)
        guard slice.hasEscapes else { return output.append(contentsOf: bytes) }
        JSONText.unescape(bytes, into: &output)
    }
}

/// The escapes of a JSON string, undone.
enum JSONText {
    /// - Parameter bytes: a string's inside, whose escapes are valid.
    static func unescape(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var position = 0
        while position < bytes.count {
            var end = position
            while end < bytes.count, bytes[end] != UInt8(ascii: "\\") { end &+= 1 }
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
            guard end + 1 < bytes.count else { return }
            position = end + 2
            switch bytes[end + 1] {
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "u"): position += appendUnit(bytes, at: position, to: &output)
            case let other: output.append(other)
            }
        }
    }

    /// Appends what the four digits at `position` stand for, together with a low surrogate behind a high one.
    ///
    /// - Returns: the number of bytes read.
    private static func appendUnit(
        _ bytes: UnsafeRawBufferPointer, at position: Int, to output: inout [UInt8]
    ) -> Int {
        guard let unit = hexQuad(bytes, at: position) else { return 0 }
        if let scalar = UnicodeScalar(UInt32(unit)) {
            output.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            return 4
        }
        if unit < 0xDC00, position + 9 < bytes.count, bytes[position + 4] == UInt8(ascii: "\\"),
            bytes[position + 5] == UInt8(ascii: "u"), let low = hexQuad(bytes, at: position + 6),
            (0xDC00...0xDFFF).contains(low),
            let scalar = UnicodeScalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        {
            output.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            return 10
        }
        output.append(contentsOf: [0xEF, 0xBF, 0xBD])
        return 4
    }

    static func hexQuad(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 4 <= bytes.count else { return nil }
        var unit: UInt16 = 0
        for i in position..<position + 4 {
            switch bytes[i] {
            case 0x30...0x39: unit = unit << 4 | UInt16(bytes[i] - 0x30)
            case 0x61...0x66: unit = unit << 4 | UInt16(bytes[i] - 0x57)
            case 0x41...0x46: unit = unit << 4 | UInt16(bytes[i] - 0x37)
            default: return nil
            }
        }
        return unit
    }
}
