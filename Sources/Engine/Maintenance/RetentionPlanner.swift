internal import Columns
package import Core
package import Storage
package import TableSchema

/// How long rows are kept.
package struct RetentionPolicy: Sendable {
    /// By table: how long rows live, in nanoseconds, instead of what Schema/ says.
    package var timeToLive: [TableID: Int64] = [:]
    /// The most bytes of all parts; beyond, the oldest partitions go.
    package var byteLimit: Int64?

    package init() {}
}

/// Partitions to be dropped, and why.
package struct RetentionPlan: Hashable, Sendable {
    package enum Reason: Hashable, Sendable { case age, size }

    package var partition: PartitionKey
    package var reason: Reason
    package var parts: [PartRecord]

    package var rowCount: Int { parts.reduce(0) { $0 + $1.rowCount } }
    package var byteCount: Int64 { parts.reduce(0) { $0 + $1.byteCount } }
}

/// Decides what is too old to keep, from the catalog's records alone; what it answers without being carried out is a dry run.
///
/// A partition goes as a whole once its end is older than the table's time to live: no row in it may be read any longer. A
/// limit of size drops the partitions that ended first, of whichever table, and never one that has not ended.
package enum RetentionPlanner {
    package static func plan(
        parts: [PartRecord], tables: TableCatalog, now: Timestamp, policy: RetentionPolicy
    ) -> [RetentionPlan] {
        var plans: [RetentionPlan] = []
        var kept: [(end: Int64, plan: RetentionPlan)] = []
        for (key, parts) in Dictionary(grouping: parts, by: { PartitionKey($0) }) {
            guard let table = tables.table(id: key.table) else { continue }
            let end = table.partitionUnit.end(ofPartitionAt: key.start)
            let parts = parts.sorted { $0.id < $1.id }
            if let life = policy.timeToLive[key.table] ?? lifetime(table),
                Timestamp(nanoseconds: end).advanced(by: life) < now
            {
                plans.append(RetentionPlan(partition: key, reason: .age, parts: parts))
            } else {
                kept.append((end, RetentionPlan(partition: key, reason: .size, parts: parts)))
            }
        }
        if let limit = policy.byteLimit {
            var total = kept.reduce(0) { $0 + $1.plan.byteCount }
            for (end, plan) in kept.sorted(by: { ($0.end, $0.plan.partition) < ($1.end, $1.plan.partition) }) {
                guard total > limit, end < now.nanoseconds else { break }
                plans.append(plan)
                total -= plan.byteCount
            }
        }
        return plans.sorted { $0.partition < $1.partition }
    }

    /// The declared time to live, if it counts from the column that partitions follow: only then does a partition's end bound it.
    private static func lifetime(_ table: TableDefinition) -> Int64? {
        guard table.ttlColumn == nil || table.ttlColumn == table.partitionColumn else { return nil }
        return table.timeToLive
    }
}
