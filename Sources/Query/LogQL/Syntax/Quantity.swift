import Core

/// Durations and sizes as LogQL writes them: `1h30m`, `1.5s`, `20kB`, `1.5MiB`.
package enum Quantity {
    /// Nanoseconds of a duration: one or more decimal numbers, each with a unit out of `ns us µs ms s m h d w y`.
    ///
    /// - Returns: nil if `text` is no duration, or a longer one than 64 bits of nanoseconds can say.
    package static func duration(_ text: some StringProtocol) -> Int64? { duration(String(text).utf8Span.span) }

    static func duration(_ text: Span<UInt8>) -> Int64? {
        guard !text.isEmpty else { return nil }
        let isNegative = text[0] == UInt8(ascii: "-")
        var position = isNegative || text[0] == UInt8(ascii: "+") ? 1 : 0
        if text.count - position == 1, text[position] == UInt8(ascii: "0") { return 0 }
        guard position < text.count else { return nil }
        var total: Int64 = 0
        while position < text.count {
            guard let part = leadingDecimal(text, &position) else { return nil }
            let start = position
            while position < text.count, !isDigit(text[position]), text[position] != UInt8(ascii: ".") { position += 1 }
            guard let scale = nanoseconds(of: text.extracting(start..<position)), let scaled = part.scaled(by: scale)
            else {
                return nil
            }
            let (sum, overflow) = total.addingReportingOverflow(scaled)
            if overflow { return nil }
            total = sum
        }
        return isNegative ? -total : total
    }

    /// Bytes of a size: a decimal number and a unit, in any case, decimal (`kB`) or binary (`KiB`).
    package static func bytes(_ text: some StringProtocol) -> UInt64? { bytes(String(text).utf8Span.span) }

    static func bytes(_ text: Span<UInt8>) -> UInt64? {
        var position = 0
        guard let number = leadingDecimal(text, &position) else { return nil }
        while position < text.count, text[position] == UInt8(ascii: " ") { position += 1 }
        guard let scale = bytes(ofUnit: text.extracting(position..<text.count)), let scaled = number.scaled(by: scale)
        else {
            return nil
        }
        return UInt64(scaled)
    }

    private static func nanoseconds(of unit: Span<UInt8>) -> Int64? {
        let second: Int64 = 1_000_000_000
        switch unit.count {
        case 1:
            switch unit[0] {
            case UInt8(ascii: "s"): return second
            case UInt8(ascii: "m"): return 60 * second
            case UInt8(ascii: "h"): return 3_600 * second
            case UInt8(ascii: "d"): return 86_400 * second
            case UInt8(ascii: "w"): return 7 * 86_400 * second
            case UInt8(ascii: "y"): return 365 * 86_400 * second
            default: return nil
            }
        case 2 where unit[1] == UInt8(ascii: "s"):
            switch unit[0] {
            case UInt8(ascii: "n"): return 1
            case UInt8(ascii: "u"): return 1_000
            case UInt8(ascii: "m"): return 1_000_000
            default: return nil
            }
        case 3 where unit[2] == UInt8(ascii: "s"):
            // The micro sign and the Greek letter.
            let isMicro = unit[0] == 0xC2 && unit[1] == 0xB5 || unit[0] == 0xCE && unit[1] == 0xBC
            return isMicro ? 1_000 : nil
        default: return nil
        }
    }

    private static func bytes(ofUnit unit: Span<UInt8>) -> Int64? {
        func letter(_ index: Int) -> UInt8 { unit[index] | 0x20 }
        if unit.isEmpty || unit.count == 1 && letter(0) == UInt8(ascii: "b") { return 1 }
        guard let power = prefixes.firstIndex(of: letter(0)) else { return nil }
        let base: Int64
        switch unit.count {
        case 1: base = 1_000
        case 2 where letter(1) == UInt8(ascii: "b"): base = 1_000
        case 2 where letter(1) == UInt8(ascii: "i"): base = 1_024
        case 3 where letter(1) == UInt8(ascii: "i") && letter(2) == UInt8(ascii: "b"): base = 1_024
        default: return nil
        }
        return (0...power).reduce(1) { value, _ in value * base }
    }

    private static let prefixes = Array("kmgtpe".utf8)

    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// A non-negative decimal number: its digits before the point, and those behind it as a fraction.
    private struct Decimal {
        var whole: Int64
        var fraction: Double

        func scaled(by scale: Int64) -> Int64? {
            let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
            if overflow { return nil }
            let (sum, carry) = product.addingReportingOverflow(Int64(fraction * Double(scale)))
            return carry ? nil : sum
        }
    }

    private static func leadingDecimal(_ text: Span<UInt8>, _ position: inout Int) -> Decimal? {
        var number = Decimal(whole: 0, fraction: 0)
        var digits = 0
        while position < text.count, isDigit(text[position]) {
            let (tens, overflow) = number.whole.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.addingReportingOverflow(Int64(text[position] - 0x30))
            if overflow || carry { return nil }
            number.whole = next
            digits += 1
            position += 1
        }
        guard position < text.count, text[position] == UInt8(ascii: ".") else { return digits > 0 ? number : nil }
        position += 1
        var weight = 0.1
        while position < text.count, isDigit(text[position]) {
            number.fraction += Double(text[position] - 0x30) * weight
            weight /= 10
            digits += 1
            position += 1
        }
        return digits > 0 ? number : nil
    }
}
