internal import Core
internal import Pattern
internal import Plans
internal import QueryModel
internal import TableSchema

/// What is asked of the values of an attribute, of whatever type they are, as conditions of which one has to hold.
struct ValueConditions {
    private var possible: [Condition]
    private var certain: [Condition]
    private var isExact: Bool

    /// - Parameter elements: whether the elements of a list are values, too.
    init(_ test: ValueTest, elements: Bool) {
        (possible, certain, isExact) = ([], [], true)
        switch test {
        case .exists: add(.exists)
        case .equal(let constants):
            let strings = constants.compactMap { constant -> [UInt8]? in
                guard case .string(let text) = constant, !text.isRepaired else { return nil }
                return Array(text.utf8)
            }
            if !strings.isEmpty { add(.oneOf(strings)) }
            for constant in constants { add(equal: constant) }
        case .ordered(_, let constant):
            if constant.orderedNumber == nil {
                for condition in test.textConditions { add(condition) }
            } else {
                for range in test.integers { add(.integer(range)) }
                if case .ordered(let order, _) = test, let number = constant.orderedNumber {
                    add(Self.doubles(order, number))
                }
            }
        case .matches: for condition in test.textConditions { add(condition) }
        }
        guard elements, test != .exists else { return }
        possible += possible.map { .element($0) }
        certain += certain.map { .element($0) }
    }

    private mutating func add(_ condition: Condition) {
        possible.append(condition)
        certain.append(condition)
    }

    private mutating func add(equal constant: Constant) {
        switch constant {
        case .string(let text):
            if text.isRepaired { add(.repaired(.text(.equal, Array(text.utf8)))) }
        case .text(let text): add(.shown(text))
        case .integer(let value): add(.integer(value...value))
        case .double(let value): if !value.isNaN { add(.double(.equal, value)) }
        case .bool(let flag): add(.boolean(flag))
        case .number(let number):
            if let integer = number.exactInteger, number.isRounded || String(integer) != number.text {
                add(.integer(integer...integer))
            }
            if !number.isRounded {
                add(.shown(number.text))
            } else {
                // A double is shown so that is not that number.
                possible.append(.shown(number.text))
                certain.append(.text(.equal, Array(number.text.utf8)))
                isExact = false
            }
        }
    }

    func bounds(_ operand: Operand) -> PredicateBounds {
        func any(_ conditions: [Condition]) -> Predicate { .disjunction(conditions.map { .test(operand, $0) }) }
        return PredicateBounds(possible: any(possible), certain: any(certain), isExact: isExact)
    }

    private static func doubles(_ order: ValueOrder, _ number: Number) -> Condition {
        switch number {
        case .double(let value): return .double(Comparison(order), value)
        case .integer(let value):
            // No double lies between an integer and the one that is nearest to it.
            let nearest = Double(value)
            let isBelow = order == .less || order == .lessOrEqual
            switch Number.double(nearest).compare(.integer(value)) {
            case .less?: return .double(isBelow ? .lessOrEqual : .greater, nearest)
            case .greater?: return .double(isBelow ? .less : .greaterOrEqual, nearest)
            case .equal?, nil: return .double(Comparison(order), nearest)
            }
        }
    }
}

extension Comparison {
    fileprivate init(_ order: ValueOrder) {
        self =
            switch order {
            case .less: .less
            case .lessOrEqual: .lessOrEqual
            case .greater: .greater
            case .greaterOrEqual: .greaterOrEqual
            }
    }
}

extension ValueTest {
    /// The integers that pass: ranges.
    var integers: [ClosedRange<Int64>] {
        switch self {
        case .exists: return [.min ... .max]
        case .equal(let constants):
            return constants.flatMap(\.equalIntegers).map { $0...$0 }
        case .ordered(let order, let constant):
            return constant.orderedNumber.flatMap { Self.integers(order, $0) }.map { [$0] } ?? []
        case .matches: return []
        }
    }

    private static func integers(_ order: ValueOrder, _ number: Number) -> ClosedRange<Int64>? {
        let isBelow = order == .less || order == .lessOrEqual
        switch number {
        case .integer(let value):
            switch order {
            case .less: return value == .min ? nil : .min...(value - 1)
            case .lessOrEqual: return .min...value
            case .greater: return value == .max ? nil : (value + 1)...(.max)
            case .greaterOrEqual: return value...(.max)
            }
        case .double(let value):
            if value.isNaN { return nil }
            if value >= 0x1p63 { return isBelow ? .min ... .max : nil }
            if value < -0x1p63 { return isBelow ? nil : .min ... .max }
            if let whole = Int64(exactly: value) { return integers(order, .integer(whole)) }
            // Between two integers it makes no difference whether it is equal. One that is not whole is far from the last.
            let floor = Int64(value.rounded(.down))
            return isBelow ? .min...floor : (floor + 1)...(.max)
        }
    }

    /// The texts that pass: conditions of which one has to hold.
    var textConditions: [Condition] {
        switch self {
        case .exists: [.exists]
        case .equal(let constants):
            constants.compactMap { constant in
                guard let text = constant.textOfStrings else { return nil }
                if case .text = constant { return .shown(text) }
                return .equal(shown: text)
            }
        case .ordered(let order, let constant):
            switch constant {
            case .string(let text): [.repaired(.text(Comparison(order), Array(text.utf8)))]
            case .text(let text) where constant.orderedNumber == nil:
                [.repaired(.text(Comparison(order), Array(text.utf8)))]
            default: []
            }
        case .matches(let pattern):
            [.repaired(.matches(pattern.source, isAnchored: pattern.pattern.isAnchored))]
        }
    }

}

extension Constant {
    /// The text that strings have that equal it; nil if none do.
    var textOfStrings: String? {
        switch self {
        case .string(let text), .text(let text): text
        case .number(let number): number.text
        case .integer, .double, .bool: nil
        }
    }

    fileprivate var equalIntegers: [Int64] {
        func shown(_ text: String) -> [Int64] {
            Int64(text).flatMap { String($0) == text ? $0 : nil }.map { [$0] } ?? []
        }
        switch self {
        case .integer(let value): return [value]
        case .text(let text): return shown(text)
        case .number(let number):
            // The shortest text of a double may be that of another integer.
            return (number.exactInteger.map { [$0] } ?? []) + shown(number.text)
        case .string, .double, .bool: return []
        }
    }
}

extension Number {
    /// The integer that equals it.
    fileprivate var exactInteger: Int64? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int64(exactly: value)
        }
    }

    /// Whether no double equals it.
    fileprivate var isRounded: Bool {
        switch self {
        case .integer(let value): Double(exactly: value) == nil
        case .double(let value): value.isNaN
        }
    }
}

extension String {
    /// Whether it may be shown instead of bytes that are not UTF-8.
    var isRepaired: Bool { unicodeScalars.contains("\u{FFFD}") }
}

extension Condition {
    /// A text is shown as this one, byte by byte.
    static func equal(shown text: String) -> Condition {
        let equal = Condition.text(.equal, Array(text.utf8))
        return text.isRepaired ? .repaired(equal) : equal
    }
}

extension Predicate {
    /// The column's text is shown as this one, byte by byte.
    static func text(shown text: String, in column: ColumnID) -> Predicate {
        .test(.column(column), .equal(shown: text))
    }
}
