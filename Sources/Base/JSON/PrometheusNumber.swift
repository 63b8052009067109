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
        ShortestDigits.with(value.magnitude) { $0.appendPlain(to: &output) }
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
        let isScientific = value.magnitude < 1e-6 || value.magnitude >= 1e21
        ShortestDigits.with(value.magnitude) { digits in
            if isScientific { digits.appendScientific(to: &output) } else { digits.appendPlain(to: &output) }
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
    /// 1 to 17, without leading and trailing zeros.
    private var digits: UnsafeBufferPointer<UInt8>
    private var point: Int

    /// Hands `body` the digits, which live no longer than the call.
    static func with(_ value: Double, _ body: (ShortestDigits) -> Void) {
        var text = value.description
        text.withUTF8 { text in
            // A description has 24 characters at most, of which 17 are digits that count and two zeros around a point.
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { room in
                body(read(text, into: room))
            }
        }
    }

    private static func read(
        _ text: UnsafeBufferPointer<UInt8>, into room: UnsafeMutableBufferPointer<UInt8>
    ) -> ShortestDigits {
        var count = 0
        var point = 0
        var sawPoint = false
        var position = 0
        while position < text.count, text[position] != UInt8(ascii: "e") {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: ".") {
                sawPoint = true
            } else if byte == UInt8(ascii: "0"), count == 0 {
                if sawPoint { point -= 1 }
            } else if count < room.count {
                room[count] = byte
                count += 1
                if !sawPoint { point += 1 }
            }
        }
        while count > 0, room[count - 1] == UInt8(ascii: "0") { count -= 1 }
        let exponent = exponent(text[position...])
        return ShortestDigits(digits: UnsafeBufferPointer(rebasing: room[..<count]), point: point + exponent)
    }

    /// Of `e-07`, -7; of nothing, zero.
    private static func exponent(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
        var value = 0
        for byte in text where (0x30...0x39).contains(byte) { value = value * 10 + Int(byte) - 0x30 }
        return text.contains(UInt8(ascii: "-")) ? -value : value
    }

    func appendPlain(to output: inout [UInt8]) {
        let zero = UInt8(ascii: "0")
        if point <= 0 {
            output.append(zero)
            output.append(UInt8(ascii: "."))
            for _ in 0..<(-point) { output.append(zero) }
            output.append(contentsOf: digits)
        } else if point >= digits.count {
            output.append(contentsOf: digits)
            for _ in 0..<(point - digits.count) { output.append(zero) }
        } else {
            output.append(contentsOf: UnsafeBufferPointer(rebasing: digits[..<point]))
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: UnsafeBufferPointer(rebasing: digits[point...]))
        }
    }

    func appendScientific(to output: inout [UInt8]) {
        output.append(digits[0])
        if digits.count > 1 {
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: UnsafeBufferPointer(rebasing: digits[1...]))
        }
        let exponent = point - 1
        output.append(UInt8(ascii: "e"))
        output.append(UInt8(ascii: exponent < 0 ? "-" : "+"))
        if exponent.magnitude < 10 { output.append(UInt8(ascii: "0")) }
        Decimal.append(UInt64(exponent.magnitude), to: &output)
    }
}
