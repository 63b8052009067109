package import Columns
package import Core
package import TableSchema

/// What a reader asks for the rows of one table: a snapshot of a tenant's rows, and none that is taken twice while they move from
/// memory into parts, or from parts into larger ones (invariant 8).
///
/// A table that takes rows is one source, with memory over its parts; the parts of a directory that nobody writes to are another. A
/// reader that knows no more than this works in a process without write-ahead log, memtables and lock.
package protocol SnapshotSource: Sendable {
    var table: TableDefinition { get }

    /// A tenant's rows that may lie in `range`, at one point in time.
    func snapshot(_ tenant: TenantID, in range: TimeRange) -> TableSnapshot

    /// A tenant's rows that may lie in `range`, and a view's, at one point in time.
    ///
    /// - Parameter viewRange: of the view's partition column.
    func snapshot(
        _ tenant: TenantID, in range: TimeRange, view: TableDefinition, viewRange: TimeRange
    ) -> ViewSnapshot
}

/// The parts of a table in a store, with rows that are in none of them and do not change: what a log had that nobody flushes.
package struct StoredTable: SnapshotSource {
    package let table: TableDefinition
    private let store: Store
    /// By tenant.
    private let rest: [TenantID: [ColumnBatch]]

    package init(_ table: TableDefinition, of store: Store, rest: [TenantID: [ColumnBatch]] = [:]) {
        self.table = table
        self.store = store
        self.rest = rest
    }

    package func snapshot(_ tenant: TenantID, in range: TimeRange) -> TableSnapshot {
        TableSnapshot(
            table: table, memory: rest[tenant] ?? [],
            parts: store.parts(TenantTable(tenant: tenant, table: table.id), in: range))
    }

    package func snapshot(
        _ tenant: TenantID, in range: TimeRange, view: TableDefinition, viewRange: TimeRange
    ) -> ViewSnapshot {
        store.parts(TenantTable(tenant: tenant, table: table.id), in: range, view: view, viewRange: viewRange)
            .adding(rest[tenant] ?? [])
    }
}

extension ViewSnapshot {
    /// With rows of the source that the view does not have: in memory, and in parts that are sealed there.
    package func adding(
        _ memory: [ColumnBatch], indexes: [MemoryIndex] = [], parts: [PartHandle] = []
    ) -> ViewSnapshot {
        func adding(_ snapshot: TableSnapshot) -> TableSnapshot {
            TableSnapshot(
                table: snapshot.table, memory: snapshot.memory + memory,
                memoryIndexes: snapshot.memoryIndexes + indexes, parts: snapshot.parts + parts)
        }
        return ViewSnapshot(source: adding(source), pending: adding(pending), view: view)
    }
}
