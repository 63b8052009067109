/// Durations and sizes as LogQL writes them: `1h30m`, `1.5s`, `20kB`, `1.5MiB`.
package enum Quantity {
    /// Nanoseconds of a duration: one or more decimal numbers, each with a unit out of `ns us µs ms s m h d w y`.
    ///
    /// - Returns: nil if `text` is no duration, or a longer one than 64 bits of nanoseconds can say.
    package static func duration(_ text: some StringProtocol) -> Int64? {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        if rest.elementsEqual("0".utf8) { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let part = leadingDecimal(&rest) else { return nil }
            let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
            guard let scale = nanoseconds(of: unit), let scaled = part.scaled(by: scale) else { return nil }
            rest = rest.dropFirst(unit.count)
            let (sum, overflow) = total.addingReportingOverflow(scaled)
            if overflow { return nil }
            total = sum
        }
        return isNegative ? -total : total
    }

    /// Bytes of a size: a decimal number and a unit, in any case, decimal (`kB`) or binary (`KiB`).
    package static func bytes(_ text: some StringProtocol) -> UInt64? {
        var rest = Array(text.utf8)[...]
        guard let number = leadingDecimal(&rest) else { return nil }
        let unit = rest.drop { $0 == UInt8(ascii: " ") }.map { $0 | 0x20 }
        guard let scale = bytes(ofUnit: unit), let scaled = number.scaled(by: scale) else { return nil }
        return UInt64(scaled)
    }

    private static func nanoseconds(of unit: some Sequence<UInt8>) -> Int64? {
        let second: Int64 = 1_000_000_000
        switch String(decoding: Array(unit), as: UTF8.self) {
        case "ns": return 1
        case "us", "\u{B5}s", "\u{3BC}s": return 1_000
        case "ms": return 1_000_000
        case "s": return second
        case "m": return 60 * second
        case "h": return 3_600 * second
        case "d": return 86_400 * second
        case "w": return 7 * 86_400 * second
        case "y": return 365 * 86_400 * second
        default: return nil
        }
    }

    private static func bytes(ofUnit unit: [UInt8]) -> Int64? {
        if unit.isEmpty || unit == [UInt8(ascii: "b")] { return 1 }
        guard let power = Array("kmgtpe".utf8).firstIndex(of: unit[0]) else { return nil }
        let base: Int64
        switch String(decoding: unit.dropFirst(), as: UTF8.self) {
        case "", "b": base = 1_000
        case "i", "ib": base = 1_024
        default: return nil
        }
        return (0...power).reduce(1) { value, _ in value * base }
    }

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

    private static func leadingDecimal(_ rest: inout ArraySlice<UInt8>) -> Decimal? {
        var number = Decimal(whole: 0, fraction: 0)
        var digits = 0
        while let byte = rest.first, isDigit(byte) {
            let (tens, overflow) = number.whole.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.addingReportingOverflow(Int64(byte - 0x30))
            if overflow || carry { return nil }
            number.whole = next
            digits += 1
            rest = rest.dropFirst()
        }
        guard rest.first == UInt8(ascii: ".") else { return digits > 0 ? number : nil }
        rest = rest.dropFirst()
        var weight = 0.1
        while let byte = rest.first, isDigit(byte) {
            number.fraction += Double(byte - 0x30) * weight
            weight /= 10
            digits += 1
            rest = rest.dropFirst()
        }
        return digits > 0 ? number : nil
    }
}
