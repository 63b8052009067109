private import Synchronization

/// The bytes that all queries together may hold.
package final class QueryMemory: Sendable {
    package let limit: Int
    private let ledger: MemoryLedger
    private let used = Atomic<Int>(0)

    /// - Parameter ledger: while it is exhausted no query gets more.
    package init(limit: Int, ledger: MemoryLedger = MemoryLedger()) {
        self.limit = limit
        self.ledger = ledger
    }

    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// - Returns: whether all that is held is within the limit. What is taken counts either way, until it is given back.
    func take(_ bytes: Int) -> Bool {
        let isWithin = used.add(bytes, ordering: .relaxed).newValue <= limit
        return isWithin && !(bytes > 0 && ledger.isExhausted)
    }

    /// Whether another query may begin.
    var hasRoom: Bool { usedBytes < limit && !ledger.isExhausted }

    func give(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }
}

/// Bytes that a query holds as long as somebody refers to this.
package final class MemoryLease: @unchecked Sendable {
    private let context: QueryContext
    private var bytes = 0

    package init(_ context: QueryContext) { self.context = context }

    deinit { context.release(bytes: bytes) }

    /// Takes more; to be called by one thread at a time.
    package func extend(bytes more: Int) throws(QueryInterruption) {
        bytes += more
        try context.spend(bytes: more)
    }
}
