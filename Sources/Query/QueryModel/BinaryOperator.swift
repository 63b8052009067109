import Glibc

/// The operators between two expressions that PromQL and LogQL share.
package enum BinaryOperator: String, Hashable, Sendable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"
    case atan2 = "atan2"
    case equal = "=="
    case notEqual = "!="
    case greater = ">"
    case less = "<"
    case greaterOrEqual = ">="
    case lessOrEqual = "<="
    case and = "and"
    case or = "or"
    case unless = "unless"

    package var isComparison: Bool {
        switch self {
        case .equal, .notEqual, .greater, .less, .greaterOrEqual, .lessOrEqual: true
        default: false
        }
    }

    package var isSet: Bool { self == .and || self == .or || self == .unless }

    /// A result of arithmetic is no longer the metric it came from; a filter's or a set's is.
    package var dropsMetricName: Bool { !isComparison && !isSet }

    /// How tightly it binds: a higher number binds tighter.
    package var precedence: Int {
        switch self {
        case .or: 1
        case .and, .unless: 2
        case .equal, .notEqual, .greater, .less, .greaterOrEqual, .lessOrEqual: 3
        case .add, .subtract: 4
        case .multiply, .divide, .modulo, .atan2: 5
        case .power: 6
        }
    }

    package var isRightAssociative: Bool { self == .power }

    /// The number that an arithmetic operator makes. Comparisons and sets have none.
    package func calculate(_ left: Double, _ right: Double) -> Double {
        switch self {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .modulo: fmod(left, right)
        case .power: pow(left, right)
        case .atan2: Glibc.atan2(left, right)
        default: preconditionFailure("not an arithmetic operator")
        }
    }

    /// Whether a comparison holds, as IEEE 754 has it: NaN differs from everything.
    package func compare(_ left: Double, _ right: Double) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .greater: left > right
        case .less: left < right
        case .greaterOrEqual: left >= right
        case .lessOrEqual: left <= right
        default: preconditionFailure("not a comparison")
        }
    }

    /// An element of the result of arithmetic or of a comparison; nil if a filter drops it.
    package func apply(_ left: Double, _ right: Double, returnsBool: Bool, kept: Double) -> Double? {
        guard isComparison else { return calculate(left, right) }
        let holds = compare(left, right)
        if returnsBool { return holds ? 1 : 0 }
        return holds ? kept : nil
    }
}

/// Which elements of two vectors belong together: `on(…)`, `ignoring(…)`, `group_left(…)`, `group_right(…)`.
package struct VectorMatching: Hashable, Sendable {
    package enum Cardinality: Hashable, Sendable { case oneToOne, manyToOne, oneToMany, manyToMany }

    package var cardinality: Cardinality
    /// The labels of `on` or `ignoring`.
    package var labels: [String]
    package var isOn: Bool
    /// The labels that `group_left` or `group_right` copies from the side of one.
    package var included: [String]

    package init(
        cardinality: Cardinality = .oneToOne, labels: [String] = [], isOn: Bool = false,
        included: [String] = []
    ) {
        self.cardinality = cardinality
        self.labels = labels
        self.isOn = isOn
        self.included = included
    }
}
