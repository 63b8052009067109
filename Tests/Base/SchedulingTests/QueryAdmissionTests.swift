import Core
import Observability
import Scheduling
import Synchronization
import Testing

/// Queries that wait for their turn.
struct QueryAdmissionTests {
    private static func admission(
        running: Int, waiting: Int = 100, wait: Duration = .seconds(20), memory: QueryMemory = QueryMemory(limit: 1000)
    ) -> QueryAdmission {
        QueryAdmission(.init(running: running, waiting: waiting, wait: wait), memory: memory)
    }

    /// A query that runs until it is told to end.
    private final class Held: Sendable {
        let state = Monitor(false)
        func end() { state.notifying { $0 = true } }
        func wait() { _ = state.wait { $0 ? true : nil } }
    }

    private static func hold(_ admission: QueryAdmission, _ held: Held) -> WorkerThread {
        let running = admission.running
        let thread = WorkerThread {
            try? admission.run(QueryContext(tenant: .default)) { held.wait() }
        }
        while admission.running == running {}
        return thread
    }

    @Test func `no more run at a time than may, and all have their turn`() {
        let admission = Self.admission(running: 3)
        let running = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let done = Atomic<Int>(0)
        let threads = (0..<20).map { _ in
            WorkerThread {
                try? admission.run(QueryContext(tenant: .default)) {
                    let now = running.add(1, ordering: .sequentiallyConsistent).newValue
                    most.max(now, ordering: .sequentiallyConsistent)
                    var hash: UInt64 = 1
                    for i in 0..<20_000 { hash = hash &* 31 &+ UInt64(i) }
                    running.subtract(hash == 0 ? 2 : 1, ordering: .sequentiallyConsistent)
                    done.add(1, ordering: .sequentiallyConsistent)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(done.load(ordering: .sequentiallyConsistent) == 20)
        #expect(most.load(ordering: .sequentiallyConsistent) <= 3)
        #expect(admission.running == 0 && admission.waiting == 0)
    }

    @Test func `one that waits too long is refused, and the next takes its place`() {
        let admission = Self.admission(running: 1, wait: .milliseconds(50))
        let held = Held()
        let thread = Self.hold(admission, held)
        #expect(throws: QueryAdmission.Refusal.waitedTooLong) {
            try admission.run(QueryContext(tenant: .default)) {}
        }
        #expect(admission.waiting == 0 && admission.refused.value == 1)
        held.end()
        thread.join()
        #expect(throws: Never.self) { try admission.run(QueryContext(tenant: .default)) {} }
    }

    @Test func `one that finds the queue full is refused at once`() {
        let admission = Self.admission(running: 1, waiting: 0)
        let held = Held()
        let thread = Self.hold(admission, held)
        #expect(throws: QueryAdmission.Refusal.queueFull) { try admission.run(QueryContext(tenant: .default)) {} }
        held.end()
        thread.join()
    }

    @Test func `one that is cancelled or times out leaves the queue`() {
        let admission = Self.admission(running: 1)
        let held = Held()
        let thread = Self.hold(admission, held)
        let cancelled = QueryContext(tenant: .default)
        cancelled.cancel()
        #expect(throws: QueryAdmission.Refusal.interrupted(.cancelled)) { try admission.run(cancelled) {} }
        let late = QueryContext(tenant: .default, timeout: .milliseconds(30))
        #expect(throws: QueryAdmission.Refusal.interrupted(.timedOut)) { try admission.run(late) {} }
        #expect(admission.waiting == 0)
        held.end()
        thread.join()
    }

    @Test func `a query waits while the others hold all memory, and runs if it is alone`() throws {
        let memory = QueryMemory(limit: 1000)
        let admission = Self.admission(running: 4, wait: .milliseconds(60), memory: memory)
        let context = QueryContext(tenant: .default, memory: memory)
        try context.spend(bytes: 1000)
        #expect(throws: Never.self) { try admission.run(QueryContext(tenant: .default)) {} }
        let held = Held()
        let thread = Self.hold(admission, held)
        #expect(throws: QueryAdmission.Refusal.waitedTooLong) {
            try admission.run(QueryContext(tenant: .default)) {}
        }
        context.release(bytes: 1)
        #expect(throws: Never.self) { try admission.run(QueryContext(tenant: .default)) {} }
        held.end()
        thread.join()
    }

    // MARK: Accounts

    @Test func `no more of an account run at a time than may, and others pass`() {
        let admission = Self.admission(running: 8)
        let account = QueryAccount(limit: 2)
        let most = Atomic<Int>(0)
        let others = Atomic<Int>(0)
        let threads = (0..<24).map { number in
            WorkerThread {
                let accounts = number % 3 == 0 ? [] : [account]
                try? admission.run(QueryContext(tenant: .default), of: accounts) {
                    if accounts.isEmpty { others.add(1, ordering: .sequentiallyConsistent) }
                    most.max(account.running, ordering: .sequentiallyConsistent)
                    var hash: UInt64 = 1
                    for i in 0..<20_000 { hash = hash &* 31 &+ UInt64(i) }
                    if hash == 0 { others.add(1, ordering: .sequentiallyConsistent) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(most.load(ordering: .sequentiallyConsistent) <= 2)
        #expect(others.load(ordering: .sequentiallyConsistent) == 8)
        #expect(account.isIdle && admission.running == 0 && admission.waiting == 0)
    }

    @Test func `a full account's query waits, and another's runs meanwhile`() throws {
        let admission = Self.admission(running: 4)
        let (account, held) = (QueryAccount(limit: 1), Held())
        let first = WorkerThread { try? admission.run(QueryContext(tenant: .default), of: [account]) { held.wait() } }
        while account.running == 0 {}
        let second = WorkerThread { try? admission.run(QueryContext(tenant: .default), of: [account]) {} }
        while account.waiting == 0 {}
        #expect(try admission.run(QueryContext(tenant: .default)) { 7 } == 7)
        #expect(try admission.run(QueryContext(tenant: .default), of: [QueryAccount(limit: 1)]) { 8 } == 8)
        #expect(account.waiting == 1 && account.running == 1)
        held.end()
        first.join()
        second.join()
        #expect(account.isIdle)
    }

    @Test func `whose account is full for too long is told so, and leaves nothing behind`() throws {
        let admission = Self.admission(running: 4, wait: .milliseconds(20))
        let (account, held) = (QueryAccount(limit: 1), Held())
        let first = WorkerThread { try? admission.run(QueryContext(tenant: .default), of: [account]) { held.wait() } }
        while account.running == 0 {}
        #expect(throws: QueryAdmission.Refusal.accountFull(account)) {
            try admission.run(QueryContext(tenant: .default), of: [account]) {}
        }
        #expect(account.waiting == 0)
        // A limit that is lifted holds at once.
        account.limit = nil
        #expect(try admission.run(QueryContext(tenant: .default), of: [account]) { 1 } == 1)
        held.end()
        first.join()
        #expect(account.isIdle)
    }

    @Test func `no more of an account wait than some`() {
        let admission = Self.admission(running: 1)
        let (account, held) = (QueryAccount(limit: 1), Held())
        let threads = (0..<17).map { _ in
            WorkerThread { try? admission.run(QueryContext(tenant: .default), of: [account]) { held.wait() } }
        }
        while account.running + account.waiting < 17 {}
        #expect(throws: QueryAdmission.Refusal.accountFull(account)) {
            try admission.run(QueryContext(tenant: .default), of: [account]) {}
        }
        held.end()
        for thread in threads { thread.join() }
        #expect(account.isIdle)
    }

    @Test func `a selection is as long as it may be, and no longer`() throws {
        let bounds = QueryBounds(longestRange: 3_600_000_000_000, refusal: { "too long" })
        let context = QueryContext(tenant: .default, bounds: bounds)
        func range(_ nanoseconds: Int64) -> TimeRange {
            TimeRange(start: Timestamp(nanoseconds: 5), end: Timestamp(nanoseconds: 5 + nanoseconds))
        }
        try context.admit(range(3_600_000_000_000))
        try context.admit(range(3_600_001_000_000))
        try context.admit(range(-1))
        let stage = QueryContext(stageOf: context, quarters: 1)
        for range in [range(3_600_001_000_001), .everything] {
            #expect(throws: QueryInterruption.rangeTooLong("too long")) { try context.admit(range) }
            #expect(throws: QueryInterruption.rangeTooLong("too long")) { try stage.admit(range) }
        }
        try QueryContext(tenant: .default).admit(.everything)
    }
}
