import Columns
import Core
import EngineFixtures
import Files
import OTLP
import Parts
import Randomness
import TableSchema
import Telemetry
import Testing

@testable import Storage

/// A store whose catalog or parts are damaged: it opens, serves everything else, and says what it does not serve.
struct DamageTests {
    private let tables: TestTables
    private let disk = SimulatedFileSystem(seed: 1)

    init() throws { tables = try TestTables() }

    private func key(_ tenant: TenantID = .default) -> TenantTable {
        TenantTable(tenant: tenant, table: tables.logs.definition.id)
    }

    private func open(_ disk: SimulatedFileSystem, damage: DamageLog = DamageLog()) throws -> Store {
        try Store(directory: "/data", tables: tables.catalog, fileSystem: disk, damage: damage)
    }

    private func batch(seed: UInt64) throws -> ColumnBatch {
        var style = OTLPGenerator.Style()
        style.hasRejects = false
        var generator = OTLPGenerator(seed: seed, style: style)
        var builder = LogBuilder(tables.logs)
        let request = generator.logs()
        _ = try request.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }
        return builder.snapshot(rows: builder.rowCount)
    }

    @discardableResult
    private func flush(_ seed: UInt64, into store: Store, _ tenant: TenantID = .default) throws -> [PartRecord] {
        let records = try store.writeParts(batch(seed: seed), of: key(tenant), zstdLevel: 1)
        try store.commit(CatalogEdit(added: records, flushed: [key(tenant): seed]))
        return records
    }

    /// How often each row is there, over the parts that can be opened.
    private func rows(_ store: Store) throws -> [[Cell]: Int] {
        var counts: [[Cell]: Int] = [:]
        for handle in store.allParts.values.joined() where !handle.isSetAside {
            for row in try handle.part().naiveRows() { counts[row, default: 0] += 1 }
        }
        return counts
    }

    /// A copy of all files of a disk.
    private func copy(_ files: [String: [UInt8]]) throws -> SimulatedFileSystem {
        let disk = SimulatedFileSystem(seed: 2)
        for (path, bytes) in files {
            try disk.createDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
            _ = try disk.open(path, .create)
            disk.edit(path) { $0 = bytes }
        }
        return disk
    }

    private func files(_ disk: SimulatedFileSystem) -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: disk.files.map { ($0, disk.bytes(of: $0) ?? []) })
    }

    /// A store with flushes of two tenants, a removal and, as a merge would, a replacement.
    private func filled() throws -> (files: [String: [UInt8]], rows: [[Cell]: Int]) {
        let store = try open(disk)
        let other = try #require(TenantID("other"))
        try flush(1, into: store)
        let dropped = try flush(2, into: store, other)
        try store.commit(CatalogEdit(removed: dropped.map(\.id)))
        let replaced = try flush(3, into: store)
        let replacement = try store.writeParts(batch(seed: 3), of: key(), zstdLevel: 1)
        try store.commit(CatalogEdit(added: replacement, removed: replaced.map(\.id)))
        try flush(4, into: store, other)
        return (files(disk), try rows(store))
    }

    private func filledOnce() throws -> (files: [String: [UInt8]], rows: [[Cell]: Int], before: [[Cell]: Int], end: Int)
    {
        let disk = SimulatedFileSystem(seed: 3)
        let store = try open(disk)
        try flush(1, into: store)
        let replaced = try flush(3, into: store)
        let replacement = try store.writeParts(batch(seed: 3), of: key(), zstdLevel: 1)
        try store.commit(CatalogEdit(added: replacement, removed: replaced.map(\.id)))
        let log = try #require(disk.files.filter { $0.contains("/catalog-") }.max())
        let end = try #require(disk.bytes(of: log)).count
        let before = try rows(store)
        try flush(4, into: store)
        return (files(disk), try rows(store), before, end)
    }

    /// As `filled`, and after each open the state is one record.
    private func filledTwice() throws -> (
        files: [String: [UInt8]], rows: [[Cell]: Int], before: [[Cell]: Int], end: Int
    ) {
        _ = try filled()
        let store = try open(disk)
        try flush(5, into: store)
        let before = try rows(store)
        let log = try #require(disk.files.filter { $0.contains("/catalog-") }.max())
        let end = try #require(disk.bytes(of: log)).count
        try flush(6, into: store)
        return (files(disk), try rows(store), before, end)
    }

    @Test func `a bit of the catalog may flip anywhere: every row is served, once`() throws {
        for (files, all, before, end) in [try filledOnce(), try filledTwice()] {
            let log = try #require(files.keys.filter { $0.contains("/catalog-") }.max())
            let length = try #require(files[log]).count
            for at in stride(from: 0, to: length, by: 3) where !(8..<16).contains(at) {
                let disk = try copy(files)
                disk.edit(log) { $0[at] ^= 4 }
                let damage = DamageLog()
                var store: Store? = try open(disk, damage: damage)
                // The last record may be one that was torn: of a flush the write-ahead log still has the rows.
                let expected = at < end ? all : before
                #expect(try store.map(rows) == expected, "byte \(at)")
                #expect((damage.count(.catalog) > 0) == (at < end), "byte \(at)")
                #expect(disk.files.contains { $0.contains("/quarantine/") }, "byte \(at)")
                store = nil
                store = try open(disk)
                #expect(try store.map(rows) == expected, "byte \(at), opened again")
            }
        }
    }

    @Test func `a damaged last record of a merge is told from a torn one by the files that are gone`() throws {
        let store = try open(disk)
        try flush(1, into: store)
        let log = try #require(disk.files.filter { $0.contains("/catalog-") }.max())
        let end = try #require(disk.bytes(of: log)).count
        let replaced = store.allParts.values.joined().map(\.record)
        let replacement = try store.writeParts(batch(seed: 1), of: key(), zstdLevel: 1)
        try store.commit(CatalogEdit(added: replacement, removed: replaced.map(\.id)))
        let expected = try rows(store)
        let files = files(disk)
        for at in end..<(try #require(files[log]).count) {
            let disk = try copy(files)
            disk.edit(log) { $0[at] ^= 1 }
            #expect(try rows(open(disk)) == expected, "byte \(at)")
        }
    }

    @Test func `without any catalog the parts' files say what there is`() throws {
        let (files, expected) = try filled()
        let disk = try copy(files.filter { !$0.key.contains("catalog-") && !$0.key.hasSuffix("CURRENT") })
        let damage = DamageLog()
        let store = try open(disk, damage: damage)
        #expect(try rows(store) == expected)
        #expect(damage.count(.catalog) == 1)
        let used = Set(files.keys.compactMap { $0.split(separator: "/").last.flatMap { UInt64($0.dropLast(3)) } })
        let new = try store.writeParts(batch(seed: 9), of: key(), zstdLevel: 1)
        #expect(new.allSatisfy { !used.contains($0.id.number) })
    }

    @Test(arguments: ["footer", "trailer", "magic", "short", "gone", "swapped", "empty"])
    func `a part that cannot be opened is set aside, named, and kept; the others are served`(how: String) throws {
        let (files, _) = try filled()
        let paths = files.keys.filter { $0.hasSuffix(".vp") }.sorted()
        for path in paths {
            let disk = try copy(files)
            disk.edit(path) { bytes in
                switch how {
                case "footer": bytes[bytes.count - 40] ^= 1
                case "trailer": bytes[bytes.count - 30] ^= 1
                case "magic": bytes[3] ^= 1
                case "short": bytes.removeLast(7)
                case "swapped": bytes = files[paths.first { $0 != path } ?? path] ?? []
                case "empty": bytes = []
                default: break
                }
            }
            if how == "gone" { try disk.remove(path) }
            let damage = DamageLog()
            let store = try open(disk, damage: damage)
            var failed = 0
            for handle in store.allParts.values.joined() {
                guard (try? handle.part()) == nil else { continue }
                failed += 1
                #expect(handle.path == path && handle.isSetAside)
            }
            #expect(failed == 1, "\(how) \(path)")
            #expect(damage.all.map(\.path) == [path] && damage.count(.part) == 1)
            #expect((damage.all.first?.rowCount ?? 0) > 0)
            #expect(disk.files.contains(path) == (how != "gone"))
        }
    }

    @Test func `a part of a newer format is refused by name, and is no damage`() throws {
        let (files, _) = try filled()
        let path = try #require(files.keys.filter { $0.hasSuffix(".vp") }.min())
        let disk = try copy(files)
        disk.edit(path) { $0[8] = 4 }
        let damage = DamageLog()
        let store = try open(disk, damage: damage)
        let handle = try #require(store.allParts.values.joined().first { $0.path == path })
        #expect(throws: StorageError.part(path: path, .unsupportedVersion(4))) { try handle.part() }
        #expect(damage.all.isEmpty && !handle.isSetAside)
    }

    /// Flushes with positions of the log, of two partitions' rows each, and a replacement; one catalog is all that is lost.
    private func filledWithOrigins() throws -> (files: [String: [UInt8]], rows: [[Cell]: Int]) {
        let disk = SimulatedFileSystem(seed: 4)
        var store: Store? = try open(disk)
        let other = try #require(TenantID("other"))
        for (position, tenant) in [(1, TenantID.default), (4, other), (6, .default), (7, other)] {
            try store.map { try flushFrom(UInt64(position), into: $0, tenant) }
        }
        let all = try #require(try store.map(rows))
        store = nil
        return (files(disk), all)
    }

    private func flushFrom(_ position: UInt64, into store: Store, _ tenant: TenantID) throws {
        let parts = try store.writeParts(
            batch(seed: position), of: key(tenant), zstdLevel: 1, positions: position...position)
        try store.commit(CatalogEdit(added: parts, flushed: [key(tenant): position]))
    }

    @Test func `10: parts that say where their rows come from are all there, whatever records are lost`() throws {
        let (files, all) = try filledWithOrigins()
        let other = try #require(TenantID("other"))
        let logs = files.keys.filter { $0.contains("/catalog-") }
        let log = try #require(logs.max())
        let length = try #require(files[log]).count
        let bytes = stride(from: 16, to: length, by: 7).map(Optional.some) + [nil]
        for at in bytes {
            let disk = try copy(files)
            if let at {
                disk.edit(log) { $0[at] ^= 4 }
            } else {
                for path in logs + ["/data/CURRENT"] { try disk.remove(path) }
            }
            var store: Store? = try open(disk)
            #expect(try store.map(rows) == all, "byte \(at ?? -1)")
            #expect(store?.flushedPosition(key()) == 6, "byte \(at ?? -1)")
            #expect(store?.flushedPosition(key(other)) == 7, "byte \(at ?? -1)")
            // A number is not used again.
            try store.map { try flushFrom(9, into: $0, .default) }
            let numbers = Set(files.keys.filter { $0.hasSuffix(".vp") }.map { $0.split(separator: "/").last })
            let new = disk.files.filter { $0.hasSuffix(".vp") && files[$0] == nil }.map {
                $0.split(separator: "/").last
            }
            #expect(!new.isEmpty && numbers.isDisjoint(with: new))
            store = nil
        }
    }

    @Test func `a catalog of a newer format is refused by name`() throws {
        let (files, _) = try filled()
        let log = try #require(files.keys.filter { $0.contains("/catalog-") }.max())
        let disk = try copy(files)
        disk.edit(log) { $0[8] = 3 }
        #expect(throws: StorageError.unsupportedCatalog(path: log, version: 3)) { try open(disk) }
        // Nothing was changed.
        #expect(disk.bytes(of: log)?[8] == 3)
        #expect(Set(disk.files).subtracting(files.keys) == [])
    }

    @Test func `a directory whose CURRENT names no catalog has one again`() throws {
        let (files, all) = try filledWithOrigins()
        let disk = try copy(files)
        disk.edit("/data/CURRENT") { $0[3] ^= 1 }
        for attempt in 1...2 {
            let damage = DamageLog()
            let store = try open(disk, damage: damage)
            #expect(try rows(store) == all)
            #expect((damage.count(.catalog) > 0) == (attempt == 1))
            #expect(disk.files.contains("/data/CURRENT"))
        }
    }

    @Test func `files of a torn record are kept in quarantine`() throws {
        var store: Store? = try open(disk)
        _ = try store.map { try flush(1, into: $0) }
        _ = try store?.writeParts(batch(seed: 2), of: key(), zstdLevel: 1)
        store = nil
        let log = try #require(disk.files.filter { $0.contains("/catalog-") }.max())
        disk.edit(log) { $0 += [1, 2, 3] }
        store = try open(disk)
        let named = store?.allParts.values.joined().map(\.path).sorted()
        #expect(disk.files.filter { $0.hasSuffix(".vp") && !$0.contains("/quarantine/") } == named)
        #expect(disk.files.contains { $0.contains("/quarantine/parts-") && $0.hasSuffix(".vp") })
    }

    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `whatever happens to any file, the store opens or says which file it cannot`(seed: UInt64) throws {
        let (files, _) = try filled()
        let disk = try copy(files)
        var random = SeededRandom(seed: seed)
        let paths = disk.files
        for _ in 0...random.below(4) {
            let other = files[random.pick(paths)] ?? []
            disk.edit(random.pick(paths)) { bytes in
                switch random.below(5) {
                case 0 where !bytes.isEmpty: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeLast(random.below(bytes.count + 1))
                case 2: bytes += random.bytes(random.below(100))
                case 3: bytes = other
                default: bytes.replaceSubrange(0..<min(8, bytes.count), with: random.bytes(min(8, bytes.count)))
                }
            }
        }
        do {
            let store = try open(disk)
            for handle in store.allParts.values.joined() { _ = try? handle.part().naiveRows() }
            try flush(50, into: store)
        } catch let error as StorageError {
            guard case .unsupportedCatalog = error else { throw error }
        }
    }
}
