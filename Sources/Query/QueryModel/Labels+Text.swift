/// Labels as error messages and logs print them: `{a="b", c="d"}`.
extension Labels {
    /// The name of the label that holds a metric's name.
    package static let metricName = "__name__"

    package var metricName: String { self[Self.metricName] }

    package var withoutMetricName: Labels {
        pairs.contains { $0.name == Self.metricName } ? removing([Self.metricName]) : self
    }

    package var text: String {
        let parts = pairs.map { label in
            let name = Self.isPlainName(label.name) ? label.name : QuotedText.quote(label.name)
            return "\(name)=\(QuotedText.quote(label.value))"
        }
        return "{" + parts.joined(separator: ", ") + "}"
    }

    /// Whether a label's name needs no quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
    package static func isPlainName(_ name: String) -> Bool {
        var isFirst = true
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"): if isFirst { return false }
            default: return false
            }
            isFirst = false
        }
        return !isFirst
    }
}

/// Text in double quotes, with the escapes that both query languages read.
package enum QuotedText {
    package static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\x" + hexadecimal(UInt8(scalar.value))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
}
