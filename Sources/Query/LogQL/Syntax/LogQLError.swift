/// Why a LogQL text is not a query; `message` is what a client is shown (rule L-9).
package enum LogQLError: Error, Hashable, Sendable {
    /// The text does not follow the grammar, at this place (both from 1, in characters).
    case syntax(line: Int, column: Int, String)
    /// The text follows the grammar but means nothing.
    case semantic(String)
    /// A pipeline or a metric expression stands where only a stream selector may.
    case onlyMatchers

    package var message: String {
        switch self {
        case .syntax(let line, let column, let text): "parse error at line \(line), col \(column): \(text)"
        case .semantic(let text): "parse error : \(text)"
        case .onlyMatchers: "only label matchers are supported"
        }
    }
}
