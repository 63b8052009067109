package import Synchronization

/// Why a query stopped before its end.
package enum QueryInterruption: Error, Hashable, Sendable {
    /// The client went away, or the server is shutting down.
    case cancelled
    /// The deadline passed.
    case timedOut
    /// Reading on would hold or read more bytes than the query may; the payload is the limit.
    case overBudget(bytes: Int)
}

/// What one query may use, has used, and whether it should go on. Shared by all threads that work for the query.
package final class QueryContext: Sendable {
    package let tenant: TenantID
    /// The most bytes of decoded columns and results that the query may take in all.
    package let byteLimit: Int
    private let deadline: ContinuousClock.Instant?
    private let cancelled = Atomic<Bool>(false)
    private let usedBytes = Atomic<Int>(0)

    package let statistics = QueryStatistics()

    package init(
        tenant: TenantID, byteLimit: Int = 1 << 30, timeout: Duration? = nil
    ) {
        self.tenant = tenant
        self.byteLimit = byteLimit
        deadline = timeout.map { ContinuousClock.now + $0 }
    }

    package func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// To be called once per block or per step, not per row.
    package func check() throws(QueryInterruption) {
        if cancelled.load(ordering: .relaxed) { throw .cancelled }
        if let deadline, ContinuousClock.now >= deadline { throw .timedOut }
    }

    /// Counts `bytes` against the limit.
    package func spend(bytes: Int) throws(QueryInterruption) {
        let used = usedBytes.add(bytes, ordering: .relaxed).newValue
        if used > byteLimit { throw .overBudget(bytes: byteLimit) }
    }

    /// Gives back bytes that are no longer held.
    package func release(bytes: Int) { usedBytes.subtract(bytes, ordering: .relaxed) }
}

/// What a query read and skipped; each counter only grows.
package final class QueryStatistics: Sendable {
    package let partsConsidered = Atomic<Int>(0)
    package let partsRead = Atomic<Int>(0)
    package let blocksConsidered = Atomic<Int>(0)
    package let blocksRead = Atomic<Int>(0)
    package let rowsRead = Atomic<Int>(0)
    package let rowsMatched = Atomic<Int>(0)
    package let bytesRead = Atomic<Int>(0)
    /// Bytes of the rows looked at as their sender would count them, for Loki's `stats`.
    package let bytesDecoded = Atomic<Int>(0)

    package init() {}
}
