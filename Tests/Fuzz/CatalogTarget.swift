import Core
import EngineFixtures
import Files
import Maintenance
import Schema
import Storage
import TableSchema

/// The catalog: whatever stands in its log, a store opens or refuses a newer format, planners plan what it says, and a second open finds
/// the same.
extension FuzzTarget {
    /// The log as it is, but for the checksums of its records, as far as their lengths make sense: chance would never hit them.
    static let catalogLog = FuzzTarget("catalog", seeds: { [sampleCatalog] }) { bytes in
        let disk = SimulatedFileSystem(seed: 1)
        write(repaired(Array(bytes)), to: catalogPath, disk)
        write(Array("catalog-000001\n".utf8), to: "/data/CURRENT", disk)
        guard let first = parts(disk) else { return }
        precondition(parts(disk) == first, "the second open finds other parts")
    }

    private static let catalogPath = "/data/catalog-000001"

    private static func write(_ bytes: [UInt8], to path: String, _ disk: SimulatedFileSystem) {
        bound {
            try disk.createDirectory("/data")
            _ = try disk.open(path, .create)
            disk.edit(path) { $0 = bytes }
        }
    }

    /// The parts that a store has, after planners have seen them; nil if the format is a newer one.
    private static func parts(_ disk: SimulatedFileSystem) -> [PartRecord]? {
        let tables = catalog
        let store: Store
        do throws(StorageError) {
            store = try Store(directory: "/data", tables: tables, fileSystem: disk)
        } catch .unsupportedCatalog {
            return nil
        } catch {
            preconditionFailure("damage is no error: \(error)")
        }
        let records = store.allParts.values.joined().map(\.record).sorted { $0.id < $1.id }
        for now in [Timestamp.min, Timestamp(nanoseconds: 1_790_000_000_000_000_000), .max] {
            _ = RetentionPlanner.plan(parts: records, tables: tables, now: now, policy: RetentionPolicy())
            for table in tables.tables {
                _ = MergePlanner.plan(parts: records, table: table, now: now, busy: [], policy: MergePolicy())
            }
        }
        return records
    }

    private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var offset = 16
        while offset + 16 <= bytes.count {
            let length = bytes[offset..<(offset + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= UInt64(bytes.count - offset - 16) else { break }
            let end = offset + 16 + Int(length)
            let checksum = XXH3.hash(Array(bytes[(offset + 16)..<end]))
            for i in 0..<8 { bytes[offset + 8 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
            offset = end
        }
        return bytes
    }

    /// A log with what flushes, a merge and retention write.
    private static let sampleCatalog: [UInt8] = {
        let disk = SimulatedFileSystem(seed: 1)
        let tables = catalog
        return bound {
            let store = try Store(directory: "/data", tables: tables, fileSystem: disk)
            let key = TenantTable(tenant: .default, table: table("otel_logs").id)
            func part(_ id: UInt64) -> PartRecord {
                PartRecord(
                    id: PartID(number: id), tenant: .default, table: key.table, partition: 0, level: 0, rowCount: 10,
                    byteCount: 1000, leastTime: 5, greatestTime: 50)
            }
            try store.commit(CatalogEdit(added: [part(1), part(2)], flushed: [key: 7]))
            try store.commit(CatalogEdit(added: [part(3)], removed: [PartID(number: 1), PartID(number: 2)]))
            try store.commit(CatalogEdit(added: [part(4)], flushed: [key: 9]))
            return disk.bytes(of: catalogPath) ?? []
        }
    }()
}
