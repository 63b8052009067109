internal import Core
package import Pattern

/// A condition on one label, as in `{name="value"}`. A missing label has the empty value.
package struct LabelMatcher: Sendable, Hashable {
    package enum Operator: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case regex = "=~"
        case notRegex = "!~"
    }

    package let name: String
    package let `operator`: Operator
    package let value: String
    private let pattern: Pattern?

    /// - Throws: `PatternError` if a regular expression does not compile.
    package init(_ name: String, _ operator: Operator, _ value: String) throws(PatternError) {
        self.name = name
        self.operator = `operator`
        self.value = value
        switch `operator` {
        case .equal, .notEqual: pattern = nil
        case .regex, .notRegex: pattern = try Pattern(anchored: value)
        }
    }

    package func matches(_ text: String) -> Bool {
        switch `operator` {
        case .equal: text == value
        case .notEqual: text != value
        case .regex: pattern?.matches(text) ?? false
        case .notRegex: !(pattern?.matches(text) ?? true)
        }
    }

    /// As of the text that the bytes are.
    package func matches(_ bytes: Span<UInt8>) -> Bool {
        switch `operator` {
        case .equal: ByteText.isEqual(bytes, value)
        case .notEqual: !ByteText.isEqual(bytes, value)
        case .regex: finds(bytes)
        case .notRegex: !finds(bytes)
        }
    }

    private func finds(_ bytes: Span<UInt8>) -> Bool {
        guard let pattern else { return false }
        return bytes.isASCII ? pattern.matches(bytes) : pattern.matches(String(repairing: bytes))
    }

    package var matchesEmpty: Bool { matches("") }

    /// Whether it is one of the usual ways to accept every text that is not empty.
    package var matchesAllNonEmpty: Bool {
        switch `operator` {
        case .equal, .notRegex: false
        case .notEqual: value.isEmpty
        case .regex: value == ".+" || value == ".*"
        }
    }

    package static func == (left: LabelMatcher, right: LabelMatcher) -> Bool {
        left.name == right.name && left.operator == right.operator && left.value == right.value
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(`operator`)
        hasher.combine(value)
    }
}

extension [LabelMatcher] {
    package func matches(_ labels: Labels) -> Bool {
        allSatisfy { $0.matches(labels[$0.name]) }
    }
}
