/// A word of LogQL. Keywords are identifiers: the parser knows from the place which of them are meant.
enum Token: Hashable, Sendable {
    case end
    case identifier(String)
    case string(String)
    case number(Double)
    /// Nanoseconds.
    case duration(Int64)
    /// A size with its unit, as in `5KiB`.
    case bytes(UInt64)
    /// `[5m]`: nanoseconds.
    case range(Int64)
    /// `--strict`, without the dashes.
    case flag(String)
    case symbol(Symbol)

    enum Symbol: String, Sendable, CaseIterable {
        case openBrace = "{", closeBrace = "}", openParenthesis = "(", closeParenthesis = ")"
        case comma = ",", dot = ".", pipe = "|"
        case equal = "=", notEqual = "!=", regex = "=~", notRegex = "!~", equalEqual = "=="
        case greater = ">", greaterOrEqual = ">=", less = "<", lessOrEqual = "<="
        case lineContains = "|=", lineMatches = "|~", lineLike = "|>", lineUnlike = "!>"
        case plus = "+", minus = "-", times = "*", divide = "/", modulo = "%", power = "^"
    }

    /// How a syntax error names the token.
    var name: String {
        switch self {
        case .end: "$end"
        case .identifier(let text): Keyword.all.contains(text.lowercased()) ? text.lowercased() : "IDENTIFIER"
        case .string: "STRING"
        case .number: "NUMBER"
        case .duration: "DURATION"
        case .bytes: "BYTES"
        case .range: "RANGE"
        case .flag: "PARSER_FLAG"
        case .symbol(let symbol): symbol.rawValue
        }
    }
}

/// The words with a meaning of their own; they are recognised in any case.
enum Keyword {
    static let all = Set([
        "and", "or", "unless", "by", "without", "bool", "on", "ignoring", "group_left", "group_right", "offset",
        "unwrap", "json", "logfmt", "regexp", "pattern", "unpack", "decolorize", "line_format", "label_format",
        "drop", "keep", "ip", "bytes", "duration", "duration_seconds", "vector", "label_replace",
    ]).union(RangeOperation.allCases.map(\.rawValue)).union(VectorOperation.allCases.map(\.rawValue))
}
