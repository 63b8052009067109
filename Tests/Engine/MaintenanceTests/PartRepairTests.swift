import Columns
import Core
import EngineFixtures
import Files
import Maintenance
import Parts
import Randomness
import Storage
import Synchronization
import TableSchema
import Testing

/// Merges of parts with damaged pages: what can be read is merged, once, and what cannot is kept in quarantine.
struct PartRepairTests {
    private final class Events: Sendable {
        private let repaired = Mutex<[PartRepair]>([])
        private let errors = Mutex<[String]>([])

        func add(_ event: MaintenanceEvent) {
            if case .repaired(let repairing) = event { repaired.withLock { $0.append(repairing) } }
        }
        func add(_ error: MaintenanceError) { errors.withLock { $0.append("\(error)") } }
        var all: [PartRepair] { repaired.withLock { $0 } }
        var failures: [String] { errors.withLock { $0 } }
    }

    private func worker(_ test: TestStore, _ events: Events) -> MaintenanceWorker {
        var policy = MaintenanceWorker.Policy()
        policy.merge?.newParts = 2
        policy.merge?.mostNewParts = 2
        policy.retention = nil
        return MaintenanceWorker(
            test.store, policy: policy, clock: { Timestamp(nanoseconds: 0) }, progress: { events.add($0) },
            report: { events.add($0) })
    }

    /// Until there is nothing more to do, with failures forgotten in between.
    private func settle(_ worker: MaintenanceWorker) {
        for round in 0..<Int64(12) {
            while worker.runOnce(now: Timestamp(nanoseconds: round * 20_000_000_000_000)) {}
        }
    }

    private func path(_ record: PartRecord, _ test: TestStore) -> String {
        Store.path(record, test.table, test.store.directory)
    }

    /// The rows of the blocks that can be read, block by block.
    private func readable(_ record: PartRecord, _ test: TestStore) throws -> [[Cell]: Int] {
        let part = try test.store.open(record)
        var rows: [[Cell]: Int] = [:]
        for block in 0..<part.blockCount where part.canRead(block: block) {
            for row in try TestStore.rows(part, block: block) { rows[row, default: 0] += 1 }
        }
        return rows
    }

    private func total(_ counts: [[Cell]: Int]) -> Int { counts.values.reduce(0, +) }

    /// Of a disk with flipped bits in pages, footers spared.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `every row of a block that can be read survives the merges, once`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let test = try TestStore(seed % 2 == 0 ? .minutes : .keys)
        for _ in 0..<3 {
            let rows = Int.random(in: 8200...8600, using: &random)
            try test.flush(AnyTable.batch(AnyTable.Style(rows: rows, keys: 3, texts: 30, attributes: 1), &random))
        }
        let before = try test.contents()
        let inputs = test.records
        for record in inputs.prefix(Int.random(in: 1...3, using: &random)) {
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                test.damage(path(record, test), at: Int.random(in: 20..<Int(record.byteCount / 2), using: &random))
            }
        }
        var good: [[Cell]: Int] = [:]
        for record in inputs { good.merge(try readable(record, test), uniquingKeysWith: +) }
        let events = Events()
        let worker = worker(test, events)
        settle(worker)
        var after: [[Cell]: Int] = [:]
        for record in test.records { after.merge(try readable(record, test), uniquingKeysWith: +) }
        for (row, count) in good where after[row, default: 0] < count {
            Issue.record("seed \(seed): a row of a whole block is gone")
            return
        }
        for (row, count) in after where before[row, default: 0] < count {
            Issue.record("seed \(seed): a row is there twice, or never was")
            return
        }
        let lost = total(before) - test.records.reduce(0) { $0 + $1.rowCount }
        #expect(worker.statistics.total(\.lostRows) == lost, "seed \(seed)")
        #expect(events.all.reduce(0) { $0 + $1.lostRows } == lost, "seed \(seed)")
        let notes = test.files(".txt").filter { $0.contains("/quarantine/") }
        #expect(notes.count == events.all.count, "seed \(seed)")
        #expect(test.records.count == 1 || !events.failures.isEmpty, "seed \(seed)")
    }

    @Test func `the damaged pages are kept, byte by byte, with a note of what was lost`() throws {
        var random = SeededRandom(seed: 7)
        let test = try TestStore(.minutes)
        for _ in 0..<3 {
            try test.flush(AnyTable.batch(AnyTable.Style(rows: 9000, keys: 3, texts: 9, attributes: 1), &random))
        }
        let broken = test.records[1]
        test.damage(path(broken, test), at: 30)
        let bytes = try test.store.fileSystem.open(path(broken, test))
            .readExactly(at: 0, count: Int(broken.byteCount))
        let events = Events()
        settle(worker(test, events))
        let repairing = try #require(events.all.first)
        #expect(events.all.count == 1 && repairing.part == broken)
        #expect(repairing.output.rowCount == broken.rowCount - repairing.loss.rowCount)
        let disk = test.store.fileSystem
        func text(_ path: String) throws -> [UInt8] {
            let file = try disk.open(path)
            return try file.readExactly(at: 0, count: Int(file.size()))
        }
        let note = try String(decoding: text(repairing.quarantined + ".txt"), as: UTF8.self)
        #expect(note.contains("lost: \(repairing.loss.rowCount) rows from 1970-01-01T00:"))
        #expect(note.contains("what: part \(broken.id.number) of \(test.table.name), tenant "))
        let line = try #require(note.split(separator: "\n").first { $0.hasPrefix("bytes: ") })
        let places = line.dropFirst(7).split(separator: ", ").map { range in
            range.split(separator: "..<").compactMap { Int($0) }
        }
        #expect(try text(repairing.quarantined) == places.flatMap { bytes[$0[0]..<$0[1]] })
        #expect(places.contains { $0[0] <= 30 && 30 < $0[1] })
    }

    @Test func `a part of which no block would be left stays as it is, and is reported`() throws {
        var random = SeededRandom(seed: 8)
        let test = try TestStore(.minutes)
        for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)) }
        let broken = test.records[1]
        test.damage(path(broken, test), at: 30)
        let events = Events()
        settle(worker(test, events))
        #expect(events.all.isEmpty && events.failures.count == 1)
        #expect(test.records.count == 2 && test.records.contains(broken))
        #expect(test.files(".txt").isEmpty)
    }

    @Test func `a crash while a part is repaired loses no row of a whole block`() throws {
        for step in stride(from: 1, through: 60, by: 2) {
            var random = SeededRandom(seed: 9)
            let disk = SimulatedFileSystem(seed: UInt64(step))
            var good: [[Cell]: Int] = [:]
            do {
                let test = try TestStore(.minutes, disk: disk)
                try test.flush(
                    AnyTable.batch(AnyTable.Style(rows: 8300, keys: 2, texts: 5, attributes: 0), &random))
                let record = test.records[0]
                test.damage(path(record, test), at: 30)
                good = try readable(record, test)
                disk.setPlan(.crash(at: disk.operationCount + step))
                do { _ = try MergeExecutor(test.store).repair(record) } catch {}
            }
            let isOver = !disk.isDown
            if step % 4 == 1 { disk.kill() } else { disk.crash() }
            let test = try TestStore(.minutes, disk: disk)
            #expect(test.records.count == 1, "step \(step)")
            #expect(
                try test.records.reduce(into: [:]) { rows, record in
                    rows.merge(try readable(record, test), uniquingKeysWith: +)
                } == good, "step \(step)")
            if isOver { return }
        }
    }
}
