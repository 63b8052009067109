import Core
import QueryModel

extension LabelFilter {
    /// Whether the entry stays; a value that cannot be compared lets it stay and notes the error.
    ///
    /// An entry with an error passes every filter but those on texts, which may filter by the error.
    func accepts(_ entry: inout PipelineEntry) -> Bool {
        switch self {
        case .text(let matcher): return matcher.matches(entry.value(of: matcher.name) ?? "")
        case .all(let filters):
            for filter in filters where !filter.accepts(&entry) { return false }
            return true
        case .any(let filters):
            for filter in filters where filter.accepts(&entry) { return true }
            return false
        case .number, .duration, .bytes, .address:
            return entry.hasError || compares(&entry)
        }
    }

    private func compares(_ entry: inout PipelineEntry) -> Bool {
        switch self {
        case .number(let name, let comparison, let operand):
            guard let text = entry.value(of: name) else { return false }
            guard let value = Numeral.parse(text) else { return Self.fail(&entry, text, "a number") }
            return comparison.holds(value, operand)
        case .duration(let name, let comparison, let operand):
            guard let text = entry.value(of: name) else { return false }
            guard let value = Quantity.duration(text) else { return Self.fail(&entry, text, "a duration") }
            return comparison.holds(value, operand)
        case .bytes(let name, let comparison, let operand):
            guard let text = entry.value(of: name) else { return false }
            guard let value = Quantity.bytes(text) else { return Self.fail(&entry, text, "a size") }
            return comparison.holds(value, operand)
        case .address(let name, let isNegated, let range):
            guard let text = entry.value(of: name) else { return false }
            guard let isInside = range.contains(text) else { return Self.fail(&entry, text, "an address") }
            return isInside != isNegated
        case .text, .all, .any: return accepts(&entry)
        }
    }

    private static func fail(_ entry: inout PipelineEntry, _ text: String, _ kind: String) -> Bool {
        entry.fail(.labelFilter, details: "\(text.quoted) is not \(kind)")
        return true
    }
}

/// Floating-point numbers in labels.
enum Numeral {
    /// - Returns: nil if `text` is not a number from its first to its last byte.
    static func parse(_ text: String) -> Double? {
        guard let first = text.utf8.first, first > 0x20 else { return nil }
        return Double(text)
    }

    static func parse(_ text: Span<UInt8>) -> Double? {
        guard !text.isEmpty, text[0] > 0x20 else { return nil }
        return decimal(text) ?? Double(String(repairing: text))
    }

    /// Powers of ten that are exact.
    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    /// A plain decimal number whose digits fit 53 bits: then it is an integer over a power of ten, both of which are exact, so that
    /// one division rounds as reading the text does. Source: W. D. Clinger, "How to read floating point numbers accurately" (1990).
    ///
    /// - Returns: nil if it is something else.
    private static func decimal(_ text: Span<UInt8>) -> Double? {
        let isNegative = text[0] == UInt8(ascii: "-")
        var position = isNegative ? 1 : 0
        var digits = 0
        var value: UInt64 = 0
        var point: Int?
        while position < text.count {
            let byte = text[position]
            if Quantity.isDigit(byte) {
                value = value &* 10 &+ UInt64(byte &- 0x30)
                digits += 1
            } else if byte == UInt8(ascii: "."), point == nil, digits > 0 {
                point = digits
            } else {
                return nil
            }
            position += 1
        }
        guard digits > 0, digits <= 15, point != digits else { return nil }
        let magnitude = Double(value) / powers[digits - (point ?? digits)]
        return isNegative ? -magnitude : magnitude
    }
}
