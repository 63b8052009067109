/// Numbers as Prometheus writes them (rule P-5).
///
/// A value is the shortest decimal that reads back as the same double, without an exponent unless |v| < 1e-6 or ≥ 1e21. Swift's
/// `description` finds the shortest digits, but lays them out by other rules: its digits are taken and laid out anew.
package enum PrometheusNumber {
    package static func format(_ value: Double) -> String {
        var output: [UInt8] = []
        append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Without an exponent, however long that is.
    package static func formatPlain(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return format(value) }
        var output: [UInt8] = value < 0 ? [UInt8(ascii: "-")] : []
        ShortestDigits(value.magnitude).appendPlain(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    package static func append(_ value: Double, to output: inout [UInt8]) {
        // 2^53: below it every integer is exact, and its digits are the shortest decimal.
        if value.magnitude < 9_007_199_254_740_992, let integer = Int64(exactly: value),
            integer != 0 || value.sign == .plus
        {
            return Decimal.append(integer, to: &output)
        }
        guard value.isFinite else {
            return output.append(contentsOf: (value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8)
        }
        if value.sign == .minus { output.append(UInt8(ascii: "-")) }
        guard value != 0 else { return output.append(UInt8(ascii: "0")) }
        let number = ShortestDigits(value.magnitude)
        if value.magnitude < 1e-6 || value.magnitude >= 1e21 {
            number.appendScientific(to: &output)
        } else {
            number.appendPlain(to: &output)
        }
    }

    /// Seconds from milliseconds: an integer, or exactly three decimals.
    package static func seconds(milliseconds: Int64) -> String {
        var output: [UInt8] = []
        appendSeconds(milliseconds: milliseconds, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    package static func appendSeconds(milliseconds: Int64, to output: inout [UInt8]) {
        let magnitude = milliseconds.magnitude
        if milliseconds < 0 { output.append(UInt8(ascii: "-")) }
        Decimal.append(magnitude / 1000, to: &output)
        let fraction = magnitude % 1000
        guard fraction != 0 else { return }
        output.append(UInt8(ascii: "."))
        for divisor: UInt64 in [100, 10, 1] {
            output.append(UInt8(ascii: "0") + UInt8(fraction / divisor % 10))
        }
    }
}

/// A positive double as 0.d₁d₂d₃… × 10^point, with as few digits as tell it from every other double.
private struct ShortestDigits {
    /// At most 17, without leading and trailing zeros.
    private var digits: [UInt8] = []
    private var point = 0

    init(_ value: Double) {
        var sawPoint = false
        var exponent = 0
        var text = Substring(value.description)
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = text[..<mark]
        }
        digits.reserveCapacity(24)
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") {
                sawPoint = true
                continue
            }
            if byte == UInt8(ascii: "0"), digits.isEmpty {
                if sawPoint { point -= 1 }
                continue
            }
            digits.append(byte)
            if !sawPoint { point += 1 }
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        point += exponent
    }

    func appendPlain(to output: inout [UInt8]) {
        let zero = UInt8(ascii: "0")
        if point <= 0 {
            output.append(contentsOf: [zero, UInt8(ascii: ".")])
            output.append(contentsOf: repeatElement(zero, count: -point))
            output.append(contentsOf: digits)
        } else if point >= digits.count {
            output.append(contentsOf: digits)
            output.append(contentsOf: repeatElement(zero, count: point - digits.count))
        } else {
            output.append(contentsOf: digits[..<point])
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: digits[point...])
        }
    }

    func appendScientific(to output: inout [UInt8]) {
        output.append(digits[0])
        if digits.count > 1 {
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: digits[1...])
        }
        let exponent = point - 1
        output.append(contentsOf: [UInt8(ascii: "e"), UInt8(ascii: exponent < 0 ? "-" : "+")])
        if exponent.magnitude < 10 { output.append(UInt8(ascii: "0")) }
        Decimal.append(UInt64(exponent.magnitude), to: &output)
    }
}
