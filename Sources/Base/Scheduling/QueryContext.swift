package import Core
package import Observability
private import Synchronization

/// Why a query stopped before its end.
package enum QueryInterruption: Error, Hashable, Sendable {
    /// The client went away, or the server is shutting down.
    case cancelled
    /// The deadline passed.
    case timedOut
    /// Reading on would hold or read more bytes than the query may; the payload is the limit.
    case overBudget(bytes: Int)
    /// All queries together would hold more bytes than they may; the payload is the limit. The same query may succeed later.
    case memoryExhausted(bytes: Int)
    /// It asks for telemetry of a longer time than it may; the payload says so.
    case rangeTooLong(String)
}

/// What one query may ask for, where its tenant or key is limited.
package struct QueryBounds: Sendable {
    /// Nanoseconds of telemetry of one selection; nil: any.
    package var longestRange: Int64?
    /// What is said of a query that asks for more.
    package var refusal: @Sendable () -> String

    package init(longestRange: Int64?, refusal: @escaping @Sendable () -> String) {
        self.longestRange = longestRange
        self.refusal = refusal
    }
}

/// What one query may use, has used, and whether it should go on. Shared by all threads that work for the query.
package final class QueryContext: Sendable {
    package let tenant: TenantID
    /// The most bytes of decoded columns and results that the query may take in all.
    package let byteLimit: Int
    package let deadline: ContinuousClock.Instant?
    /// Whether the answer may be made of results that were kept from earlier queries, and be kept.
    package let usesResultCache: Bool
    private let bounds: QueryBounds?
    private let isBeyondBudget = Atomic<Bool>(false)
    private let memory: QueryMemory?
    private let whole: QueryContext?
    private let cancelled = Atomic<Bool>(false)
    private let usedBytes = Atomic<Int>(0)

    package let statistics: QueryStatistics

    /// - Parameter memory: what this query shares with all others.
    package init(
        tenant: TenantID, byteLimit: Int = 1 << 30, timeout: Duration? = nil, memory: QueryMemory? = nil,
        bounds: QueryBounds? = nil, usesResultCache: Bool = true, statistics: QueryStatistics = QueryStatistics()
    ) {
        self.bounds = bounds
        self.usesResultCache = usesResultCache
        self.statistics = statistics
        self.tenant = tenant
        self.byteLimit = byteLimit
        self.memory = memory
        whole = nil
        deadline = timeout.map { ContinuousClock.now + $0 }
    }

    /// A stage of a query, which may take only some of the time that is left; everything else is the query's.
    ///
    /// - Parameter quarters: of that time.
    package init(stageOf whole: QueryContext, quarters: Int) {
        self.whole = whole
        tenant = whole.tenant
        byteLimit = whole.byteLimit
        usesResultCache = whole.usesResultCache
        statistics = whole.statistics
        memory = nil
        bounds = nil
        deadline = whole.deadline.map { deadline in
            let now = ContinuousClock.now
            return now + (deadline - now) * quarters / 4
        }
    }

    deinit { memory?.give(usedBytes.load(ordering: .relaxed)) }

    package func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// To be called once per block or per step, not per row.
    package func check() throws(QueryInterruption) {
        try whole?.check()
        if cancelled.load(ordering: .relaxed) { throw .cancelled }
        if let deadline, ContinuousClock.now >= deadline { throw .timedOut }
    }

    /// Counts `bytes` against the limits. They count also if that fails, until they are released or the query ends.
    package func spend(bytes: Int) throws(QueryInterruption) {
        if let whole { return try whole.spend(bytes: bytes) }
        let used = usedBytes.add(bytes, ordering: .relaxed).newValue
        let isWithinTotal = memory?.take(bytes) ?? true
        statistics.peakBytes.max(used, ordering: .relaxed)
        if used > byteLimit {
            isBeyondBudget.store(true, ordering: .relaxed)
            throw .overBudget(bytes: byteLimit)
        }
        if !isWithinTotal { throw .memoryExhausted(bytes: memory?.limit ?? 0) }
    }

    /// Whether the query has wanted more bytes than it may have.
    package var wentBeyondBudget: Bool { isBeyondBudget.load(ordering: .relaxed) }

    /// To be called with the times of each selection, before anything is read for it.
    package func admit(_ range: TimeRange) throws(QueryInterruption) {
        if let whole { return try whole.admit(range) }
        guard let bounds, let longest = bounds.longestRange, !range.isEmpty else { return }
        let (length, isLong) = range.end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        // A millisecond more: of ranges whose ends are both inside, as clients write them.
        if isLong || length - 1_000_000 > longest { throw .rangeTooLong(bounds.refusal()) }
    }

    /// Gives back bytes that are no longer held.
    package func release(bytes: Int) {
        if let whole { return whole.release(bytes: bytes) }
        usedBytes.subtract(bytes, ordering: .relaxed)
        memory?.give(bytes)
    }

    /// What is held now.
    package var heldBytes: Int { whole?.heldBytes ?? usedBytes.load(ordering: .relaxed) }

    /// Whether the answer lacks something, so far.
    package var isIncomplete: Bool { !statistics.warnings.isEmpty }

    package func noteCachedSteps(_ count: Int) { statistics.cachedSteps.add(count, ordering: .relaxed) }
}
