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
}
