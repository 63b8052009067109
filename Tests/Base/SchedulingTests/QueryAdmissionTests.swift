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
}
