import Columns
import Core
import EngineFixtures
import Files
import Ingest
import Parts
import Randomness
import Scheduling
import Simulation
import Storage
import TableSchema
import Testing

/// Rows become parts in memory, and these the store's parts as they are. The numbers are the invariants of `Catalog`.
struct SealingTests {
    private let disk = SimulatedFileSystem(seed: 1)
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func engine() throws -> SimulatedEngine { try SimulatedEngine(on: disk, tables) }

    private func logs(_ numbers: Range<Int>, day: Int = 0) -> [SentRow] {
        numbers.map { SentRow(tenant: .default, isSpan: false, number: $0, day: day) }
    }

    private func snapshot(_ engine: SimulatedEngine) -> TableSnapshot {
        engine.logs.snapshot(.default, in: .everything)
    }

    private var files: [String] { disk.files.filter { $0.hasSuffix(".vp") } }

    @Test func `8: a row is in memory, in a sealed part and in a part on the disk one after the other`() throws {
        let engine = try engine()
        let rows = logs(0..<5)
        try engine.ingest(rows)
        #expect(snapshot(engine).memory.count == 1 && snapshot(engine).parts.isEmpty)
        let before = snapshot(engine)

        try engine.worker.seal(all: true)
        let sealed = snapshot(engine)
        #expect(sealed.memory.isEmpty && sealed.parts.map(\.record.rowCount) == [5])
        #expect(sealed.parts.map(\.record.level) == [0])
        #expect(files.isEmpty && engine.store.allParts.isEmpty)
        #expect(try engine.rows(of: .default) == Dictionary(uniqueKeysWithValues: rows.map { ($0, 1) }))

        try engine.worker.flushNow(all: false)
        let flushed = snapshot(engine)
        // The same handle: what queries keep of the part stays good.
        #expect(flushed.parts.count == 1 && flushed.parts[0] === sealed.parts[0])
        #expect(flushed.memory.isEmpty && files.count == 1)
        #expect(engine.worker.memtableBytes == 0)
        #expect(try engine.rows(of: .default) == Dictionary(uniqueKeysWithValues: rows.map { ($0, 1) }))
        // Snapshots from before see what they saw.
        for held in [before, sealed] { #expect(try Self.rowCount(held) == 5) }

        engine.close()
        disk.crash()
        let again = try self.engine()
        #expect(snapshot(again).memory.isEmpty)
        #expect(try again.rows(of: .default) == Dictionary(uniqueKeysWithValues: rows.map { ($0, 1) }))
        again.close()
    }

    private static func rowCount(_ snapshot: TableSnapshot) throws -> Int {
        var count = 0
        let time = try #require(snapshot.table.ordinal(of: snapshot.table.partitionColumn))
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [time]), context: QueryContext(tenant: .default))
        try scan.run { block in
            count += block.rows.count
            return true
        }
        return count
    }

    @Test func `the file of a part has the bytes that it was sealed with`() throws {
        let engine = try engine()
        try engine.ingest(logs(0..<40))
        try engine.worker.seal(all: true)
        let handle = try #require(snapshot(engine).parts.first)
        let part = try handle.part()
        let time = try #require(snapshot(engine).table.ordinal(of: snapshot(engine).table.partitionColumn))
        guard case .integers(let sealed) = try part.read(time, block: 0) else { return }
        try engine.worker.flushNow(all: false)
        #expect(try disk.size(of: handle.path) == handle.record.byteCount)
        // The part that was opened in memory reads the file now.
        guard case .integers(let read) = try part.read(time, block: 0) else { return }
        #expect(read.array == sealed.array && read.count == 40)
        // And who opens the file finds the same.
        let reopened = try engine.store.open(handle.record)
        guard case .integers(let opened) = try reopened.read(time, block: 0) else { return }
        #expect(opened.array == sealed.array)
        engine.close()
    }

    @Test func `10: rows that are not durable are not sealed, and are forgotten`() throws {
        let engine = try engine()
        try engine.ingest(logs(0..<3))
        disk.setPlan(.fail(at: disk.operationCount, code: 5, count: 2))
        #expect(throws: (any Error).self) { try engine.ingest(logs(3..<6)) }
        disk.setPlan(nil)
        try? engine.worker.seal(all: true)
        #expect(try engine.rows(of: .default).count == 3)
        try engine.worker.flushNow(all: true)
        #expect(try engine.rows(of: .default).count == 3)
        try engine.ingest(logs(6..<8))
        try engine.worker.flushNow(all: true)
        #expect(Set(try engine.rows(of: .default).keys.map(\.number)) == [0, 1, 2, 6, 7])
        engine.close()
    }

    @Test func `what is sealed stays in memory while the disk refuses it, and goes there once it can`() throws {
        let engine = try engine()
        try engine.ingest(logs(0..<3))
        try engine.worker.seal(all: true)
        try engine.ingest(logs(3..<6))
        try engine.worker.seal(all: true)
        let sealed = snapshot(engine).parts
        #expect(sealed.count == 2)
        disk.setFull(true)
        #expect(throws: StorageError.self) { try engine.worker.flushNow(all: false) }
        #expect(try engine.rows(of: .default).count == 6)
        #expect(engine.worker.memtableBytes > 0)
        disk.setFull(false)
        try engine.worker.flushNow(all: false)
        #expect(Set(snapshot(engine).parts.map(\.record.id)) == Set(sealed.map(\.record.id)))
        #expect(try engine.rows(of: .default).count == 6)
        #expect(engine.worker.memtableBytes == 0 && files.count == 2)
        engine.close()
    }

    @Test func `5: rows of several partitions become a part each, which are flushed together`() throws {
        let engine = try engine()
        try engine.ingest(logs(0..<2, day: 0) + logs(2..<5, day: 1) + logs(5..<6, day: 2))
        try engine.worker.seal(all: true)
        #expect(snapshot(engine).parts.map(\.record.rowCount).sorted() == [1, 2, 3])
        #expect(Set(snapshot(engine).parts.map(\.record.partition)).count == 3)
        let range = TimeRange(
            start: Timestamp(nanoseconds: logs(2..<3, day: 1)[0].time),
            end: Timestamp(nanoseconds: logs(4..<5, day: 1)[0].time))
        #expect(engine.logs.snapshot(.default, in: range).parts.map(\.record.rowCount) == [3])
        try engine.worker.flushNow(all: false)
        #expect(files.count == 3)
        engine.close()
    }

    @Test(arguments: 1...20)
    func `10: rows are there once, whatever is sealed and flushed in between`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let engine = try engine()
        var sent: [SentRow: Int] = [:]
        var next = 0
        for _ in 0..<60 {
            switch random.below(5) {
            case 0: try engine.worker.seal(all: random.oneIn(2))
            case 1: try engine.worker.flushNow(all: random.oneIn(2))
            default:
                let rows = logs(next..<(next + 1 + random.below(5)), day: random.below(3))
                next += rows.count
                try engine.ingest(rows)
                for row in rows { sent[row] = 1 }
            }
            #expect(try engine.rows(of: .default) == sent, "seed \(seed)")
        }
        engine.close()
        disk.crash()
        let again = try self.engine()
        #expect(try again.rows(of: .default) == sent, "seed \(seed)")
        again.close()
    }
}
