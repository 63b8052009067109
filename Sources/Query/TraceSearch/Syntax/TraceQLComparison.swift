import Core
import Pattern
import QueryModel

/// Makes conditions of comparisons, and says which make no sense.
enum TraceQLComparison {
    enum Sign: Hashable, Sendable {
        case equal, notEqual, matching, notMatching
        case ordered(ValueOrder)

        init?(_ symbol: TraceQLLexer.Symbol) {
            switch symbol {
            case .equal: self = .equal
            case .notEqual: self = .notEqual
            case .matching: self = .matching
            case .notMatching: self = .notMatching
            default:
                guard let order = ValueOrder(rawValue: symbol.rawValue) else { return nil }
                self = .ordered(order)
            }
        }

        /// With its sides exchanged; nil for a pattern, which has its side.
        var reversed: Sign? {
            switch self {
            case .equal, .notEqual: self
            case .ordered(let order): .ordered(order.reversed)
            case .matching, .notMatching: nil
            }
        }
    }

    enum Literal: Hashable, Sendable {
        case string(String)
        /// As it was written.
        case number(String)
        /// Nanoseconds.
        case duration(Int64)
        /// `nil`: that there is no value.
        case absent
        /// `true`, `false`, and the words of status and kind.
        case word(String)

        init?(word: String) {
            if word == "nil" {
                self = .absent
            } else if ["true", "false"].contains(word) || SpanStatusName.code(named: word) != nil
                || SpanKindName.kind(named: word) != nil
            {
                self = .word(word)
            } else {
                return nil
            }
        }
    }

    /// Why a comparison makes no sense.
    enum Mistake: Error {
        case atSign(String)
        case atLiteral(String)
    }

    static func condition(
        _ subject: SpanSubject, _ sign: Sign, _ literal: Literal
    ) throws(Mistake) -> SpanCondition {
        if literal == .absent {
            switch sign {
            case .equal: return .not(.test(subject, .exists))
            case .notEqual: return .test(subject, .exists)
            default: throw .atSign("nil can only be compared by = and !=")
            }
        }
        let test: ValueTest =
            switch subject {
            case .field(let field): try self.test(of: field, sign, literal)
            case .attribute: try self.test(sign, literal)
            }
        switch sign {
        case .notEqual, .notMatching: return .noneOf(subject, test)
        default: return .test(subject, test)
        }
    }

    // MARK: Attributes

    private static func test(_ sign: Sign, _ literal: Literal) throws(Mistake) -> ValueTest {
        let constant: Constant
        switch literal {
        case .string(let text): constant = .text(text)
        case .word(let word): constant = .text(word)
        case .number(let digits):
            guard let number = Number(decimal: digits) else { throw .atLiteral("\(digits) is too large") }
            constant = .number(number)
        case .duration: throw .atLiteral("an attribute has no unit; compare it with a number or a string")
        case .absent: throw .atLiteral("nil can only be compared by = and !=")
        }
        return try self.test(sign, constant, literal)
    }

    private static func test(_ sign: Sign, _ constant: Constant, _ literal: Literal) throws(Mistake) -> ValueTest {
        switch sign {
        case .equal, .notEqual: return .equal([constant])
        case .ordered(let order):
            if case .word(let word) = literal { throw .atSign("\"\(word)\" has no order") }
            return .ordered(order, constant)
        case .matching, .notMatching:
            guard case .string(let source) = literal else {
                throw .atLiteral("expected a string with a regular expression")
            }
            do throws(PatternError) {
                return .matches(try TextPattern(source, wholeText: true))
            } catch {
                throw .atLiteral("the regular expression does not compile: \(error.message)")
            }
        }
    }

    // MARK: Fields

    private static func test(of field: SpanField, _ sign: Sign, _ literal: Literal) throws(Mistake) -> ValueTest {
        switch field {
        case .kind:
            return try wordTest(
                sign, literal, of: "kind", words: SpanKindName.words, SpanKindName.kind(named:), SpanKindName.word)
        case .status:
            return try wordTest(
                sign, literal, of: "status", words: SpanStatusName.words, SpanStatusName.code(named:),
                SpanStatusName.word)
        case _ where field.isInteger:
            guard case .duration(let nanoseconds) = literal else {
                throw .atLiteral("expected a duration such as 1.5s or 100ms")
            }
            switch sign {
            case .equal, .notEqual: return .equal([.integer(nanoseconds)])
            case .ordered(let order): return .ordered(order, .integer(nanoseconds))
            case .matching, .notMatching: throw .atSign("a regular expression matches texts alone")
            }
        default:
            guard case .string(let text) = literal else { throw .atLiteral("expected a string") }
            if field.isID, sign != .equal, sign != .notEqual { throw .atSign("ids can only be compared by = and !=") }
            return try test(sign, .string(field.normalized(text)), literal)
        }
    }

    private static func wordTest(
        _ sign: Sign, _ literal: Literal, of name: String, words: [String], _ code: (String) -> Int32?,
        _ word: (Int32) -> String
    ) throws(Mistake) -> ValueTest {
        let text: String
        switch literal {
        case .word(let literal), .string(let literal): text = literal
        default: text = ""
        }
        switch sign {
        case .equal, .notEqual:
            guard let code = code(text) else {
                throw .atLiteral("expected one of \(words.joined(separator: ", "))")
            }
            return .equal([.string(word(code))])
        case .ordered: throw .atSign("\(name) has no order")
        case .matching, .notMatching: return try test(sign, .string(text), literal)
        }
    }
}

extension SpanField {
    /// A text as the field shows it: ids may be written in either case and without their leading zeros.
    package func normalized(_ text: String) -> String {
        switch self {
        case .traceID, .linkTraceID: TraceID(hex: text)?.hex ?? text
        case .spanID, .parentSpanID, .linkSpanID: SpanID(hex: text)?.hex ?? text
        default: text
        }
    }
}
