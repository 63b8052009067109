import Core
import EngineFixtures
import Files
import Randomness
import TableSchema
import Testing

@testable import Storage

/// The catalog's log where it ends early, is damaged, or grows (invariants 1 to 3).
struct CatalogTests {
    private static let directory = "/data"

    private func disk() throws -> SimulatedFileSystem {
        let disk = SimulatedFileSystem(seed: 1)
        try disk.createDirectory(Self.directory)
        return disk
    }

    private func open(_ disk: SimulatedFileSystem) throws -> CatalogState {
        let catalog = try Catalog(directory: Self.directory, fileSystem: disk)
        return catalog.state
    }

    private static func record(_ id: UInt64) -> PartRecord {
        PartRecord(
            id: PartID(number: id), tenant: .default, table: TableID(number: 1), partition: -5, level: UInt8(id % 3),
            rowCount: 10, byteCount: 1000, leastTime: .min, greatestTime: .max)
    }

    private static func key(_ tenant: String) -> TenantTable {
        TenantTable(tenant: TenantID(tenant) ?? .default, table: TableID(number: 2))
    }

    /// A catalog of four edits; answers the log's path, its bytes, and the state after each edit.
    private func filled(_ disk: SimulatedFileSystem) throws -> (path: String, ends: [Int], states: [CatalogState]) {
        var catalog = try Catalog(directory: Self.directory, fileSystem: disk)
        let path = Self.directory + "/catalog-000001"
        var ends = [disk.bytes(of: path)?.count ?? 0]
        var states = [catalog.state]
        let edits = [
            CatalogEdit(added: [Self.record(1), Self.record(2)], flushed: [Self.key("a"): 5]),
            CatalogEdit(added: [Self.record(3)], removed: [PartID(number: 1)]),
            CatalogEdit(flushed: [Self.key("a"): 9, Self.key("b"): 7]),
            CatalogEdit(added: [Self.record(9)], removed: [PartID(number: 2), PartID(number: 3)]),
        ]
        for edit in edits {
            try catalog.append(edit)
            states.append(catalog.state)
            ends.append(disk.bytes(of: path)?.count ?? 0)
        }
        return (path, ends, states)
    }

    @Test func `the state of every edit comes back`() throws {
        let disk = try disk()
        let (_, _, states) = try filled(disk)
        #expect(states[4].parts.keys.map(\.number).sorted() == [9])
        #expect(states[4].flushed == [Self.key("a"): 9, Self.key("b"): 7])
        #expect(try open(disk) == states[4])
        #expect(try open(disk) == states[4])
        // The log before the current one stays, in case that one is damaged.
        #expect(disk.files == ["/data/CURRENT", "/data/catalog-000002", "/data/catalog-000003"])
    }

    @Test func `a log that ends inside its last record is read up to it`() throws {
        let original = try disk()
        let (path, ends, states) = try filled(original)
        let whole = try #require(original.bytes(of: path))
        for end in ends[3]...ends[4] {
            for filling in [0, 1, 40] {
                let disk = try disk()
                _ = try filled(disk)
                let left = Array(whole[..<end]) + [UInt8](repeating: 0, count: filling)
                disk.edit(path) { $0 = left }
                // The record itself may end in zeros.
                #expect(try open(disk) == states[left.starts(with: whole) ? 4 : 3], "cut at \(end), \(filling) zeros")
            }
        }
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func `garbage behind the last record is dropped`(seed: UInt64) throws {
        let disk = try disk()
        let (path, _, states) = try filled(disk)
        var random = SeededRandom(seed: seed)
        disk.edit(path) { $0 += random.bytes(1 + random.below(300)) }
        #expect(try open(disk) == states[4])
    }

    @Test func `damage costs the record that it hits, and no other`() throws {
        let original = try disk()
        let (path, ends, states) = try filled(original)
        for at in 0..<ends[3] {
            let disk = try disk()
            _ = try filled(disk)
            disk.edit(path) { $0[at] ^= 0x10 }
            if (8..<12).contains(at) {
                // A version that is not known is never guessed at.
                #expect(throws: StorageError.self, "byte \(at)") { try open(disk) }
                continue
            }
            var losses = 0
            let catalog = try Catalog(directory: Self.directory, fileSystem: disk) { _, loss in
                losses += loss.isTornOnly ? 0 : 1
            }
            let state = catalog.state
            // The last record says that 9 is there, and 2 and 3 are gone; 1 was removed by the second.
            let hit = ends.firstIndex { at < $0 } ?? 0
            #expect(state.parts[PartID(number: 9)] != nil, "byte \(at)")
            #expect((state.parts[PartID(number: 1)] != nil) == (hit == 2), "byte \(at)")
            #expect(state.flushed[Self.key("a")] == 9, "byte \(at)")
            #expect(state.nextPart == states[4].nextPart)
            let isDamaged = !(12..<16).contains(at)
            #expect(losses == (isDamaged ? 1 : 0), "byte \(at)")
            #expect(disk.files.contains("/data/quarantine/catalog-000001") == isDamaged, "byte \(at)")
        }
    }

    @Test func `a log whose first record is damaged begins with the state of the log before it`() throws {
        let disk = try disk()
        let (_, _, states) = try filled(disk)
        // Opened again, the state is the first and only record.
        _ = try open(disk)
        let path = Self.directory + "/catalog-000002"
        let before = Dictionary(uniqueKeysWithValues: disk.files.map { ($0, disk.bytes(of: $0) ?? []) })
        let length = try #require(before[path]).count
        for at in 16...length {
            let disk = try self.disk()
            for (path, bytes) in before {
                _ = try disk.open(path, .create)
                disk.edit(path) { $0 = bytes }
            }
            disk.edit(path) { bytes in if at < length { bytes[at] ^= 1 } else { bytes.removeLast(length - 16) } }
            #expect(try open(disk) == states[4], "byte \(at)")
            #expect(try open(disk) == states[4], "byte \(at)")
        }
    }

    @Test(arguments: [
        "", "catalog-", "catalog-x", "catalog-99999999999999999999999", "../catalog-000001", "catalog-000777\n", nil,
    ])
    func `without a CURRENT that names a catalog the youngest is used`(name: String?) throws {
        let disk = try disk()
        let (_, _, states) = try filled(disk)
        if let name {
            disk.edit(Self.directory + "/CURRENT") { $0 = Array(name.utf8) }
        } else {
            try disk.remove(Self.directory + "/CURRENT")
        }
        #expect(try open(disk) == states[4])
        #expect(try open(disk) == states[4])
    }

    @Test func `of records that contradict each other the later ones count`() throws {
        // A record that adds part 9 again and removes what is gone, with a checksum that is right.
        let disk = try disk()
        let (path, ends, states) = try filled(disk)
        disk.edit(path) { bytes in bytes += bytes[ends[3]..<ends[4]] }
        #expect(try open(disk) == states[4])
    }

    @Test func `a search behind damage ends, whatever an enemy wrote there`() throws {
        let disk = try disk()
        let (path, _, states) = try filled(disk)
        // Every eighth byte begins a length that fits, each with a checksum that is wrong.
        let length: Int64 = 3 << 20
        let hostile = (0..<(length / 4)).flatMap { _ in [0, 0, 0x30, 0, 0, 0, 0, 0] as [UInt8] }
        disk.edit(path) { $0 += hostile }
        #expect(try open(disk) == states[4])
    }

    @Test func `numbers of parts are not used again`() throws {
        let disk = try disk()
        var catalog = try Catalog(directory: Self.directory, fileSystem: disk)
        let first = catalog.takePartID()
        try catalog.append(CatalogEdit(added: [Self.record(first.number)]))
        try catalog.append(CatalogEdit(removed: [first]))
        catalog = try Catalog(directory: Self.directory, fileSystem: disk)
        #expect(catalog.takePartID() > first)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `damaged records are decoded or refused`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let edit = CatalogEdit(
            added: [Self.record(1), Self.record(2)], removed: [PartID(number: 7)],
            flushed: [Self.key("a"): 5, Self.key("b"): 6])
        var bytes = CatalogCoding.encode(edit, nextPart: 8)
        #expect(CatalogCoding.decode(bytes)?.edit == edit)
        for _ in 0..<(1 + random.below(3)) {
            switch random.below(3) {
            case 0: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.removeLast(random.below(bytes.count))
            default: bytes += random.bytes(random.below(9))
            }
            if bytes.isEmpty { return }
        }
        _ = CatalogCoding.decode(bytes)
    }
}
