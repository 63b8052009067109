import Columns
import Core
import EngineFixtures
import Files
import Ingest
import Offline
import Parts
import Randomness
import Storage
import TableSchema
import Testing

/// Damage of every kind: verification finds it, a repair keeps the rest and says what was lost, and all is well afterwards.
struct VerifyAndRepairTests {
    private let place = OfflineDirectory()

    /// How many rows `after` has fewer than `before`; nil if it has one that was not there.
    private func missing(_ after: [[Cell]: Int], _ before: [[Cell]: Int]) -> Int? {
        guard after.allSatisfy({ before[$0.key, default: 0] >= $0.value }) else { return nil }
        return before.values.reduce(0, +) - after.values.reduce(0, +)
    }

    @Test func `a directory that was written is clean, and a repair changes nothing`() throws {
        try place.fill(4, rows: 300, seed: 1)
        let (findings, summary) = try place.verify()
        #expect(findings.map(\.text) == [] && summary.isClean)
        #expect(summary.parts == place.partFiles.count && summary.rows == 1200)
        let before = try place.rows()
        #expect(try place.repair().actions.isEmpty)
        #expect(try place.rows() == before && place.quarantined.isEmpty)
    }

    @Test func `a server's directory is refused, and said to be one`() throws {
        try place.fill(1, rows: 10, seed: 1)
        let store = try place.store()
        #expect { try place.verify() } throws: { error in
            guard case OfflineError.inUse = error else { return false }
            return "\(error)".contains("Stop the server first")
        }
        #expect(throws: OfflineError.self) { try place.repair() }
        _ = store
    }

    @Test func `every flipped bit of a part is found`() throws {
        try place.fill(1, rows: 60, seed: 2, spread: 3_600_000_000_000)
        let path = try #require(place.partFiles.first)
        let length = try #require(place.disk.bytes(of: path)).count
        // Every byte of header, footer and trailer, and every seventh of the pages and of the footer's beginning.
        let bytes = Array(0..<16) + stride(from: 16, to: length - 1000, by: 7) + Array(max(16, length - 1000)..<length)
        var random = SeededRandom(seed: 3)
        for byte in bytes {
            let bit = random.below(8)
            place.flip(path, byte: byte, bit: bit)
            let table = place.table
            let (_, report) = PartVerifier.verify(try place.disk.open(path), table: table)
            #expect(!report.isClean, "byte \(byte) of \(length), bit \(bit)")
            place.flip(path, byte: byte, bit: bit)
        }
        #expect(try place.verify().summary.isClean)
    }

    @Test(arguments: 1...25 as ClosedRange<UInt64>)
    func `a repair loses the rows of damaged blocks and no others, and says so`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        // Now and then of several blocks.
        try place.fill(
            1, rows: seed % 5 == 0 ? 9_000 : 300, seed: seed, spread: 3_600_000_000_000 * (1 + Int64(seed % 3)))
        let before = try place.rows()
        let path = random.pick(place.partFiles)
        let length = try #require(place.disk.bytes(of: path)).count
        for _ in 0...random.below(3) { place.flip(path, byte: random.below(length), bit: random.below(8)) }
        let damaged = try #require(place.disk.bytes(of: path))
        #expect(try !place.verify().summary.isClean)

        let planned = try place.repair(isDryRun: true)
        #expect(place.disk.bytes(of: path) == damaged && place.quarantined.isEmpty)
        let (actions, summary) = try place.repair()
        #expect(actions.map(\.kind) == planned.actions.map(\.kind) && summary.lostRows == planned.summary.lostRows)
        let (findings, after) = try place.verify()
        #expect(after.isClean, "\(findings.map(\.text))")
        #expect(missing(try place.rows(), before) == summary.lostRows, "seed \(seed)")
        // What was taken out is kept, with a note that says why.
        let kept = try #require(place.quarantined.first { !$0.hasSuffix(".txt") })
        #expect(place.disk.bytes(of: kept) == damaged)
        let note = String(decoding: try #require(place.disk.bytes(of: kept + ".txt")), as: UTF8.self)
        #expect(note.contains("reason: ") && note.contains("lost: ") && note.contains("file: \(path)"))
        // Once is enough.
        #expect(try place.repair().actions.isEmpty)
    }

    @Test func `a part that is missing is forgotten, and its rows are counted as lost`() throws {
        try place.fill(3, rows: 100, seed: 5)
        let before = try place.rows()
        let path = try #require(place.partFiles.last)
        try place.disk.remove(path)
        let (findings, _) = try place.verify()
        #expect(findings.map(\.reason) == ["the file is missing"])
        let (actions, summary) = try place.repair()
        #expect(actions.map(\.kind) == [.forget])
        #expect(missing(try place.rows(), before) == summary.lostRows && summary.lostRows > 0)
        #expect(try place.verify().summary.isClean)
    }

    @Test func `a part under another's name is found`() throws {
        try place.fill(1, rows: 300, seed: 6)
        let files = place.partFiles
        let other = try #require(place.disk.bytes(of: files[1]))
        place.disk.edit(files[0]) { $0 = other }
        #expect(try !place.verify().summary.isClean)
        _ = try place.repair()
        #expect(try place.verify().summary.isClean)
    }

    @Test func `a file that no record names is a note, and a part of the future is left alone`() throws {
        try place.fill(1, rows: 100, seed: 7)
        let files = place.partFiles
        let folder = files[0].split(separator: "/").dropLast().joined(separator: "/")
        try place.disk.open("/\(folder)/999.vp", .create).append([1, 2, 3])
        let (findings, summary) = try place.verify()
        #expect(summary.isClean && findings.map(\.severity) == [.note])
        place.disk.edit(files[0]) { $0[8] = 4 }
        let (actions, repaired) = try place.repair()
        #expect(actions.map(\.kind) == [.leaveAlone] && repaired.leftAlone == 1)
        #expect(place.disk.bytes(of: files[0]) != nil)
    }

    // MARK: The catalog

    @Test func `every flipped bit of the catalog is found, but for the last record, which may be torn`() throws {
        try place.fill(3, rows: 5, seed: 8, spread: 3_600_000_000_000)
        let path = try place.catalogFile
        let bytes = try #require(place.disk.bytes(of: path))
        let length = { (at: Int) in bytes[at..<(at + 8)].reversed().reduce(0) { $0 << 8 | Int($1) } }
        var starts: [Int] = [16]
        while let last = starts.last, last < bytes.count { starts.append(last + 16 + length(last)) }
        #expect(starts.count == 5, "the state and three flushes")
        for byte in bytes.indices {
            place.flip(path, byte: byte, bit: byte % 8)
            let found: Bool
            do {
                let (findings, summary) = try place.verify()
                found = byte < starts[3] ? !summary.isClean : !findings.isEmpty
            } catch OfflineError.unsupported {
                found = (8..<12).contains(byte)
            }
            #expect(found, "byte \(byte)")
            place.flip(path, byte: byte, bit: byte % 8)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a damaged catalog is made anew, and every row is there once`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let hasOrigins = seed % 3 > 0
        try place.fill(4, rows: 60, seed: seed, spread: 86_400_000_000_000, hasOrigins: hasOrigins)
        let before = try place.rows()
        // Read once and written anew by `rows`: the state is the first record; three more behind it.
        try place.fill(3, rows: 60, seed: seed + 100, spread: 86_400_000_000_000, hasOrigins: hasOrigins)
        let all = try rowsWithoutOpening(before)
        let path = try place.catalogFile
        let length = try #require(place.disk.bytes(of: path)).count
        switch seed % 4 {
        case 0: try place.disk.remove(OfflineDirectory.path + "/CURRENT")
        case 1: try place.loseCatalogs()
        case 2: place.disk.edit(path) { $0 = Array($0[..<20]) }
        default:
            // Not in the last record, which nobody can tell from a torn one.
            place.flip(path, byte: 16 + random.below(length - 400), bit: random.below(8))
        }
        #expect(throws: (any Error).self) { try place.verify().summary.isClean ? () : { throw Damaged() }() }
        let (actions, summary) = try place.repair()
        #expect(actions.contains { $0.kind == .catalog })
        #expect(summary.lostRows == 0)
        let (findings, after) = try place.verify()
        #expect(after.isClean, "\(findings.map(\.text))")
        #expect(try place.rows() == all, "seed \(seed)")
    }

    private struct Damaged: Error {}

    /// What `before` and the parts that came since hold, read from the files.
    private func rowsWithoutOpening(_ before: [[Cell]: Int]) throws -> [[Cell]: Int] {
        var counts: [[Cell]: Int] = [:]
        for path in place.partFiles {
            let part = try Part(place.disk.open(path), table: place.table)
            for row in try part.naiveRows() { counts[row, default: 0] += 1 }
        }
        #expect(missing(before, counts) != nil)
        return counts
    }

    @Test(arguments: [true, false])
    func `what a merge left behind is not shown twice when the catalog is lost`(hasOrigins: Bool) throws {
        try place.fill(3, rows: 80, seed: 9, spread: 3_600_000_000_000, hasOrigins: hasOrigins)
        let before = try place.rows()
        // The inputs' files come back, as if they had not been removed yet.
        let inputs = place.partFiles.map { ($0, place.disk.bytes(of: $0) ?? []) }
        var store: Store? = try place.store()
        _ = try Compaction.run(try #require(store), Compaction.Options())
        store = nil
        for (path, bytes) in inputs { try place.disk.open(path, .create).append(bytes) }
        try place.loseCatalogs()
        let (actions, _) = try place.repair()
        #expect(actions.count { $0.kind == .leaveOut } == 3)
        #expect(try place.rows() == before)
        #expect(try place.verify().summary.isClean)
    }

    @Test func `parts whose origins contradict each other or the catalog are found`() throws {
        try place.fill(2, rows: 50, seed: 10, spread: 3_600_000_000_000)
        #expect(try place.verify().summary.isClean)
        var random = SeededRandom(seed: 11)
        var style = place.style
        style.spread = 3_600_000_000_000
        let batch = BatchOfCells.make(EveryTypeTable.rows(50, &random, style), place.table)
        var store: Store? = try place.store()
        // The second flush once more, and a third one of which the catalog does not know.
        for positions in [2...2, 3...4] as [ClosedRange<UInt64>] {
            let records = try #require(
                try store?.writeParts(batch, of: place.key, zstdLevel: 1, positions: positions))
            try store?.commit(CatalogEdit(added: records))
        }
        store = nil
        let (findings, summary) = try place.verify()
        #expect(!summary.isClean)
        #expect(
            findings.map(\.reason) == [
                "its origin says that part 2 has some of its rows",
                "its origin is the log up to position 4, and the catalog says up to 2",
            ])
    }

    // MARK: The log

    private func writeLog() throws {
        let log = WriteAheadLog(
            directory: OfflineDirectory.path + "/wal", fileSystem: place.disk, durability: .fsync, flushed: 0,
            segmentLength: 2000)
        try log.start(report: { _, _ in }, replay: { _ in })
        for number in 0..<30 {
            let request = LoggedRequest(
                signal: .traces, format: .protobuf, coding: .identity, tenant: .default, received: Int64(number),
                body: Array(repeating: UInt8(number), count: 100))
            try log.wait(for: log.enqueue(request))
        }
        log.close()
    }

    private func bodies() throws -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        _ = try LogInspection.segments(of: OfflineDirectory.path, fileSystem: place.disk) {
            bodies.append($1.request.body)
        }
        return bodies
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `damage in the log is cut out, and the records around it stay`(seed: UInt64) throws {
        try place.fill(1, rows: 20, seed: seed)
        try writeLog()
        #expect(try place.verify().summary.isClean)
        let before = try bodies()
        #expect(before.count == 30)
        var random = SeededRandom(seed: seed)
        let path = OfflineDirectory.path + "/wal/0000000001.wal"
        let length = try #require(place.disk.bytes(of: path)).count
        // The salt is what records are known by: without it there is none.
        let byte = seed == 1 ? 20 : 32 + random.below(length - 200 - 32)
        place.flip(path, byte: byte, bit: random.below(8))
        #expect(try place.verify().summary.damage == 1, "byte \(byte)")
        let (actions, summary) = try place.repair()
        #expect(actions.map(\.kind) == [.log] && summary.lostLogBytes > 0)
        #expect(try place.verify().summary.isClean)
        let after = try bodies()
        #expect(after.count == (seed == 1 ? 30 : 29) && after.allSatisfy(before.contains))
        #expect(place.quarantined.count == 2)
    }
}
