package struct PatternError: Error, Hashable, Sendable {
    package var message: String
}

/// A compiled regular expression in RE2's syntax.
package final class Pattern: Sendable {
    /// Must match the whole text, and `.` matches a newline: `(?s:^…$)`, as Prometheus and Loki label matchers want.
    package init(anchored source: String) throws(PatternError) {
        throw PatternError(message: "not built yet")
    }

    package func matches(_ text: String) -> Bool { false }
}
