import Core
import EngineFixtures
import Glibc
import Ingest
import Scheduling
import Simulation
import Storage
import Synchronization
import Testing

/// Clients, readers and the flush at once: nobody sees a row twice, or one less than before.
struct ConcurrencyTests {
    /// Of each client; each has three rows.
    private static let requests = 300
    /// After so many a client waits for a flush of what it sent, so that no machine is fast enough to pass the flush.
    private static let requestsPerFlush = 30

    private struct Report: Sendable {
        var acknowledged: Set<SentRow> = []
        var faults: [String] = []
        var clients = 0
        var flushes = 0
    }

    @Test func `8, 10: rows are there once from their answer on, whatever is flushed meanwhile`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let engine = try SimulatedEngine(on: disk, TestTables())
        let state = Mutex(Report())
        let workers = [engine.worker.start(), engine.worker.startSealing()]
        nonisolated(unsafe) let shared = engine
        let clients = (0..<3).map { client in
            WorkerThread {
                for number in 0..<Self.requests {
                    if number % Self.requestsPerFlush == 0, number > 0 {
                        // The first to end may have begun before the last request.
                        let next = state.withLock { $0.flushes } + 2
                        while state.withLock({ $0.flushes < next }) { usleep(500) }
                    }
                    let rows = (0..<3).map {
                        SentRow(tenant: .default, isSpan: client == 1, number: client * 100_000 + number * 10 + $0)
                    }
                    do {
                        try shared.ingest(rows)
                        state.withLock { $0.acknowledged.formUnion(rows) }
                    } catch {
                        state.withLock { $0.faults.append("\(error)") }
                    }
                    if number % 7 == client { shared.worker.wake() }
                }
                state.withLock { $0.clients += 1 }
            }
        }
        let reader = WorkerThread {
            var shown: Set<SentRow> = []
            var isLast = false
            while !isLast {
                isLast = state.withLock { $0.clients == 3 }
                let acknowledged = state.withLock { $0.acknowledged }
                guard let found = try? shared.rows(of: .default) else {
                    state.withLock { $0.faults.append("a scan failed") }
                    return
                }
                let twice = found.first { $0.value > 1 }?.key
                let gone = acknowledged.union(shown).first { found[$0] == nil }
                shown = Set(found.keys)
                if twice != nil || gone != nil {
                    state.withLock { $0.faults.append("twice: \(twice as Any), gone: \(gone as Any)") }
                    return
                }
            }
        }
        // While they work, everything is flushed again and again.
        while state.withLock({ $0.clients < 3 }) {
            try engine.worker.flushAll()
            state.withLock { $0.flushes += 1 }
        }
        for client in clients { client.join() }
        reader.join()
        engine.worker.stop()
        for worker in workers { worker.join() }
        let report = state.withLock { $0 }
        #expect(report.faults.isEmpty, "\(report.faults)")
        #expect(report.acknowledged.count == 9 * Self.requests)
        #expect(engine.store.allParts.values.joined().count >= Self.requests / Self.requestsPerFlush - 1)
        engine.close()
        // All of it is in parts, so none of the log is left to replay.
        disk.crash()
        let again = try SimulatedEngine(on: disk, TestTables())
        #expect(try again.rows(of: .default).count == 9 * Self.requests)
        #expect(again.store.allParts.values.joined().reduce(0) { $0 + $1.record.rowCount } == 9 * Self.requests)
        again.close()
    }
}
