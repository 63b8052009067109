/// The textual form of an attribute's value, which searches compare and labels show (rules J-9, T-6, M-5).
///
/// A string is itself, a boolean `true` or `false`, an integer decimal, a double the shortest decimal that reads back as the
/// same double, bytes base64, and an array or a map JSON with a map's keys in order. Nothing is the empty text.
extension AttributeValue {
    package var text: String {
        switch self {
        case .empty: return ""
        case .string(let text): return text
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let integer): return String(integer)
        case .double(let double): return double.shortestText
        case .bytes(let bytes): return Base64.encode(bytes)
        case .array, .map:
            var json = ""
            appendJSON(to: &json)
            return json
        }
    }

    private func appendJSON(to json: inout String) {
        switch self {
        case .empty: json += "null"
        case .string(let text): Self.appendQuoted(text, to: &json)
        case .bool, .int: json += text
        case .double(let double):
            if double.isFinite {
                json += double.shortestText
            } else {
                Self.appendQuoted(double.shortestText, to: &json)
            }
        case .bytes(let bytes): Self.appendQuoted(Base64.encode(bytes), to: &json)
        case .array(let elements):
            json += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { json += "," }
                element.appendJSON(to: &json)
            }
            json += "]"
        case .map(let members):
            json += "{"
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { json += "," }
                Self.appendQuoted(member.key, to: &json)
                json += ":"
                member.value.appendJSON(to: &json)
            }
            json += "}"
        }
    }

    private static func appendQuoted(_ text: String, to json: inout String) {
        json += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\r": json += "\\r"
            case "\t": json += "\\t"
            case "\u{0}"..<"\u{20}":
                json += scalar.value < 16 ? "\\u000" : "\\u00"
                json += String(scalar.value, radix: 16)
            default: json.unicodeScalars.append(scalar)
            }
        }
        json += "\""
    }
}

extension Double {
    /// The fewest digits that read back as the same double: plain from 1e-6 up to 1e21, with an exponent outside;
    /// `NaN`, `Infinity`, `-Infinity` for what has no digits.
    package var shortestText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Infinity" : "Infinity" }
        if self == 0 { return sign == .minus ? "-0" : "0" }
        // Swift's description has the right digits; only their layout differs.
        let parts = magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        var digits = String(mantissa[0])
        // The value is 0.digits × 10^point.
        var point = digits.utf8.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        if mantissa.count > 1 { digits += mantissa[1] }
        while digits.hasPrefix("0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.hasSuffix("0") { digits.removeLast() }
        return (self < 0 ? "-" : "") + Self.layOut(digits, point: point)
    }

    private static func layOut(_ digits: String, point: Int) -> String {
        let count = digits.utf8.count
        switch point {
        case -5...0:
            return "0." + String(repeating: "0", count: -point) + digits
        case 1...21:
            if point >= count { return digits + String(repeating: "0", count: point - count) }
            return digits.prefix(point) + "." + digits.dropFirst(point)
        default:
            let exponent = point - 1
            let fraction = count > 1 ? "." + digits.dropFirst() : ""
            return digits.prefix(1) + fraction + (exponent < 0 ? "e-" : "e+") + String(exponent.magnitude)
        }
    }
}
