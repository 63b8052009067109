import QueryModel

/// A word or sign of a PromQL text, and where it stands, in bytes.
struct Token: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// A name or a keyword: which of the two only the parser knows, since most keywords are also legal names.
        case word(String)
        case number(Double)
        /// `5m`, in milliseconds.
        case duration(Int64)
        case string(String)
        case leftParenthesis, rightParenthesis, leftBrace, rightBrace, leftBracket, rightBracket
        case comma, colon, at
        /// `=` alone.
        case assign
        case regexMatch, regexMismatch
        case sign(BinaryOperator)
        case end
    }

    let kind: Kind
    let range: Range<Int>

    /// The word in lower case, if it is one.
    var keyword: String? {
        if case .word(let word) = kind { word.lowercased() } else { nil }
    }
}

extension Token {
    /// How an error message names what it did not expect.
    func description(in text: [UInt8]) -> String {
        let source = String(decoding: text[range], as: UTF8.self)
        switch kind {
        case .end: return "end of input"
        case .word(let word):
            let lower = word.lowercased()
            if AggregationOperator(rawValue: lower) != nil { return "<aggr:\(lower)>" }
            if BinaryOperator(rawValue: lower) != nil { return "<op:\(lower)>" }
            if Keyword(rawValue: lower) != nil { return "<\(lower)>" }
            return (word.contains(":") ? "metric identifier " : "identifier ") + QuotedText.quote(word)
        case .number: return "number " + QuotedText.quote(source)
        case .duration: return "duration " + QuotedText.quote(source)
        case .string: return "string " + QuotedText.quote(source)
        case .sign(let sign): return "<op:\(sign.rawValue)>"
        default: return QuotedText.quote(source)
        }
    }
}

/// Words with a meaning of their own beside operators and aggregations.
enum Keyword: String {
    case offset, by, without, on, ignoring, bool, start, end
    case groupLeft = "group_left"
    case groupRight = "group_right"
}
