package import Observability

/// Lets a number of queries run at a time, and others wait for their turn in the order in which they came.
package final class QueryAdmission: Sendable {
    package struct Limits: Hashable, Sendable {
        package var running: Int
        /// Queries that wait; beyond them one is refused at once.
        package var waiting: Int
        package var wait: Duration

        package init(running: Int = 16, waiting: Int = 256, wait: Duration = .seconds(10)) {
            self.running = running
            self.waiting = waiting
            self.wait = wait
        }
    }

    package enum Refusal: Error, Hashable, Sendable {
        /// Too many wait already.
        case queueFull
        /// Its turn did not come in time.
        case waitedTooLong
        case interrupted(QueryInterruption)
    }

    /// One that waits; it is told alone when its turn has come, so that the others sleep on.
    private final class Waiter: Sendable {
        let isIn = Monitor(false)
    }

    private struct State {
        var running = 0
        /// Oldest first.
        var waiting: [Waiter] = []
    }

    /// How often one that waits looks up: a query that is cancelled leaves the queue, and memory is given back without a call, which is
    /// enough for the first one to see.
    private static let lookingUp = (first: Duration.milliseconds(50), others: Duration.milliseconds(500))

    package let limits: Limits
    /// A query begins only while all that run leave some of it.
    package let memory: QueryMemory
    private let pool: QueryPool
    private let state = Monitor(State())
    package let refused = Counter()

    package init(
        _ limits: Limits = Limits(), memory: QueryMemory = QueryMemory(limit: 2 << 30),
        pool: QueryPool = .shared
    ) {
        precondition(limits.running > 0, "one query at least runs")
        self.limits = limits
        self.memory = memory
        self.pool = pool
    }

    package var running: Int { state.withLock { $0.running } }
    package var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs a query once it is its turn.
    package func run<Result>(_ context: QueryContext, _ query: () -> Result) throws(Refusal) -> Result {
        try enter(context)
        defer {
            state.withLock { $0.running -= 1 }
            admit()
        }
        return pool.running(query)
    }

    /// Lets those in whose turn it is.
    private func admit() {
        state.withLock { state in
            while let first = state.waiting.first, begin(&state) {
                state.waiting.removeFirst()
                first.isIn.notifying { $0 = true }
            }
        }
    }

    private func enter(_ context: QueryContext) throws(Refusal) {
        let waiter: Waiter? = try state.withLock { state throws(Refusal) in
            if state.waiting.isEmpty, begin(&state) { return nil }
            guard state.waiting.count < limits.waiting else {
                refused.add()
                throw .queueFull
            }
            let waiter = Waiter()
            state.waiting.append(waiter)
            return waiter
        }
        guard let waiter else { return }
        let start = ContinuousClock.now
        defer {
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            context.statistics.add(queueTime: Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000))
        }
        let end = min(start + limits.wait, context.deadline ?? start + limits.wait)
        while true {
            let pause = isFirst(waiter) ? Self.lookingUp.first : Self.lookingUp.others
            let step = max(min(pause, end - ContinuousClock.now), .zero)
            if waiter.isIn.wait(timeout: step, until: { $0 ? true : nil }) == true { return }
            admit()
            do throws(QueryInterruption) {
                try context.check()
            } catch {
                guard leave(waiter) else { return }
                throw .interrupted(error)
            }
            if ContinuousClock.now >= end {
                guard leave(waiter) else { return }
                refused.add()
                throw .waitedTooLong
            }
        }
    }

    private func begin(_ state: inout State) -> Bool {
        // One may always run, whatever it finds: nobody else would give anything back.
        guard state.running == 0 || (state.running < limits.running && memory.usedBytes < memory.limit) else {
            return false
        }
        state.running += 1
        return true
    }

    private func isFirst(_ waiter: Waiter) -> Bool { state.withLock { $0.waiting.first === waiter } }

    /// - Returns: false if it was let in meanwhile: then it runs.
    private func leave(_ waiter: Waiter) -> Bool {
        state.withLock { state in
            guard let slot = state.waiting.firstIndex(where: { $0 === waiter }) else { return false }
            state.waiting.remove(at: slot)
            return true
        }
    }
}
