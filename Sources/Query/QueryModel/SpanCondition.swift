internal import Core
package import Pattern

/// What a search asks of one span: a boolean tree over tests of the span's values.
///
/// A test of a value that a span does not have is false, and only `not` turns that round, so that `not(a = b)` takes spans without
/// `a`, and `all([exists(a), not(a = b)])`, which languages write `a != b`, does not. Where a subject has several values (an
/// attribute that the span and its resource have, an event's of many events), a test holds if it holds for one of them.
package indirect enum SpanCondition: Hashable, Sendable {
    /// Of none: every span.
    case all([SpanCondition])
    /// Of none: no span.
    case any([SpanCondition])
    case not(SpanCondition)
    case test(SpanSubject, ValueTest)
    /// One event, or one link, meets the condition, in which subjects of events, or links, mean that one.
    case some(SpanElement, SpanCondition)

    package static let always = SpanCondition.all([])
    package static let never = SpanCondition.any([])

    /// As languages read `!=` and its like: the subject has values, and none of them passes.
    package static func noneOf(_ subject: SpanSubject, _ test: ValueTest) -> SpanCondition {
        .all([.test(subject, .exists), .not(.test(subject, test))])
    }
}

/// What a span has any number of.
package enum SpanElement: String, Hashable, Sendable { case event, link }

/// Where attributes are.
package struct AttributeScopes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let span = AttributeScopes(rawValue: 1)
    package static let resource = AttributeScopes(rawValue: 2)
    /// The instrumentation scope.
    package static let scope = AttributeScopes(rawValue: 4)
    package static let event = AttributeScopes(rawValue: 8)
    package static let link = AttributeScopes(rawValue: 16)

    package static let everywhere: AttributeScopes = [.span, .resource, .scope, .event, .link]
}

/// What is tested.
package enum SpanSubject: Hashable, Sendable {
    case field(SpanField)
    /// - Parameter elements: whether the elements of a list are values, too, beside the list itself.
    case attribute(String, in: AttributeScopes, elements: Bool)

    package static func attribute(_ key: String, in scopes: AttributeScopes) -> SpanSubject {
        .attribute(key, in: scopes, elements: false)
    }
}

/// What OTLP has a field for. Texts that are empty and ids that are zero are absent.
package enum SpanField: String, Hashable, Sendable, CaseIterable {
    /// Ids are lower-case hexadecimal, of 32 and 16 digits.
    case traceID, spanID, parentSpanID
    case traceState, name, statusMessage
    /// `unspecified`, `internal`, `server`, `client`, `producer`, `consumer`; a kind that OTLP does not know is unspecified.
    case kind
    /// `unset`, `ok`, `error`; a status that OTLP does not know is unset.
    case status
    /// Nanoseconds since the epoch.
    case startTime, endTime
    /// Nanoseconds; a span that ends before it starts has none, 0.
    case duration
    /// As clients know it: a resource without a name has one, too.
    case serviceName
    case resourceSchemaURL
    case scopeName, scopeVersion, scopeSchemaURL
    case eventName
    /// Nanoseconds since the epoch, and since the span's start.
    case eventTime, eventTimeSinceStart
    case linkTraceID, linkSpanID, linkTraceState

    /// Integers are nanoseconds; all other fields are texts.
    package var isInteger: Bool {
        switch self {
        case .startTime, .endTime, .duration, .eventTime, .eventTimeSinceStart: true
        default: false
        }
    }

    /// Ids can only be equal.
    package var isID: Bool {
        switch self {
        case .traceID, .spanID, .parentSpanID, .linkTraceID, .linkSpanID: true
        default: false
        }
    }

    /// The events or links that it belongs to; nil: the span has one.
    package var element: SpanElement? {
        switch self {
        case .eventName, .eventTime, .eventTimeSinceStart: .event
        case .linkTraceID, .linkSpanID, .linkTraceState: .link
        default: nil
        }
    }
}

/// What is asked of a value.
package enum ValueTest: Hashable, Sendable {
    case exists
    /// It equals one of these.
    case equal([Constant])
    case ordered(ValueOrder, Constant)
    /// It is a text that matches.
    case matches(TextPattern)
}

package enum ValueOrder: String, Hashable, Sendable {
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    package func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }

    /// The same order, asked from the other side.
    package var reversed: ValueOrder {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }
}

/// What a value is compared with.
package enum Constant: Hashable, Sendable {
    /// Of any type: a value equals it whose textual form it is (rule J-9), and a double also every other decimal spelling of
    /// itself. Ordered, a text that is a number is one, and any other compares with texts.
    case text(String)
    /// A number: of either type, and a text equals it that it is written as.
    case number(Number)
    /// Of texts alone, byte by byte.
    case string(String)
    /// Of integers alone, or doubles alone, in equality; numbers have one order.
    case integer(Int64)
    case double(Double)
    case bool(Bool)
}

/// An integer, or what only a double can hold.
package enum Number: Hashable, Sendable {
    case integer(Int64)
    case double(Double)

    /// A number as clients write it in decimal digits. (Swift would also read `inf`, `nan` and hexadecimal floats.)
    package init?(decimal text: String) {
        if let integer = Int64(text) {
            self = .integer(integer)
        } else if let double = Self.double(decimal: text), double.isFinite {
            self = .double(double)
        } else {
            return nil
        }
    }

    /// The double that is nearest to such a number.
    package static func double(decimal text: String) -> Double? {
        text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) } ? Double(text) : nil
    }

    /// As attributes show it.
    package var text: String {
        switch self {
        case .integer(let integer): String(integer)
        case .double(let double): double.shortestText
        }
    }

    /// Exactly: an integer is not rounded to a double first. NaN has no order.
    package func compare(_ other: Number) -> Ordering? {
        switch (self, other) {
        case (.integer(let a), .integer(let b)): return a < b ? .less : a == b ? .equal : .greater
        case (.double(let a), .double(let b)):
            if a.isNaN || b.isNaN { return nil }
            return a < b ? .less : a == b ? .equal : .greater
        case (.integer(let a), .double(let b)): return Self.compare(a, b)
        case (.double(let a), .integer(let b)): return Self.compare(b, a)?.reversed
        }
    }

    package enum Ordering: Hashable, Sendable {
        case less, equal, greater

        var reversed: Ordering {
            switch self {
            case .less: .greater
            case .equal: .equal
            case .greater: .less
            }
        }
    }

    private static func compare(_ integer: Int64, _ double: Double) -> Ordering? {
        if double.isNaN { return nil }
        if double >= 0x1p63 { return .less }
        if double < -0x1p63 { return .greater }
        let whole = double.rounded(.down)
        let floor = Int64(whole)
        if integer != floor { return integer < floor ? .less : .greater }
        return double == whole ? .equal : .less
    }
}

extension ValueOrder {
    package func holds(_ left: Number, _ right: Number) -> Bool {
        guard let order = left.compare(right) else { return false }
        switch self {
        case .less: return order == .less
        case .lessOrEqual: return order != .greater
        case .greater: return order == .greater
        case .greaterOrEqual: return order != .less
        }
    }
}

/// A regular expression in RE2's syntax, known by its text.
package struct TextPattern: Hashable, Sendable {
    package let pattern: Pattern

    /// - Parameter wholeText: whether a text must match from its start to its end, or anywhere.
    package init(_ source: String, wholeText: Bool) throws(PatternError) {
        pattern = try wholeText ? Pattern(anchored: source) : Pattern(unanchored: source)
    }

    package var source: String { pattern.source }

    package static func == (left: TextPattern, right: TextPattern) -> Bool {
        left.source == right.source && left.pattern.isAnchored == right.pattern.isAnchored
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(source)
        hasher.combine(pattern.isAnchored)
    }
}

/// What a search asks of a trace: that it has spans, each of which may be another one.
package indirect enum TraceCondition: Hashable, Sendable {
    /// One span meets it.
    case span(SpanCondition)
    case all([TraceCondition])
    case any([TraceCondition])

    /// The conditions on spans, from left to right.
    package var leaves: [SpanCondition] {
        switch self {
        case .span(let condition): [condition]
        case .all(let conditions), .any(let conditions): conditions.flatMap(\.leaves)
        }
    }

    /// The same, where every span that counts meets another condition as well.
    package func requiring(_ other: SpanCondition) -> TraceCondition {
        switch self {
        case .span(let condition): .span(.all([other, condition]))
        case .all(let conditions): .all(conditions.map { $0.requiring(other) })
        case .any(let conditions): .any(conditions.map { $0.requiring(other) })
        }
    }

    /// - Parameter met: bit `i` says whether a span of the trace meets the leaf `i`.
    package func holds(_ met: UInt64) -> Bool {
        var next: UInt64 = 0
        return holds(met, &next)
    }

    private func holds(_ met: UInt64, _ next: inout UInt64) -> Bool {
        switch self {
        case .span:
            defer { next += 1 }
            return met >> next & 1 == 1
        case .all(let conditions):
            // Every one is visited, for the numbers of its leaves.
            return conditions.reduce(true) { $1.holds(met, &next) && $0 }
        case .any(let conditions):
            return conditions.reduce(false) { $1.holds(met, &next) || $0 }
        }
    }

    /// More leaves than a query may have.
    package static let leafLimit = 32
}
