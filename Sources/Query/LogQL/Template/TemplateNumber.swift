/// Floating-point numbers as templates print them.
enum TemplateNumber {
    /// The shortest digits that read back as the same value; with an exponent below 1e-4 and from 1e21 on.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return special(value) }
        if value == 0 { return value.sign == .minus ? "-0" : "0" }
        let (digits, point) = shortest(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if point < -3 || point > 21 { return sign + exponential(digits, point) }
        return sign + plain(digits, point)
    }

    private static func special(_ value: Double) -> String { value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }

    /// Digits without leading and trailing zeros, and how many of them stand before the point.
    private static func shortest(_ value: Double) -> (digits: [UInt8], point: Int) {
        let text = Array(value.description.utf8)
        let mark = text.firstIndex(of: UInt8(ascii: "e")) ?? text.count
        let exponent = mark < text.count ? Int(String(decoding: text[(mark + 1)...], as: UTF8.self)) ?? 0 : 0
        let whole = text[..<mark].prefix { $0 != UInt8(ascii: ".") }
        var digits = Array(text[..<mark].filter { $0 != UInt8(ascii: ".") })
        var point = whole.count + exponent
        while digits.count > 1, digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (digits, point)
    }

    private static func plain(_ digits: [UInt8], _ point: Int) -> String {
        let text = String(decoding: digits, as: UTF8.self)
        if point <= 0 { return "0." + String(repeating: "0", count: -point) + text }
        if point >= digits.count { return text + String(repeating: "0", count: point - digits.count) }
        return String(decoding: digits[..<point], as: UTF8.self) + "."
            + String(decoding: digits[point...], as: UTF8.self)
    }

    private static func exponential(_ digits: [UInt8], _ point: Int) -> String {
        let exponent = point - 1
        let fraction = digits.count > 1 ? "." + String(decoding: digits[1...], as: UTF8.self) : ""
        let power = String(exponent.magnitude)
        return String(decoding: digits[..<1], as: UTF8.self) + fraction + (exponent < 0 ? "e-" : "e+")
            + (power.utf8.count < 2 ? "0" : "") + power
    }

    /// With so many digits behind the point, rounded half to even on the decimal digits.
    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return special(value) }
        let (all, point) = shortest(value.magnitude)
        let (rounded, newPoint) = round(all, point, keeping: point + digits)
        let sign = value < 0 ? "-" : ""
        let whole = newPoint <= 0 ? "0" : text(rounded, 0..<newPoint)
        return sign + whole + (digits == 0 ? "" : "." + text(rounded, newPoint..<newPoint + digits))
    }

    static func scientific(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return special(value) }
        let (all, point) = value == 0 ? ([UInt8(ascii: "0")], 1) : shortest(value.magnitude)
        let (rounded, newPoint) = round(all, point, keeping: digits + 1)
        let exponent = newPoint - 1
        let power = String(exponent.magnitude)
        return (value < 0 ? "-" : "") + text(rounded, 0..<1) + (digits == 0 ? "" : "." + text(rounded, 1..<1 + digits))
            + (exponent < 0 ? "e-" : "e+") + (power.utf8.count < 2 ? "0" : "") + power
    }

    /// Digits at these places; zeros where there are none.
    private static func text(_ digits: [UInt8], _ places: Range<Int>) -> String {
        String(decoding: places.map { digits.indices.contains($0) ? digits[$0] : UInt8(ascii: "0") }, as: UTF8.self)
    }

    private static func round(_ digits: [UInt8], _ point: Int, keeping count: Int) -> (digits: [UInt8], point: Int) {
        guard count < digits.count else { return (digits, point) }
        guard count >= 0 else { return ([], point) }
        var kept = Array(digits[..<count])
        let next = digits[count]
        let isTie = next == UInt8(ascii: "5") && digits.count == count + 1
        let lastIsOdd = kept.last.map { $0 & 1 == 1 } ?? false
        guard next > UInt8(ascii: "5") || next == UInt8(ascii: "5") && (!isTie || lastIsOdd) else {
            return (kept, point)
        }
        var place = kept.count - 1
        while place >= 0, kept[place] == UInt8(ascii: "9") {
            kept[place] = UInt8(ascii: "0")
            place -= 1
        }
        if place >= 0 {
            kept[place] += 1
            return (kept, point)
        }
        kept.insert(UInt8(ascii: "1"), at: 0)
        return (kept, point + 1)
    }
}
