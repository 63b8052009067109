import Columns
import Core
import EngineFixtures
import Maintenance
import Parts
import Storage
import TableSchema
import Testing

/// A store of `AnyTable` on a simulated disk.
struct TestStore {
    let disk: SimulatedFileSystem
    let table: TableDefinition
    let store: Store
    let key: TenantTable

    init(
        _ order: AnyTable.Order, disk: SimulatedFileSystem = SimulatedFileSystem(seed: 1),
        change: (TableDefinition) -> TableDefinition = { $0 }
    ) throws {
        self.disk = disk
        table = change(AnyTable.definition(order))
        store = try Store(
            directory: "/data", tables: TableCatalog(tables: [table], rollups: []), fileSystem: disk)
        key = TenantTable(tenant: .default, table: table.id)
    }

    var records: [PartRecord] { (store.allParts[key] ?? []).map(\.record).sorted { $0.id < $1.id } }

    @discardableResult
    func flush(_ batch: ColumnBatch) throws -> [PartRecord] {
        let records = try store.writeParts(batch, of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
        return records
    }

    func plan(_ records: [PartRecord]) throws -> MergePlan {
        let partition = PartitionKey(try #require(records.first))
        return MergePlan(partition: partition, inputs: records, level: 1, zstdLevel: 1, isFinal: false)
    }

    /// Flips a bit of a file; once more, and it is as before.
    func damage(_ path: String, at offset: Int) { disk.edit(path) { $0[offset] ^= 1 } }

    /// The paths of files that end in `suffix`.
    func files(_ suffix: String) -> [String] { disk.files.filter { $0.hasSuffix(suffix) } }

    func rows(_ record: PartRecord) throws -> [[Cell]] { try Self.rows(store.open(record)) }

    /// The rows of a part. Merges keep attributes in their order, the overflow's too.
    static func rows(_ part: Part) throws -> [[Cell]] { try part.naiveRows().map { $0.map(\.inOrder) } }

    static func rows(_ part: Part, block: Int) throws -> [[Cell]] {
        try part.naiveRows(ofBlock: block).map { $0.map(\.inOrder) }
    }

    /// How often the store has each row.
    func contents() throws -> [[Cell]: Int] {
        var counts: [[Cell]: Int] = [:]
        for record in records { for row in try rows(record) { counts[row, default: 0] += 1 } }
        return counts
    }

    /// What the merge of these parts must be: their rows in the table's order, equal ones in the order of the parts.
    func merged(_ records: [PartRecord]) throws -> [[Cell]] {
        let rows = try records.flatMap { try self.rows($0) }
        return NaiveOrder.partitions(of: rows, table: table).flatMap(\.rows)
    }
}
