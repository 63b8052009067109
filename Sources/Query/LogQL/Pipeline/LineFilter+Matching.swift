import Pattern
import QueryModel

extension LineFilter {
    func accepts(_ line: String) -> Bool { accepts(line.utf8Span.span) }

    func accepts(_ line: Span<UInt8>) -> Bool {
        for needle in needles where Self.occurs(needle, in: line) { return !isNegated }
        return isNegated
    }

    private static func occurs(_ needle: Needle, in line: Span<UInt8>) -> Bool {
        switch needle {
        case .text(let text): ByteSearch.first(text.utf8Span.span, in: line) != nil
        case .regex(let pattern): pattern.pattern.matches(line)
        case .shape(let shape): shape.fits(line)
        case .address(let range): range.occurs(in: line)
        }
    }

    /// The filter as a source understands it, if a source can apply all of it.
    var predicate: LinePredicate? {
        var texts: [String] = []
        var patterns: [Pattern] = []
        for needle in needles {
            switch needle {
            case .text(let text): texts.append(text)
            case .regex(let pattern): patterns.append(pattern.pattern)
            case .shape, .address: return nil
            }
        }
        if patterns.isEmpty { return isNegated ? .lacks(allOf: texts) : .contains(anyOf: texts) }
        guard texts.isEmpty else { return nil }
        return isNegated ? .mismatches(allOf: patterns) : .matches(anyOf: patterns)
    }

    /// Conditions that every accepted line meets, though meeting them does not suffice.
    var necessaryPredicates: [LinePredicate] {
        guard !isNegated, needles.count == 1, case .shape(let shape) = needles[0] else { return [] }
        return shape.literals.map { .contains(anyOf: [String(decoding: $0, as: UTF8.self)]) }
    }
}
