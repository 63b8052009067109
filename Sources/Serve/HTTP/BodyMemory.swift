private import Synchronization

/// The share of one request in the memory that all bodies may take; given back when the request is done.
package final class BodyMemory: Sendable {
    /// What all requests of a server, or of several, hold together.
    package final class Pool: Sendable {
        private let limit: Int
        private let isFull: @Sendable () -> Bool
        private let used = Atomic<Int>(0)

        /// - Parameter isFull: whether nothing more is to be taken, whatever the limit is.
        package init(limit: Int, isFull: @escaping @Sendable () -> Bool = { false }) {
            self.limit = limit
            self.isFull = isFull
        }

        package var usedBytes: Int { used.load(ordering: .relaxed) }

        package func take(_ count: Int) -> Bool {
            if isFull() { return false }
            if used.add(count, ordering: .relaxed).newValue <= limit { return true }
            used.subtract(count, ordering: .relaxed)
            return false
        }

        func giveBack(_ count: Int) { used.subtract(count, ordering: .relaxed) }
    }

    private let pool: Pool
    private let held = Atomic<Int>(0)

    package init(pool: Pool) { self.pool = pool }

    deinit { pool.giveBack(held.load(ordering: .relaxed)) }

    /// - Returns: false if there is no room for so many bytes.
    package func reserve(_ count: Int) -> Bool {
        guard pool.take(count) else { return false }
        held.add(count, ordering: .relaxed)
        return true
    }
}
