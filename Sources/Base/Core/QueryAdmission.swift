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

    private struct State {
        var running = 0
        /// Tickets of those that wait, oldest first.
        var waiting: [Int] = []
        var nextTicket = 0
    }

    package let limits: Limits
    /// A query begins only while all that run leave some of it.
    package let memory: QueryMemory
    private let state = Monitor(State())
    package let refused = Counter()

    package init(_ limits: Limits = Limits(), memory: QueryMemory = QueryMemory(limit: 2 << 30)) {
        precondition(limits.running > 0, "one query at least runs")
        self.limits = limits
        self.memory = memory
    }

    package var running: Int { state.withLock { $0.running } }
    package var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs a query once it is its turn.
    package func run<Result>(_ context: QueryContext, _ query: () -> Result) throws(Refusal) -> Result {
        try enter(context)
        defer { state.notifying { $0.running -= 1 } }
        return query()
    }

    private func enter(_ context: QueryContext) throws(Refusal) {
        let ticket: Int? = try state.withLock { state throws(Refusal) in
            if state.waiting.isEmpty, begin(&state) { return nil }
            guard state.waiting.count < limits.waiting else {
                refused.add()
                throw .queueFull
            }
            state.nextTicket += 1
            state.waiting.append(state.nextTicket)
            return state.nextTicket
        }
        guard let ticket else { return }
        let start = ContinuousClock.now
        defer {
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            context.statistics.add(queueTime: Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000))
        }
        let end = min(start + limits.wait, context.deadline ?? start + limits.wait)
        while true {
            // Looks up now and then: a query that is cancelled leaves the queue, and memory is given back without a call.
            let step = min(.milliseconds(20), end - ContinuousClock.now)
            let isIn: Bool? = state.wait(timeout: max(step, .zero)) { state in
                guard state.waiting.first == ticket, begin(&state) else { return nil }
                state.waiting.removeFirst()
                return true
            }
            if isIn == true {
                // Those behind it may have room too.
                state.notifying { _ in }
                return
            }
            do throws(QueryInterruption) {
                try context.check()
            } catch {
                leave(ticket)
                throw .interrupted(error)
            }
            guard ContinuousClock.now < end else {
                leave(ticket)
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

    private func leave(_ ticket: Int) {
        state.notifying { state in state.waiting.removeAll { $0 == ticket } }
    }
}
