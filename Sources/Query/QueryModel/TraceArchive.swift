package import Core
package import Scheduling

/// Why a trace cannot be archived.
package enum TraceArchiveError: Error, Hashable, Sendable {
    /// The trace is too large, the archive is full, the disk refuses: the payload is for the client.
    case tooLarge(String)
    case full(String)
    case storage(String)
}

/// Traces that are kept when their tables drop them.
package protocol TraceArchive: Sendable {
    /// Whether the trace was archived.
    func contains(_ trace: TraceID, context: QueryContext) -> Bool

    /// The spans of a trace when it was archived; none if it was not.
    func spans(of trace: TraceID, context: QueryContext) throws(QueryError) -> [TraceSpan]

    /// Keeps a trace, durably once this returns, in the place of what was archived of it before.
    func keep(_ spans: [TraceSpan], of trace: TraceID, context: QueryContext) throws(TraceArchiveError)
}
