/// Numbers as PromQL writes them: decimal, with an exponent, hexadecimal, with underscores between digits.
enum NumberLiteral {
    static func parse(_ text: ArraySlice<UInt8>) -> Double? {
        guard let digits = withoutUnderscores(text), !digits.isEmpty else { return nil }
        let string = String(decoding: digits, as: UTF8.self)
        if digits.count > 1, digits[0] == UInt8(ascii: "0") {
            switch digits[1] | 0x20 {
            case UInt8(ascii: "x"): return UInt64(string.dropFirst(2), radix: 16).map { Double($0) }
            case UInt8(ascii: "o"): return UInt64(string.dropFirst(2), radix: 8).map { Double($0) }
            case UInt8(ascii: "b"): return UInt64(string.dropFirst(2), radix: 2).map { Double($0) }
            default:
                // A leading zero means octal wherever the digits allow it, as in C.
                if let octal = UInt64(string, radix: 8) { return Double(octal) }
            }
        }
        guard digits.allSatisfy({ isDecimal($0) }) else { return nil }
        return Double(string)
    }

    private static func isDecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"),
            UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// - Returns: nil if an underscore does not stand between two digits.
    private static func withoutUnderscores(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let underscore = UInt8(ascii: "_")
        let bytes = Array(text)
        guard bytes.contains(underscore) else { return bytes }
        func isHexDigit(_ byte: UInt8) -> Bool {
            Lexer.isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
        }
        for (i, byte) in bytes.enumerated() where byte == underscore {
            guard i > 0, i + 1 < bytes.count, isHexDigit(bytes[i - 1]) || bytes[i - 1] | 0x20 == UInt8(ascii: "x"),
                isHexDigit(bytes[i + 1])
            else { return nil }
        }
        return bytes.filter { $0 != underscore }
    }
}

/// Durations as PromQL writes them: `1h30m`, units in descending order, each at most once.
package enum DurationLiteral {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000),
        ("s", 1000), ("ms", 1),
    ]

    /// The longest duration: about 292 years, what 64 bits of nanoseconds hold.
    package static let longest: Int64 = 9_223_372_036_854

    /// - Returns: nil if `text` is no duration, or one that is too long.
    package static func milliseconds(_ text: some Collection<UInt8>) -> Int64? {
        var rest = text[...]
        var total: Int64 = 0
        var allowed = units[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { Lexer.isDigit($0) }
            guard let count = Int64(String(decoding: digits, as: UTF8.self)) else { return nil }
            rest = rest.dropFirst(digits.count)
            let letters = String(decoding: rest.prefix { !Lexer.isDigit($0) }, as: UTF8.self)
            guard let unit = allowed.firstIndex(where: { $0.name == letters }) else { return nil }
            rest = rest.dropFirst(letters.utf8.count)
            let (part, tooLong) = count.multipliedReportingOverflow(by: units[unit].milliseconds)
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !tooLong, !overflow, sum <= longest else { return nil }
            total = sum
            allowed = allowed[(unit + 1)...]
        }
        return total
    }

    /// The shortest writing of a duration, such as `1h30m`.
    package static func text(milliseconds: Int64) -> String {
        if milliseconds == 0 { return "0s" }
        var rest = milliseconds.magnitude
        var text = milliseconds < 0 ? "-" : ""
        for (name, size) in units {
            // Years and weeks only where nothing remains: `1w` reads well, `1y2w3d` does not.
            if (name == "y" || name == "w") && rest % UInt64(size) != 0 { continue }
            let count = rest / UInt64(size)
            if count > 0 { text += "\(count)\(name)" }
            rest %= UInt64(size)
        }
        return text
    }
}
