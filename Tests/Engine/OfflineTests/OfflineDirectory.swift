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

/// A data directory on a simulated disk, with one table of every type.
struct OfflineDirectory {
    static let path = "/data"

    let disk = SimulatedFileSystem(seed: 1)
    let table: TableDefinition
    let tables: TableCatalog
    let key: TenantTable

    init(unit: PartitionUnit = .day, change: (TableDefinition) -> TableDefinition = { $0 }) {
        table = change(EveryTypeTable.make(unit: unit))
        tables = TableCatalog(tables: [table], rollups: [])
        key = TenantTable(tenant: .default, table: table.id)
    }

    func store() throws -> Store { try Store(directory: Self.path, tables: tables, fileSystem: disk) }

    func directory() throws -> DataDirectory {
        try DataDirectory(Self.path, tables: tables, fileSystem: disk)
    }

    /// Rows from the beginning of a day on, so that partitions are known.
    var style: EveryTypeTable.Style {
        var style = EveryTypeTable.Style()
        style.start = 1_699_920_000_000_000_000
        return style
    }

    /// Adds flushes of random rows, each with its record.
    ///
    /// - Parameter hasOrigins: whether the parts say where their rows come from, as those of version 1 do not.
    func fill(
        _ flushes: Int, rows: Int, seed: UInt64, spread: Int64 = 3 * 86_400_000_000_000, hasOrigins: Bool = true
    ) throws {
        var random = SeededRandom(seed: seed)
        var style = self.style
        style.spread = spread
        let store = try store()
        for _ in 0..<flushes {
            let batch = BatchOfCells.make(EveryTypeTable.rows(rows, &random, style), table)
            let position = store.flushedPosition(key) + 1
            let records = try store.writeParts(
                batch, of: key, zstdLevel: 1, positions: hasOrigins ? position...position : nil)
            try store.commit(CatalogEdit(added: records, flushed: [key: position]))
        }
    }

    /// How often each row is there.
    func rows() throws -> [[Cell]: Int] {
        var counts: [[Cell]: Int] = [:]
        for handle in try store().parts(key, in: .everything) {
            for row in try handle.part().naiveRows() { counts[row, default: 0] += 1 }
        }
        return counts
    }

    func verify() throws -> (findings: [Finding], summary: VerificationSummary) {
        var findings: [Finding] = []
        let summary = try DirectoryVerifier.verify(directory(), report: { findings.append($0) })
        return (findings, summary)
    }

    func repair(isDryRun: Bool = false) throws -> (actions: [RepairAction], summary: RepairSummary) {
        var actions: [RepairAction] = []
        let summary = try DirectoryRepair.run(
            Self.path, tables: tables, fileSystem: disk, isDryRun: isDryRun,
            report: { actions.append($0) })
        return (actions, summary)
    }

    var partFiles: [String] { disk.files.filter { $0.hasSuffix(".vp") && $0.hasPrefix(Self.path + "/parts") } }
    var quarantined: [String] { disk.files.filter { $0.hasPrefix(Self.path + "/quarantine/") } }
    var catalogFile: String {
        get throws {
            let name = String(decoding: try #require(disk.bytes(of: Self.path + "/CURRENT")), as: UTF8.self)
            return Self.path + "/" + name.filter { $0 != "\n" }
        }
    }

    /// Removes `CURRENT` and every log of the catalog.
    func loseCatalogs() throws {
        for path in disk.files where path.contains("/catalog-") || path.hasSuffix("/CURRENT") { try disk.remove(path) }
    }

    /// Flips a bit; once more, and it is as before.
    func flip(_ path: String, byte: Int, bit: Int) {
        disk.edit(path) { $0[byte] ^= 1 << UInt8(bit) }
    }
}
