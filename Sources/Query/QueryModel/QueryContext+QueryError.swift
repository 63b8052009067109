package import Core
internal import Scheduling

/// A query's limits in the terms of the query modules' own error.
extension QueryContext {
    /// Stops a query that was cancelled or has run out of time; to be called once per series or per thousands of samples.
    package func proceed() throws(QueryError) {
        do { try check() } catch { throw .interrupted(error) }
    }

    /// To be called with the times of each selection, before anything is read for it.
    package func admit(range: TimeRange) throws(QueryError) {
        do { try admit(range) } catch { throw .interrupted(error) }
    }

    /// Counts `bytes` against the limit.
    package func charge(bytes: Int) throws(QueryError) {
        do { try spend(bytes: bytes) } catch { throw .interrupted(error) }
    }
}
