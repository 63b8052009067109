import Core
import EngineFixtures
import Files
import Glibc
import Ingest
import Randomness
import Scheduling
import Storage
import Synchronization
import Testing

/// The write-ahead log by itself: order, damage, and segments that go.
struct WriteAheadLogTests {
    private static let first = "/wal/0000000001.wal"

    private func request(_ number: Int, length: Int = 20) -> LoggedRequest {
        var random = SeededRandom(seed: UInt64(number))
        return LoggedRequest(
            signal: [.traces, .logs, .metrics][number % 3], format: number % 2 == 0 ? .protobuf : .json,
            coding: [.identity, .gzip, .zstd, .deflate][number % 4],
            tenant: TenantID(number % 5 == 0 ? "other" : "default") ?? .default, received: Int64(number) - 3,
            times: number % 7 < 3 ? Int64.min...Int64(number) : nil,
            body: UInt64(number).littleEndianBytes + random.bytes(length))
    }

    private func number(_ record: ReplayedRequest) -> Int {
        Int(record.request.body.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) })
    }

    /// Opens the log, and answers what it replays.
    private func open(
        _ disk: SimulatedFileSystem, flushed: UInt64 = 0
    ) throws -> (log: WriteAheadLog, records: [ReplayedRequest], scans: [SegmentScan]) {
        let log = WriteAheadLog(directory: "/wal", fileSystem: disk, durability: .fsync, flushed: flushed)
        var records: [ReplayedRequest] = []
        var scans: [SegmentScan] = []
        try log.start(report: { scans.append($1) }, replay: { records.append($0) })
        return (log, records, scans)
    }

    /// A disk with one segment of records 0 to `count - 1`, and where each record ends.
    private func filled(_ count: Int) throws -> (disk: SimulatedFileSystem, ends: [Int]) {
        let disk = SimulatedFileSystem(seed: 1)
        let log = try open(disk).log
        var ends = [disk.bytes(of: Self.first)?.count ?? 0]
        for number in 0..<count {
            try log.wait(for: log.enqueue(request(number)))
            ends.append(disk.bytes(of: Self.first)?.count ?? 0)
        }
        log.close()
        return (disk, ends)
    }

    @Test func `segments that were flushed before the start go at the start`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        func segments() -> [String] { disk.files.filter { $0.hasSuffix(".wal") } }
        /// A server that takes some records and dies.
        func run(flushed: UInt64, adding count: Int) throws -> [UInt64] {
            let log = WriteAheadLog(directory: "/wal", fileSystem: disk, durability: .fsync, flushed: flushed)
            var replayed: [UInt64] = []
            try log.start(
                wasFlushed: { $0.position <= flushed }, report: { _, _ in }, replay: { replayed.append($0.position) })
            for number in 0..<count { try log.wait(for: log.enqueue(request(number))) }
            log.close()
            return replayed
        }
        #expect(try run(flushed: 0, adding: 3) == [])
        #expect(try run(flushed: 0, adding: 2) == [1, 2, 3])
        #expect(segments().count == 2)
        // The second segment has a record that is in no part yet.
        #expect(try run(flushed: 4, adding: 0) == [1, 2, 3, 4, 5])
        #expect(segments().count == 2 && !segments().contains(Self.first))
        #expect(try run(flushed: 4, adding: 1) == [4, 5])
        for round in 0..<5 as Range<UInt64> {
            // A crash loop: each run flushes what the one before took.
            #expect(try run(flushed: 6 + round, adding: 1) == (round == 0 ? [4, 5, 6] : [6 + round]))
            #expect(segments().count == 1, "round \(round)")
        }
    }

    @Test func `a segment that is written by docs/FORMAT.md is read`() throws {
        func checksum(_ bytes: [UInt8], seed: UInt64) -> UInt64 { bytes.withUnsafeBytes { XXH3.hash($0, seed: seed) } }
        let salt: [UInt8] = [9, 8, 7, 6]
        let begin = Array("VARVEWAL".utf8) + [1, 0, 0, 0] + salt + UInt64(41).littleEndianBytes
        let body: [UInt8] = [1, 2, 3]
        let head: [UInt8] =
            [3, 0, 0, 0, 2, 1, 3, 4] + UInt64(42).littleEndianBytes + UInt64(bitPattern: -5).littleEndianBytes
        let tenant = Array("acme".utf8)
        let seed = checksum(head + tenant, seed: 0x0607_0809)
        let bytes =
            begin + checksum(begin, seed: 0).littleEndianBytes + head + checksum(body, seed: seed).littleEndianBytes
            + tenant + body
        let disk = SimulatedFileSystem(seed: 1)
        try disk.createDirectory("/wal")
        _ = try disk.open(Self.first, .create)
        disk.edit(Self.first) { $0 = bytes }
        let (log, records, scans) = try open(disk)
        log.close()
        let record = try #require(records.first)
        #expect(record.position == 42 && record.request.signal == .logs && record.request.format == .json)
        #expect(record.request.coding == .deflate && record.request.tenant.name == "acme")
        #expect(record.request.received == -5 && record.request.body == body)
        #expect(records.count == 1 && scans.map(\.durableBefore) == [41] && scans.map(\.tornBytes) == [0])
    }

    @Test func `every field of a record comes back, in order`() throws {
        let (disk, _) = try filled(12)
        let (log, records, scans) = try open(disk)
        log.close()
        #expect(records.map(number) == Array(0..<12))
        #expect(records.map(\.position) == Array(1...12))
        for (record, expected) in zip(records, (0..<12).map { request($0) }) {
            #expect(record.request.signal == expected.signal && record.request.format == expected.format)
            #expect(record.request.coding == expected.coding && record.request.tenant == expected.tenant)
            #expect(record.request.times == expected.times)
            #expect(record.request.received == expected.received && record.request.body == expected.body)
        }
        #expect(scans.map(\.tornBytes) == [0] && scans.map(\.skippedRecords) == [0])
    }

    @Test func `a segment that ends anywhere has the records before`() throws {
        let (original, ends) = try filled(4)
        let whole = try #require(original.bytes(of: Self.first))
        for end in 0...whole.count {
            let disk = try filled(4).disk
            disk.edit(Self.first) { $0 = Array(whole[..<end]) }
            let (log, records, scans) = try open(disk)
            log.close()
            let expected = ends.lastIndex { $0 <= end } ?? 0
            #expect(records.map(number) == Array(0..<expected), "cut at \(end)")
            let whole = ends.contains(end) ? 0 : end - (ends.last { $0 <= end } ?? 0)
            #expect(scans.first?.tornBytes == Int64(whole), "cut at \(end)")
        }
    }

    @Test func `a damaged record is skipped and counted, those behind it are not`() throws {
        let (_, ends) = try filled(5)
        for at in stride(from: ends[2], to: ends[3], by: 1) {
            let disk = try filled(5).disk
            disk.edit(Self.first) { $0[at] ^= 0x20 }
            let (log, records, scans) = try open(disk)
            log.close()
            #expect(records.map(number) == [0, 1, 3, 4], "byte \(at)")
            #expect(scans.map(\.skippedRecords) == [1])
            #expect(scans.map(\.skippedBytes) == [Int64(ends[3] - ends[2])])
        }
    }

    @Test func `damaged records are copied to quarantine, and the segment goes on to be read`() throws {
        let (_, ends) = try filled(5)
        let disk = try filled(5).disk
        disk.edit(Self.first) { $0[ends[2] + 40] ^= 0x20 }
        let damaged = try #require(disk.bytes(of: Self.first))[ends[2]..<ends[3]]
        let log = WriteAheadLog(
            directory: "/wal", fileSystem: disk, durability: .fsync, flushed: 0,
            quarantine: Quarantine(directory: "", fileSystem: disk))
        var records: [Int] = []
        try log.start(report: { _, _ in }, replay: { records.append(number($0)) })
        log.close()
        #expect(records == [0, 1, 3, 4])
        let kept = try #require(disk.files.first { $0.hasPrefix("/quarantine/") && !$0.hasSuffix(".txt") })
        #expect(kept.hasSuffix("@\(ends[2])") && disk.bytes(of: kept) == Array(damaged))
        let note = String(decoding: disk.bytes(of: kept + ".txt") ?? [], as: UTF8.self)
        #expect(note.contains(Self.first) && note.contains("\(ends[2])..<\(ends[3])"))
    }

    @Test func `an end that a later segment knows to be whole is damage, not torn`() throws {
        let (disk, ends) = try filled(4)
        try open(disk).log.close()
        disk.edit(Self.first) { $0[ends[3] + 5] ^= 1 }
        let (log, records, scans) = try open(disk)
        log.close()
        #expect(records.map(number) == [0, 1, 2])
        #expect(scans.first?.skippedRecords == 1 && scans.first?.tornBytes == 0)
        #expect(scans.first?.skippedBytes == Int64(ends[4] - ends[3]))
    }

    @Test func `a segment of a newer format is refused by name`() throws {
        let (disk, _) = try filled(2)
        disk.edit(Self.first) { bytes in
            bytes[8] = 3
            bytes.replaceSubrange(24..<32, with: XXH3.hash(Array(bytes[..<24])).littleEndianBytes)
        }
        #expect(throws: FileError.newerFormat(Self.first)) { try open(disk) }
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `a damaged log is read, and a record that it gives was written`(seed: UInt64) throws {
        let (disk, _) = try filled(8)
        var random = SeededRandom(seed: seed)
        disk.edit(Self.first) { bytes in
            for _ in 0..<(1 + random.below(6)) {
                let at = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(contentsOf: random.bytes(random.below(40)), at: at)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + random.below(40)))
                default: bytes += random.bytes(random.below(90))
                }
                if bytes.isEmpty { bytes = [0] }
            }
        }
        // The version may be damaged along with its checksum only by chance.
        guard let (log, records, _) = try? open(disk) else { return }
        log.close()
        for record in records {
            #expect(record.request.body == request(number(record)).body)
            #expect(record.position == UInt64(number(record) + 1))
        }
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.position < $1.position })
    }

    @Test func `positions go on over segments, and above what is in parts`() throws {
        let (disk, _) = try filled(3)
        var log = try open(disk).log
        #expect(try log.enqueue(request(3)) == 4)
        log.close()
        log = try open(disk).log
        #expect(log.durablePosition == 4)
        log.close()
        log = try open(disk, flushed: 90).log
        #expect(try log.enqueue(request(4)) == 91)
        log.close()
        #expect(try open(disk).records.map(\.position) == [1, 2, 3, 4, 91])
    }

    @Test func `a segment goes once all its records are in parts`() throws {
        let (disk, _) = try filled(3)
        let log = try open(disk).log
        try log.wait(for: log.enqueue(request(3)))
        log.release(through: 2)
        #expect(disk.files.filter { $0.hasPrefix("/wal") }.count == 2)
        log.release(through: 3)
        #expect(disk.files.filter { $0.hasPrefix("/wal") } == ["/wal/0000000002.wal"])
        // The segment that is written to stays.
        log.release(through: 100)
        #expect(disk.files.filter { $0.hasPrefix("/wal") } == ["/wal/0000000002.wal"])
        log.close()
        #expect(try open(disk, flushed: 3).records.map(number) == [3])
    }

    @Test func `a segment that is long enough is followed by another`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        var log = WriteAheadLog(
            directory: "/wal", fileSystem: disk, durability: .fsync, flushed: 0, segmentLength: 500)
        try log.start(report: { _, _ in }, replay: { _ in })
        for number in 0..<40 { try log.wait(for: log.enqueue(request(number))) }
        let segments = disk.files.filter { $0.hasPrefix("/wal") }
        #expect(segments.count > 5)
        #expect(segments.dropLast().allSatisfy { (500..<650).contains(disk.bytes(of: $0)?.count ?? 0) })
        log.release(through: 20)
        #expect(disk.files.count < segments.count)
        log.close()
        disk.crash()
        let (again, records, scans) = try open(disk)
        log = again
        #expect(records.map(number) == Array((40 - records.count)..<40) && records.count >= 20)
        // Each segment says how far those before it go.
        #expect(scans.map(\.durableBefore) == scans.map(\.durableBefore).sorted())
        log.close()
    }

    @Test(arguments: [EIO, ENOSPC], [0, 1])
    func `after a failure nothing is taken until a new segment has begun, which disowns what failed`(
        code: Int32, operation: Int
    ) throws {
        let disk = SimulatedFileSystem(seed: UInt64(code) + 8)
        let log = try open(disk).log
        try log.wait(for: log.enqueue(request(0)))
        // The write, or the sync, of the next record.
        disk.setPlan(.fail(at: disk.operationCount + 1 + operation, code: code, count: 1))
        let lost = try log.enqueue(request(1))
        #expect(throws: IngestError.self) { try log.wait(for: lost) }
        #expect(log.hasFailed && log.durablePosition == 1)
        #expect(throws: IngestError.self) { try log.enqueue(request(2)) }
        try log.restart()
        #expect(!log.hasFailed)
        try log.wait(for: log.enqueue(request(3)))
        // The one that failed has failed for good.
        #expect(throws: IngestError.self) { try log.wait(for: lost) }
        log.close()
        disk.kill()
        #expect(try open(disk).records.map(number) == [0, 3])
    }

    @Test func `who does not wait is told once, after the record is durable or when it will never be`() throws {
        let disk = SimulatedFileSystem(seed: 9)
        let log = try open(disk).log
        let told = Monitor<[Int: [Bool]]>([:])
        func tell(_ number: Int) -> @Sendable (Bool) -> Void {
            { isDurable in told.notifying { $0[number, default: []].append(isDurable && log.durablePosition > number) }
            }
        }
        for number in 0..<50 { log.whenSettled(try log.enqueue(request(number)), tell(number)) }
        _ = told.wait { $0.count == 50 ? true : nil }
        // Of one that is durable, before the call returns.
        log.whenSettled(1, tell(0))
        #expect(told.withLock { $0[0] } == [true, true])
        disk.setPlan(.fail(at: disk.operationCount + 1, code: EIO, count: 1))
        let lost = try log.enqueue(request(50))
        log.whenSettled(lost, tell(50))
        _ = told.wait { $0.count == 51 ? true : nil }
        try log.restart()
        log.whenSettled(lost, tell(51))
        log.close()
        let all = told.withLock { $0 }
        #expect((1..<50).allSatisfy { all[$0] == [true] } && all[50] == [false] && all[51] == [false])
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `what is replayed once is replayed again after the power went`(seed: UInt64) throws {
        let disk = SimulatedFileSystem(seed: seed)
        var log = try open(disk).log
        try log.wait(for: log.enqueue(request(0)))
        // A record that is written and not synced when the process is killed.
        disk.setPlan(.fail(at: disk.operationCount + 2, code: EIO, count: 1))
        let lost = try log.enqueue(request(1))
        #expect(throws: IngestError.self) { try log.wait(for: lost) }
        disk.kill()
        log.close()
        let (next, records, _) = try open(disk)
        log = next
        #expect(records.map(number) == [0, 1])
        disk.crash()
        log.close()
        #expect(try open(disk).records.map(number) == [0, 1])
    }

    @Test(arguments: [Durability.fsync, .written, .memory])
    func `of many who wait each hears of its own record, whatever the disk refuses`(durability: Durability) throws {
        let disk = SimulatedFileSystem(seed: 1)
        let log = WriteAheadLog(directory: "/wal", fileSystem: disk, durability: durability, flushed: 0)
        try log.start(report: { _, _ in }, replay: { _ in })
        let acknowledged = Mutex<Set<Int>>([])
        let refused = Atomic<Int>(0)
        disk.setPlan(.fail(at: disk.operationCount + 150, code: ENOSPC, count: 1))
        let threads = (0..<8).map { thread in
            WorkerThread {
                for turn in 0..<60 {
                    let number = thread * 1_000 + turn
                    do throws(IngestError) {
                        try log.wait(for: log.enqueue(self.request(number)))
                        acknowledged.withLock { _ = $0.insert(number) }
                    } catch {
                        refused.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        log.close()
        let found = Set(try open(disk).records.map(number))
        let missing = acknowledged.withLock { $0.subtracting(found) }
        #expect(missing.isEmpty || durability == .memory)
        #expect(acknowledged.withLock { $0.count } + refused.load(ordering: .relaxed) == 8 * 60)
    }

    @Test func `a restart that fails can be tried again`() throws {
        let disk = SimulatedFileSystem(seed: 3)
        let log = try open(disk).log
        disk.setPlan(.fail(at: disk.operationCount + 1, code: ENOSPC, count: 3))
        let lost = try log.enqueue(request(0))
        #expect(throws: IngestError.self) { try log.wait(for: lost) }
        var attempts = 0
        while log.hasFailed, attempts < 10 {
            attempts += 1
            try? log.restart()
        }
        #expect(attempts > 1 && !log.hasFailed)
        try log.wait(for: log.enqueue(request(1)))
        log.close()
        disk.crash()
        #expect(try open(disk).records.map(number) == [1])
    }

    @Test func `a log that is closed takes nothing, and has written all that it took`() throws {
        let disk = SimulatedFileSystem(seed: 3)
        let log = try open(disk).log
        let positions = try (0..<50).map { try log.enqueue(request($0)) }
        log.close()
        for position in positions { try log.wait(for: position) }
        #expect(throws: IngestError.closed) { try log.enqueue(request(50)) }
        disk.crash()
        #expect(try open(disk).records.map(number) == Array(0..<50))
    }
}
