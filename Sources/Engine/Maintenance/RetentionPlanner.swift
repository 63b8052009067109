internal import Columns
package import Core
package import Storage
package import TableSchema

/// Partitions to be dropped, and why.
package struct RetentionPlan: Hashable, Sendable {
    package enum Reason: Hashable, Sendable { case age, size }

    package var partition: PartitionKey
    package var reason: Reason
    package var parts: [PartRecord]

    package var rowCount: Int { parts.reduce(0) { $0 + $1.rowCount } }
    package var byteCount: Int64 { parts.reduce(0) { $0 + $1.byteCount } }
}

/// A part of which some services' rows have expired and others have not: it is to be written anew without them.
package struct PartialRetentionPlan: Hashable, Sendable {
    package var part: PartRecord
    package var limits: ExpiryLimits
    /// How many of the distinct lives in the partition have ended: with each there may be something to leave out.
    package var endedLives: Int
}

/// Decides what is too old to keep, from the catalog's records alone; what it answers without being carried out is a dry run.
///
/// A partition goes as a whole once its end is older than the longest life of a row in it: no row may be read any longer. A
/// limit of size drops the partitions that ended first, of whichever table, and never one that has not ended. Rows of services
/// that live shorter than others are left out of every merge; the parts that no merge is planned for are written anew once all
/// rows of such a service in their partition have expired, so once for each such life at most.
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
            if isBounded(table), let life = policy.lives(tenant: key.tenant, table: table).longest,
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

    /// The parts in which rows of some services have expired and those of others have not. Whether there are any such rows in
    /// them is not known: `MergeExecutor.expiredRows` counts them.
    package static func partialPlans(
        parts: [PartRecord], tables: TableCatalog, now: Timestamp, policy: RetentionPolicy
    ) -> [PartialRetentionPlan] {
        guard policy.rules.contains(where: { $0.service != nil }) else { return [] }
        return parts.sorted { $0.id < $1.id }.compactMap { part in
            guard let table = tables.table(id: part.table), isBounded(table) else { return nil }
            let lives = policy.lives(tenant: part.tenant, table: table)
            let end = Timestamp(nanoseconds: table.partitionUnit.end(ofPartitionAt: part.partition))
            // Lives that end after the partition's last row are met by a part of the rows only: these wait.
            func hasExpired(_ life: Int64?) -> Bool { life.map { end.advanced(by: $0) < now } ?? false }
            guard lives.differ, lives.distinct.contains(where: { hasExpired($0) }) else { return nil }
            var limits = lives.limits(now: now)
            if !hasExpired(lives.others) { limits.others = .min }
            for (service, life) in lives.services where !hasExpired(life) { limits.services[service] = .min }
            return PartialRetentionPlan(
                part: part, limits: limits, endedLives: lives.distinct.count { hasExpired($0) })
        }
    }

    /// Whether lives count from the column that partitions follow: only then does a partition's end bound them.
    static func isBounded(_ table: TableDefinition) -> Bool {
        table.ttlColumn == nil || table.ttlColumn == table.partitionColumn
    }
}
