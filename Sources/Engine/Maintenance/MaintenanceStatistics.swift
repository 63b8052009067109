internal import Files
package import Observability
internal import Parts
package import Storage
package import TableSchema

/// What maintenance did since the start, for `/metrics`.
package struct MaintenanceStatistics: Sendable {
    /// What merges did to one table.
    package struct Table: Sendable {
        package let merges = Counter()
        package let rows = Counter()
        /// Of the rows, those of blocks that were copied as they are.
        package let copiedRows = Counter()
        /// Of the inputs of merges, and of their outputs.
        package let bytesRead = Counter()
        package let bytesWritten = Counter()
        /// Dropped by retention: with their partition or for their size, or left out of a merge.
        package let droppedRows = Counter()
        /// Rows of damaged blocks that were left out when their part was written anew.
        package let lostRows = Counter()
    }

    package let tables: [TableID: Table]
    package let failures = Counter()
    package let running = Gauge()
    /// Bytes of parts that are to be merged, as was last seen.
    package let pendingBytes = Gauge()
    /// Rows of sources that were aggregated into views.
    package let rolledUpRows = Counter()
    /// Rows that are still to be aggregated into views, as was last seen: those of hours that have not settled are not counted.
    package let pendingRollupRows = Gauge()
    package let droppedPartitions = Counter()
    package let droppedBytes = Counter()

    package init(_ catalog: TableCatalog) {
        tables = Dictionary(catalog.tables.map { ($0.id, Table()) }, uniquingKeysWith: { first, _ in first })
    }

    /// Of all tables.
    package func total(_ counter: (Table) -> Counter) -> Int { tables.values.reduce(0) { $0 + counter($1).value } }

    func note(_ repairing: PartRepair) {
        tables[repairing.part.table]?.lostRows.add(repairing.loss.rowCount)
    }

    func note(_ outcome: MergeOutcome, of table: TableID) {
        guard let counters = tables[table] else { return }
        counters.merges.add()
        counters.rows.add(outcome.output?.rowCount ?? 0)
        counters.copiedRows.add(outcome.copiedRows)
        counters.bytesRead.add(Int(outcome.bytesRead))
        counters.bytesWritten.add(Int(outcome.bytesWritten))
        counters.droppedRows.add(outcome.droppedRows)
    }
}

/// Something that maintenance did, for the server's log.
package enum MaintenanceEvent: Sendable {
    case merged(MergePlan, MergeOutcome, Duration)
    case rolledUp(RollupPlan, RollupOutcome, Duration)
    case dropped(RetentionPlan)
    /// A part was written anew without its damaged blocks.
    case repaired(PartRepair)
}

/// What went wrong in maintenance; it is tried again later.
package enum MaintenanceError: Error, Sendable, CustomStringConvertible {
    case merge(PartitionKey, MergeError)
    case rollup(TenantTable, MergeError)
    case retention(StorageError)

    package var description: String {
        switch self {
        case .merge(let partition, let error):
            "parts of table \(partition.table.number) of tenant \(partition.tenant) were not merged: \(error)"
        case .rollup(let source, let error):
            "parts of table \(source.table.number) of tenant \(source.tenant) were not rolled up: \(error)"
        case .retention(let error): "old parts were not dropped: \(error)"
        }
    }

    /// Whether a write found no space.
    package var isOutOfSpace: Bool {
        switch self {
        case .merge(_, .file(let error)), .rollup(_, .file(let error)): error.isOutOfSpace
        case .merge(_, .storage(let error)), .rollup(_, .storage(let error)), .retention(let error):
            error.isOutOfSpace
        case .merge, .rollup: false
        }
    }
}
