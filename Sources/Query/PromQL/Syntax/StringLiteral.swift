import QueryModel

/// Reads a string in double, single or back quotes (rules of §3.1). Back-quoted ones have no escapes, and may span lines.
struct StringLiteral {
    let text: [UInt8]
    /// At the opening quote before `scan`, behind the closing one after it.
    var offset: Int

    mutating func scan() throws(SyntaxFailure) -> String {
        let start = offset
        let quote = text[offset]
        let isRaw = quote == UInt8(ascii: "`")
        offset += 1
        var bytes: [UInt8] = []
        while offset < text.count {
            let byte = text[offset]
            offset += 1
            if byte == quote { return String(decoding: bytes, as: UTF8.self) }
            if isRaw {
                bytes.append(byte)
            } else if byte == UInt8(ascii: "\n") {
                break
            } else if byte == UInt8(ascii: "\\") {
                try scanEscape(into: &bytes, quote: quote, start: start)
            } else {
                bytes.append(byte)
            }
        }
        throw SyntaxFailure(at: start, isRaw ? "unterminated raw string" : "unterminated quoted string")
    }

    private mutating func scanEscape(
        into bytes: inout [UInt8], quote: UInt8, start: Int
    ) throws(SyntaxFailure) {
        guard offset < text.count else {
            throw SyntaxFailure(at: start, "escape sequence not terminated")
        }
        let letter = text[offset]
        offset += 1
        switch letter {
        case UInt8(ascii: "a"): bytes.append(0x07)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "v"): bytes.append(0x0B)
        case UInt8(ascii: "\\"), quote: bytes.append(letter)
        case UInt8(ascii: "x"):
            bytes.append(UInt8(truncatingIfNeeded: try scanDigits(2, radix: 16, start: start)))
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            offset -= 1
            let value = try scanDigits(3, radix: 8, start: start)
            guard value <= 0xFF else {
                throw SyntaxFailure(at: start, "escape sequence is an invalid Unicode code point")
            }
            bytes.append(UInt8(value))
        case UInt8(ascii: "u"): try appendScalar(scanDigits(4, radix: 16, start: start), to: &bytes, start: start)
        case UInt8(ascii: "U"): try appendScalar(scanDigits(8, radix: 16, start: start), to: &bytes, start: start)
        default:
            let found = String(decoding: [letter], as: UTF8.self)
            throw SyntaxFailure(at: start, "unknown escape sequence '\(found)'")
        }
    }

    private func appendScalar(_ value: UInt32, to bytes: inout [UInt8], start: Int) throws(SyntaxFailure) {
        guard let scalar = Unicode.Scalar(value) else {
            throw SyntaxFailure(at: start, "escape sequence is an invalid Unicode code point")
        }
        bytes += Array(String(Character(scalar)).utf8)
    }

    private mutating func scanDigits(_ count: Int, radix: Int, start: Int) throws(SyntaxFailure) -> UInt32 {
        let digits = text[offset...].prefix(count)
        guard digits.count == count, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: radix)
        else { throw SyntaxFailure(at: start, "illegal character in escape sequence") }
        offset += count
        return value
    }
}
