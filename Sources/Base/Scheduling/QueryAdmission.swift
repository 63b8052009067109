package import Observability

/// Lets a number of queries run at a time, in all and of each account, and others wait for their turn in the order in which they came;
/// those whose account is full let others pass.
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
        /// As many of its account run as may, and too many wait, or its turn did not come in time.
        case accountFull(QueryAccount)
        case interrupted(QueryInterruption)
    }

    /// One that waits; it is told alone when its turn has come, so that the others sleep on.
    private final class Waiter: Sendable {
        let isIn = Monitor(false)
        let accounts: [QueryAccount]

        init(_ accounts: [QueryAccount]) { self.accounts = accounts }

        /// One that keeps it from running, whoever else does.
        var full: QueryAccount? { accounts.first(where: \.isFull) }
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
    ///
    /// - Parameter accounts: in which it counts.
    package func run<Result>(
        _ context: QueryContext, of accounts: [QueryAccount] = [], _ query: () -> Result
    ) throws(Refusal) -> Result {
        try enter(context, accounts)
        defer {
            state.withLock { state in
                state.running -= 1
                for account in accounts { account.end() }
            }
            admit()
        }
        return pool.running(query)
    }

    /// Lets those in whose turn it is.
    private func admit() {
        state.withLock { state in
            while let place = state.waiting.firstIndex(where: { $0.full == nil }),
                begin(state.waiting[place].accounts, &state)
            {
                let waiter = remove(place, from: &state)
                waiter.isIn.notifying { $0 = true }
            }
        }
    }

    private func enter(_ context: QueryContext, _ accounts: [QueryAccount]) throws(Refusal) {
        let waiter: Waiter? = try state.withLock { state throws(Refusal) in
            let full = accounts.first(where: \.isFull)
            if full == nil, !state.waiting.contains(where: { $0.full == nil }), begin(accounts, &state) { return nil }
            if let crowded = accounts.first(where: \.isCrowded) {
                refused.add()
                throw .accountFull(crowded)
            }
            guard state.waiting.count < limits.waiting else {
                refused.add()
                throw .queueFull
            }
            let waiter = Waiter(accounts)
            state.waiting.append(waiter)
            for account in accounts { account.beginWaiting() }
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
                let full = waiter.full
                guard leave(waiter) else { return }
                refused.add()
                if let full { throw .accountFull(full) }
                throw .waitedTooLong
            }
        }
    }

    private func remove(_ place: Int, from state: inout State) -> Waiter {
        let waiter = state.waiting.remove(at: place)
        for account in waiter.accounts { account.endWaiting() }
        return waiter
    }

    private func begin(_ accounts: [QueryAccount], _ state: inout State) -> Bool {
        // One may always run, whatever it finds: nobody else would give anything back.
        guard state.running == 0 || (state.running < limits.running && memory.hasRoom) else {
            return false
        }
        state.running += 1
        for account in accounts { account.begin() }
        return true
    }

    private func isFirst(_ waiter: Waiter) -> Bool { state.withLock { $0.waiting.first === waiter } }

    /// - Returns: false if it was let in meanwhile: then it runs.
    private func leave(_ waiter: Waiter) -> Bool {
        state.withLock { state in
            guard let slot = state.waiting.firstIndex(where: { $0 === waiter }) else { return false }
            _ = remove(slot, from: &state)
            return true
        }
    }
}
