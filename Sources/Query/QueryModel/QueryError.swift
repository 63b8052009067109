package import Scheduling

/// Why a source or an evaluator could not answer.
package enum QueryError: Error, Sendable, Hashable {
    case interrupted(QueryInterruption)
    /// The query is well formed, but cannot be evaluated on this data; the payload says why.
    case execution(String)
    /// Stored data could not be read; the payload says what and where.
    case storage(String)
}
