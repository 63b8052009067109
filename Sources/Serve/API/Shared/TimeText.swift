package import Core

/// Times as clients write them. What lies outside the representable range is clamped to it (rule G-1); nil is what cannot be read.
package enum TimeText {
    /// Decimal seconds, or RFC 3339; in whole milliseconds (rule P-4).
    package static func prometheus(_ text: String) -> Timestamp? {
        // What client libraries send for "no bound"; no calendar of ours reaches those years.
        if text == "-292273086-05-16T16:47:06Z" { return .min }
        if text == "292277025-08-18T07:12:54.999999999Z" { return .max }
        if let seconds = DecimalText.double(text) { return fromSeconds(seconds) }
        guard let timestamp = rfc3339(text) else { return nil }
        return timestamp == .min || timestamp == .max ? timestamp : Timestamp(milliseconds: timestamp.milliseconds)
    }

    /// A number with a point is seconds; one of at most ten characters too; a longer one nanoseconds; else RFC 3339 (rule L-1).
    package static func loki(_ text: String) -> Timestamp? {
        if text.utf8.contains(UInt8(ascii: ".")), let seconds = DecimalText.double(text) { return fromSeconds(seconds) }
        if let number = DecimalText.clampedInteger(text) {
            guard text.utf8.count <= 10 else { return Timestamp(nanoseconds: number) }
            return Timestamp(milliseconds: number * 1000)
        }
        return rfc3339(text)
    }

    /// Seconds, rounded to milliseconds.
    private static func fromSeconds(_ seconds: Double) -> Timestamp? {
        guard !seconds.isNaN else { return nil }
        let milliseconds = (seconds * 1000).rounded()
        if milliseconds >= 9_223_372_036_854 { return .max }
        if milliseconds <= -9_223_372_036_854 { return .min }
        return Timestamp(milliseconds: Int64(milliseconds))
    }

    /// `2026-01-02T03:04:05.678Z`, with any number of decimals, of which nine count, and with `Z` or an offset.
    package static func rfc3339(_ text: String) -> Timestamp? {
        var scanner = DigitScanner(text)
        guard let year = scanner.number(digits: 4), scanner.skip("-"),
            let month = scanner.number(digits: 2), scanner.skip("-"),
            let dayOfMonth = scanner.number(digits: 2),
            let day = CivilDay(year: year, month: month, dayOfMonth: dayOfMonth),
            scanner.skip("T") || scanner.skip("t"),
            let hour = scanner.number(digits: 2), hour < 24, scanner.skip(":"),
            let minute = scanner.number(digits: 2), minute < 60, scanner.skip(":"),
            let second = scanner.number(digits: 2), second < 60
        else { return nil }
        var nanoseconds = 0
        if scanner.skip(".") {
            guard let fraction = scanner.fraction() else { return nil }
            nanoseconds = fraction
        }
        guard let offset = offset(&scanner), scanner.isAtEnd else { return nil }
        let seconds = day.daysSinceEpoch * 86400 + hour * 3600 + minute * 60 + second - offset
        let (whole, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return Timestamp(nanoseconds: whole).advanced(by: Int64(nanoseconds))
    }

    /// Seconds east of UTC.
    private static func offset(_ scanner: inout DigitScanner) -> Int? {
        if scanner.skip("Z") || scanner.skip("z") { return 0 }
        let isEast = scanner.skip("+")
        guard isEast || scanner.skip("-"), let hours = scanner.number(digits: 2), hours < 24, scanner.skip(":"),
            let minutes = scanner.number(digits: 2), minutes < 60
        else { return nil }
        return (isEast ? 1 : -1) * (hours * 3600 + minutes * 60)
    }
}

/// Reads digits and marks one after the other.
struct DigitScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ mark: Unicode.Scalar) -> Bool {
        guard position < bytes.count, UInt32(bytes[position]) == mark.value else { return false }
        position += 1
        return true
    }

    /// A number of exactly that many digits.
    mutating func number(digits: Int) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = nextDigit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// Nanoseconds from decimals; those beyond the ninth are dropped.
    mutating func fraction() -> Int? {
        var value = 0
        var count = 0
        while let digit = nextDigit() {
            if count < 9 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in 0..<max(0, 9 - count) { value *= 10 }
        return value
    }

    private mutating func nextDigit() -> Int? {
        guard position < bytes.count, (0x30...0x39).contains(bytes[position]) else { return nil }
        position += 1
        return Int(bytes[position - 1]) - 0x30
    }
}

/// Plain decimal numbers: what a language's own reader would also take (`inf`, `0x1p3`, `nan`) is not one.
package enum DecimalText {
    /// A sign, digits with a point, and an exponent; infinite if it is beyond the doubles.
    package static func double(_ text: String) -> Double? {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || byte == 0x2E || byte == 0x2B || byte == 0x2D || byte | 0x20 == 0x65
        }
        guard isPlain, text.utf8.contains(where: { (0x30...0x39).contains($0) }) else { return nil }
        return Double(text)
    }

    /// An integer with a sign, clamped to 64 bits.
    package static func clampedInteger(_ text: String) -> Int64? {
        let digits = text.utf8.first == 0x2D || text.utf8.first == 0x2B ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text) ?? (text.utf8.first == 0x2D ? .min : .max)
    }

    /// An integer that fits; nil for anything else.
    package static func integer(_ text: String) -> Int? { Int(text) }
}
