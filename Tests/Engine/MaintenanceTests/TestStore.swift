import Columns
import Core
import Maintenance
import Parts
import Storage
import TableSchema
import Testing

/// A store of `AnyTable` on a simulated disk.
struct TestStore {
    let disk: SimulatedDisk
    let table: TableDefinition
    let store: Store
    let key: TenantTable

    init(
        _ order: AnyTable.Order, disk: SimulatedDisk = SimulatedDisk(),
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

    func rows(_ record: PartRecord) throws -> [[Cell]] { try Cell.rows(of: store.open(record)) }

    /// How often the store has each row.
    func contents() throws -> [[Cell]: Int] {
        var counts: [[Cell]: Int] = [:]
        for record in records { for row in try rows(record) { counts[row, default: 0] += 1 } }
        return counts
    }

    /// What the merge of these parts must be: their rows in the table's order, equal ones in the order of the parts.
    func merged(_ records: [PartRecord]) throws -> [[Cell]] {
        let rows = try records.flatMap { try self.rows($0) }
        let keys = rows.map { table.key($0) }
        func precedes(_ a: [Cell], _ b: [Cell]) -> Bool {
            for (x, y) in zip(a, b) where x != y { return x < y }
            return false
        }
        return rows.indices.sorted { a, b in
            precedes(keys[a], keys[b]) || (!precedes(keys[b], keys[a]) && a < b)
        }.map { rows[$0] }
    }
}
