import Core
import Scheduling
import Synchronization
import Testing

/// When memory is tight and when it is full, and what becomes of that.
struct MemoryLedgerTests {
    private final class Machine: Sendable {
        let resident = Atomic<Int>(0)
        let counted = Atomic<Int>(0)
        let shrunk = Atomic<Int>(0)
        let released = Atomic<Int>(0)
        let states = Mutex<[MemoryLedger.State]>([])

        func ledger(limit: Int = 1000) -> MemoryLedger {
            let ledger = MemoryLedger(
                limit: limit, resident: { self.resident.load(ordering: .relaxed) },
                release: { self.released.add(1, ordering: .relaxed) }
            ) { state, _ in self.states.withLock { $0.append(state) } }
            ledger.add(
                "cache", bytes: { self.counted.load(ordering: .relaxed) },
                shrink: { self.shrunk.add(1, ordering: .relaxed) })
            return ledger
        }

        func use(_ bytes: Int, _ ledger: MemoryLedger) -> MemoryLedger.State {
            resident.store(bytes, ordering: .relaxed)
            ledger.look()
            return ledger.state
        }
    }

    @Test func `a state is left below where it is entered`() {
        let machine = Machine()
        let ledger = machine.ledger()
        let steps: [(bytes: Int, state: MemoryLedger.State)] = [
            (499, .plenty), (500, .tight), (450, .tight), (599, .tight), (600, .full), (550, .full), (549, .tight),
            (449, .plenty), (740, .full), (750, .exhausted), (700, .exhausted), (699, .full), (800, .exhausted),
            (100, .plenty),
        ]
        for (bytes, state) in steps { #expect(machine.use(bytes, ledger) == state, "\(bytes) bytes") }
        #expect(
            machine.states.withLock { $0 } == [
                .tight, .full, .tight, .plenty, .full, .exhausted, .full, .exhausted, .plenty,
            ])
    }

    @Test func `what holders count is used, resident or not`() {
        let machine = Machine()
        let ledger = machine.ledger()
        machine.counted.store(860, ordering: .relaxed)
        #expect(machine.use(10, ledger) == .exhausted && ledger.used == 860)
        #expect(ledger.holders.map(\.name) == ["cache"] && ledger.holders[0].bytes() == 860)
    }

    @Test func `tight memory is given back, but not all the time`() {
        let machine = Machine()
        let ledger = machine.ledger()
        _ = machine.use(400, ledger)
        #expect(machine.shrunk.load(ordering: .relaxed) == 0)
        for _ in 0..<5 { _ = machine.use(550, ledger) }
        #expect(machine.shrunk.load(ordering: .relaxed) == 1 && machine.released.load(ordering: .relaxed) == 1)
    }

    @Test func `while it is full nothing is taken, and what is said has the numbers`() throws {
        let machine = Machine()
        let ledger = machine.ledger()
        try ledger.admit()
        _ = machine.use(640, ledger)
        #expect(ledger.isFull && !ledger.isExhausted)
        let refusal = #expect(throws: MemoryLedger.Full.self) { try ledger.admit() }
        #expect("\(refusal.map { "\($0)" } ?? "")".contains("640 of 1000 bytes"))
        _ = machine.use(100, ledger)
        try ledger.admit()
    }

    @Test func `without a limit nothing is asked`() throws {
        let ledger = MemoryLedger(resident: {
            Issue.record("nobody needs to know"); return nil
        })
        ledger.look()
        try ledger.admit()
        #expect(!ledger.isFull && !ledger.isTight && ledger.state == .plenty)
    }

    @Test func `queries get no more while memory is full, and the next ones wait`() throws {
        let machine = Machine()
        let ledger = machine.ledger()
        let memory = QueryMemory(limit: 1 << 20, ledger: ledger)
        let admission = QueryAdmission(
            QueryAdmission.Limits(running: 4, waiting: 1, wait: .milliseconds(20)), memory: memory)
        let context = QueryContext(tenant: .default, byteLimit: 1 << 20, memory: memory)
        try context.charge(100)
        _ = machine.use(900, ledger)
        #expect(throws: QueryInterruption.self) { try context.charge(100) }
        // One may always run; a second one waits in vain.
        let refused = try admission.run(context) { () -> Bool in
            do throws(QueryAdmission.Refusal) {
                try admission.run(context) {}
                return false
            } catch {
                return true
            }
        }
        #expect(refused)
    }
}

extension QueryContext {
    fileprivate func charge(_ bytes: Int) throws(QueryInterruption) { try spend(bytes: bytes) }
}
