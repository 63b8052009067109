internal import Core
package import TableSchema

/// A condition on the rows of a table: a value, without closures, that prints, has bytes, and means the same in every process that
/// knows the table (docs/decisions/0034).
///
/// There are two truth values: a condition on something that a row does not have, or has with another type, is false, and its
/// negation true.
package indirect enum Predicate: Hashable, Sendable {
    /// All of them hold; without any, every row passes.
    case all([Predicate])
    /// One of them at least holds; without any, no row passes.
    case any([Predicate])
    case not(Predicate)
    case test(Operand, Condition)
    /// One of the inner rows of a nested column satisfies the whole of a predicate on its fields.
    case anyElement(ColumnID, Predicate)
    /// Holds for every row, and says that rows for which the predicate does not hold are not wanted: indexes may rule out blocks
    /// by it. Among choices it is none for rows of parts that indexes rule out. Whoever asks tests rows himself.
    case hint(Predicate)

    package static let everyRow = Predicate.all([])
    package static let noRow = Predicate.any([])
}

/// Where the value is that a condition looks at. Columns and fields of nested ones are named by their numbers in Schema/LOCK.
package enum Operand: Hashable, Sendable {
    case column(ColumnID)
    /// The attributes with a key, by its bytes, of a column of attributes.
    case attribute(ColumnID, key: [UInt8])
    /// The attributes whose key a function accepts. Only in a hint.
    case attributes(ColumnID, Derivation)
    /// What a function makes of an entry of a column of strings, once for each entry of a dictionary.
    case derived(ColumnID, Derivation)
}

/// A function that is known by name, since it means something of a signal that the engine does not know: the value of an attribute in
/// a resource's bytes, for one. `ScanFunctions` has the functions of a process.
package struct Derivation: Hashable, Sendable {
    package var function: String
    package var argument: [UInt8]

    package init(_ function: String, _ argument: [UInt8] = []) {
        self.function = function
        self.argument = argument
    }
}

package enum Comparison: UInt8, Hashable, Sendable, CaseIterable {
    case equal = 0
    case notEqual = 1
    case less = 2
    case lessOrEqual = 3
    case greater = 4
    case greaterOrEqual = 5
}

/// What is asked of one value. A value of another type does not meet it.
package indirect enum Condition: Hashable, Sendable {
    /// The value is there. One of a column always is.
    case exists
    /// An integer, with a sign, in the range.
    case integer(ClosedRange<Int64>)
    /// An integer of a column without a sign, in the range.
    case unsigned(ClosedRange<UInt64>)
    /// One of some integers: ascending, each once.
    case integers([Int64])
    /// By IEEE 754; the right side is a number.
    case double(Comparison, Double)
    case boolean(Bool)
    /// By the order of bytes.
    case text(Comparison, [UInt8])
    /// One of some texts: ascending by their bytes, each once.
    case texts([[UInt8]])
    /// Holds the text, byte by byte.
    case contains([UInt8])
    /// RE2's syntax. Anchored: the whole text matches, and `.` matches a newline (`Pattern`).
    case matches(String, isAnchored: Bool)
    /// One of some ids of 16 bytes: ascending, each once.
    case ids([WideID])
    /// One of some ids of 8 bytes, as big-endian words: ascending, each once.
    case shortIDs([UInt64])
    /// A value of any type whose text is this (`AttributeValue.text`); a double also every other decimal spelling of itself. Bytes
    /// that are not UTF-8 are repaired first.
    case shown(String)
    /// One element of a list meets it.
    case element(Condition)
    /// A text meets it once its bytes that are not UTF-8 are repaired, as it is shown.
    case repaired(Condition)
}

/// An id of 16 bytes as two big-endian words.
package struct WideID: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func < (left: WideID, right: WideID) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

extension Predicate {
    /// The column's integer is this one.
    package static func integer(_ column: ColumnID, _ value: Int64) -> Predicate {
        .test(.column(column), .integer(value...value))
    }

    package static func integer(_ column: ColumnID, _ range: ClosedRange<Int64>) -> Predicate {
        .test(.column(column), .integer(range))
    }

    /// The column's text is this one.
    package static func text(_ column: ColumnID, _ text: some Sequence<UInt8>) -> Predicate {
        .test(.column(column), .text(.equal, Array(text)))
    }

    package static func exists(_ operand: Operand) -> Predicate { .test(operand, .exists) }

    /// Calls `body` with the operands, those of hints and of elements too.
    package func forEachOperand(_ body: (Operand) -> Void) {
        switch self {
        case .all(let parts), .any(let parts): for part in parts { part.forEachOperand(body) }
        case .not(let part), .anyElement(_, let part), .hint(let part): part.forEachOperand(body)
        case .test(let operand, _): body(operand)
        }
    }
}

extension Operand {
    package var column: ColumnID {
        switch self {
        case .column(let column), .attribute(let column, _), .attributes(let column, _), .derived(let column, _): column
        }
    }
}

extension Condition {
    /// Any order, any number of times.
    package static func oneOf(_ integers: some Sequence<Int64>) -> Condition { .integers(unique(integers)) }
    package static func oneOf(_ ids: some Sequence<WideID>) -> Condition { .ids(unique(ids)) }

    package static func oneOf(_ texts: some Sequence<[UInt8]>) -> Condition {
        var sorted = texts.sorted { $0.lexicographicallyPrecedes($1) }
        dropRepeated(&sorted)
        return .texts(sorted)
    }

    package static func oneOf(shortIDs ids: some Sequence<UInt64>) -> Condition { .shortIDs(unique(ids)) }

    /// Comparisons of integers are ranges; unequal is the negation of equal. Nil: none meets it.
    package static func integer(_ comparison: Comparison, _ value: Int64) -> Condition? {
        switch comparison {
        case .equal: .integer(value...value)
        case .notEqual: nil
        case .less: value == .min ? nil : .integer(.min...(value - 1))
        case .lessOrEqual: .integer(.min...value)
        case .greater: value == .max ? nil : .integer((value + 1)...(.max))
        case .greaterOrEqual: .integer(value...(.max))
        }
    }

    private static func unique<Element: Comparable>(_ elements: some Sequence<Element>) -> [Element] {
        var sorted = elements.sorted()
        dropRepeated(&sorted)
        return sorted
    }

    private static func dropRepeated<Element: Equatable>(_ sorted: inout [Element]) {
        var kept = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[kept - 1] {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
    }
}
