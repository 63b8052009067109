internal import Core

/// The values of `le` and `quantile`.
enum MetricLabelText {
    /// The shortest decimal that reads back as `value`, never with an exponent: `0.005`, `1`, `+Inf` (rule T-9).
    static func plain(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        let text = value.shortestText
        guard let mark = text.firstIndex(where: { $0 == "e" }) else { return text }
        let exponent = Int(text[text.index(after: mark)...].drop { $0 == "+" }) ?? 0
        let sign = value < 0 ? "-" : ""
        let mantissa = text[..<mark].drop { $0 == "-" }.split(separator: ".")
        let digits = mantissa.joined()
        // The value is d.ddd × 10^exponent.
        if exponent < 0 {
            return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
        }
        return sign + digits + String(repeating: "0", count: max(exponent + 1 - digits.utf8.count, 0))
    }
}
