internal import Plans
internal import TableSchema

/// What the columns of a table tell of a condition: which rows may meet it, and which certainly do. Where they tell all of it, these are
/// the same rows.
struct PredicateBounds {
    /// Every row that meets the condition.
    let possible: Predicate
    /// No row that does not.
    let certain: Predicate
    /// Whether both mean the same.
    let isExact: Bool

    /// Columns tell nothing.
    static let unknown = PredicateBounds(possible: .everyRow, certain: .noRow, isExact: false)

    init(possible: Predicate, certain: Predicate, isExact: Bool) {
        (self.possible, self.certain, self.isExact) = (possible, certain, isExact)
    }

    init(_ exact: Predicate) { self.init(possible: exact, certain: exact, isExact: true) }

    static func all(_ parts: [PredicateBounds]) -> PredicateBounds {
        PredicateBounds(
            possible: .conjunction(parts.map(\.possible)), certain: .conjunction(parts.map(\.certain)),
            isExact: parts.allSatisfy(\.isExact))
    }

    static func any(_ parts: [PredicateBounds]) -> PredicateBounds {
        PredicateBounds(
            possible: .disjunction(parts.map(\.possible)), certain: .disjunction(parts.map(\.certain)),
            isExact: parts.allSatisfy(\.isExact))
    }

    static func not(_ part: PredicateBounds) -> PredicateBounds {
        PredicateBounds(
            possible: .negation(part.certain), certain: .negation(part.possible), isExact: part.isExact)
    }

    static func anyElement(_ column: ColumnID, _ part: PredicateBounds) -> PredicateBounds {
        PredicateBounds(
            possible: .element(column, part.possible), certain: .element(column, part.certain), isExact: part.isExact)
    }
}

/// Predicates without parts that say nothing.
extension Predicate {
    static func conjunction(_ parts: [Predicate]) -> Predicate {
        var kept: [Predicate] = []
        for part in parts {
            if part == .noRow { return .noRow }
            if case .all(let inner) = part { kept += inner } else { kept.append(part) }
        }
        return kept.count == 1 ? kept[0] : .all(kept)
    }

    static func disjunction(_ parts: [Predicate]) -> Predicate {
        var kept: [Predicate] = []
        for part in parts {
            if part == .everyRow { return .everyRow }
            if case .any(let inner) = part { kept += inner } else { kept.append(part) }
        }
        return kept.count == 1 ? kept[0] : .any(kept)
    }

    static func negation(_ part: Predicate) -> Predicate {
        if part == .everyRow { return .noRow }
        if part == .noRow { return .everyRow }
        if case .not(let inner) = part { return inner }
        return .not(part)
    }

    static func element(_ column: ColumnID, _ part: Predicate) -> Predicate {
        part == .noRow ? .noRow : .anyElement(column, part)
    }
}
