/// Matching of bytes whose bounds the compiler checks.
extension Pattern {
    package func matches(_ bytes: Span<UInt8>) -> Bool {
        bytes.withUnsafeBytes { matches($0) }
    }

    /// Hands over the groups of the first match by number, the whole of it first; nil for a group that took no part.
    package func forEachGroup(in bytes: Span<UInt8>, _ visit: (Int, Range<Int>?) -> Void) {
        bytes.withUnsafeBytes { text in
            guard let match = firstMatch(in: text) else { return }
            for (group, range) in match.enumerated() { visit(group, range) }
        }
    }
}
