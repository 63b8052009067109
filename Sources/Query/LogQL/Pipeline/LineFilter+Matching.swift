import Pattern
import QueryModel

extension LineFilter {
    func accepts(_ line: String) -> Bool {
        needles.contains { Self.occurs($0, in: line) } != isNegated
    }

    private static func occurs(_ needle: Needle, in line: String) -> Bool {
        switch needle {
        case .text(let text): ByteSearch.contains(text, in: line)
        case .regex(let pattern): pattern.pattern.matches(line)
        case .shape(let shape): shape.fits(Array(line.utf8))
        case .address(let range): range.occurs(in: Array(line.utf8))
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
