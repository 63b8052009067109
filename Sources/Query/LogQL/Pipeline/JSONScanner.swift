import Core

/// Walks over JSON text without building anything from it.
///
/// Numbers are handed over as they are written. Nesting is bounded, so that no line can exhaust the stack.
struct JSONScanner {
    enum Kind { case object, array, string, number, boolean, null }

    struct Malformed: Error {
        var message: String
    }

    static let deepestNesting = 64

    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(_ bytes: [UInt8], at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    private func malformed(_ what: String) -> Malformed { Malformed(message: "\(what) at byte \(position)") }

    mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// The kind of the value that begins here, behind blanks.
    mutating func kind() throws(Malformed) -> Kind {
        skipBlanks()
        guard position < bytes.count else { throw malformed("unexpected end") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw malformed("unexpected character")
        }
    }

    /// Visits an object's members; `visit` must move the scanner over the value.
    mutating func object(
        _ visit: (inout JSONScanner, ArraySlice<UInt8>) throws(Malformed) -> Void
    ) throws(Malformed) {
        skipBlanks()
        guard take(UInt8(ascii: "{")) else { throw malformed("expected an object") }
        skipBlanks()
        if take(UInt8(ascii: "}")) { return }
        while true {
            skipBlanks()
            let key = try rawString()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw malformed("expected ':'") }
            try visit(&self, key)
            skipBlanks()
            if take(UInt8(ascii: "}")) { return }
            guard take(UInt8(ascii: ",")) else { throw malformed("expected ',' or '}'") }
        }
    }

    mutating func array(_ visit: (inout JSONScanner, Int) throws(Malformed) -> Void) throws(Malformed) {
        skipBlanks()
        guard take(UInt8(ascii: "[")) else { throw malformed("expected an array") }
        skipBlanks()
        if take(UInt8(ascii: "]")) { return }
        var index = 0
        while true {
            try visit(&self, index)
            index += 1
            skipBlanks()
            if take(UInt8(ascii: "]")) { return }
            guard take(UInt8(ascii: ",")) else { throw malformed("expected ',' or ']'") }
        }
    }

    /// Moves over a value and answers its bytes.
    @discardableResult
    mutating func skip(depth: Int = 0) throws(Malformed) -> Range<Int> {
        guard depth < Self.deepestNesting else { throw malformed("nested too deeply") }
        let kind = try kind()
        let start = position
        switch kind {
        case .object:
            try object { (scanner, _) throws(Malformed) in try scanner.skip(depth: depth + 1) }
        case .array:
            try array { (scanner, _) throws(Malformed) in try scanner.skip(depth: depth + 1) }
        case .string: _ = try rawString()
        case .number: number()
        case .boolean, .null: try word()
        }
        return start..<position
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

    private mutating func word() throws(Malformed) {
        for word in ["true", "false", "null"] where ByteSearch.has(word.utf8Span.span, in: bytes.span, at: position) {
            position += word.utf8.count
            return
        }
        throw malformed("unexpected word")
    }

    /// What stands between the quotes, with its escapes.
    private mutating func rawString() throws(Malformed) -> ArraySlice<UInt8> {
        guard take(UInt8(ascii: "\"")) else { throw malformed("expected a string") }
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return bytes[start..<position - 1]
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
        position = bytes.count
        throw malformed("unterminated string")
    }

    /// A value as a label's: strings without quotes and escapes, everything else as it is written.
    mutating func text() throws(Malformed) -> String {
        if try kind() == .string { return try Self.unescaped(try rawString()) }
        return String(decoding: bytes[try skip()], as: UTF8.self)
    }

    // MARK: Escapes

    static func unescaped(_ raw: ArraySlice<UInt8>) throws(Malformed) -> String {
        guard raw.contains(UInt8(ascii: "\\")) else { return String(decoding: raw, as: UTF8.self) }
        var output: [UInt8] = []
        var position = raw.startIndex
        while position < raw.endIndex {
            let byte = raw[position]
            position += 1
            guard byte == UInt8(ascii: "\\"), position < raw.endIndex else {
                output.append(byte)
                continue
            }
            let letter = raw[position]
            position += 1
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(letter)
            case UInt8(ascii: "b"): output.append(8)
            case UInt8(ascii: "f"): output.append(12)
            case UInt8(ascii: "n"): output.append(10)
            case UInt8(ascii: "r"): output.append(13)
            case UInt8(ascii: "t"): output.append(9)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(raw, &position) else { throw Malformed(message: "invalid escape") }
                output.append(contentsOf: String(Character(scalar)).utf8)
            default: throw Malformed(message: "invalid escape")
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Reads `XXXX`, and the second half of a surrogate pair; a lone half becomes U+FFFD.
    private static func scalar(_ raw: ArraySlice<UInt8>, _ position: inout Int) -> Unicode.Scalar? {
        guard let high = unit(raw, position) else { return nil }
        position += 4
        guard (0xD800...0xDBFF).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
        guard position + 1 < raw.endIndex, raw[position] == UInt8(ascii: "\\"), raw[position + 1] == UInt8(ascii: "u"),
            let low = unit(raw, position + 2), (0xDC00...0xDFFF).contains(low)
        else { return "\u{FFFD}" }
        position += 6
        return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    }

    private static func unit(_ raw: ArraySlice<UInt8>, _ start: Int) -> UInt32? {
        guard start + 4 <= raw.endIndex else { return nil }
        var value: UInt32 = 0
        for byte in raw[start..<start + 4] {
            guard let digit = Hex.value(byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
