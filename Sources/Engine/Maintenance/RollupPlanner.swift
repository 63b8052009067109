internal import Columns
package import Core
internal import Parts
package import Storage
package import TableSchema

/// When views are brought up to date.
package struct RollupPolicy: Sendable {
    /// How often there is a look for parts whose rows are in no view.
    package var pause = Duration.seconds(2)
    /// In nanoseconds: how long after its end a partition is left before a view with a join is made of it: what belongs together
    /// comes in pieces.
    package var settling: Int64 = 900_000_000_000
    /// In nanoseconds: a partition to which a part was added is left for so long, …
    package var quietTime: Int64 = 60_000_000_000
    /// … but not longer than this, if parts keep coming.
    package var longestWait: Int64 = 600_000_000_000
    /// Bytes of rows in memory before they are written.
    package var memory = 32 << 20
    /// Parts that are aggregated at a time, at most.
    package var parts = 64
    /// Fewer rows of a tenant wait until their partition has ended and is quiet: whoever reads aggregates them meanwhile, and each time rows are
    /// aggregated makes a part of every view.
    package var leastRows = 1

    package init() {}
}

/// Parts whose rows are to be aggregated into views.
package struct RollupPlan: Hashable, Sendable {
    package enum Work: Hashable, Sendable {
        /// Rows of these views are added.
        case add([TableID])
        /// Rows of a view with a join are made anew.
        case replace(Replacement)
    }

    /// A view's rows of one partition of the source, and perhaps of the next.
    package struct Replacement: Hashable, Sendable {
        package var view: TableID
        /// Starts of partitions of the source: the first is that of the plan's parts.
        package var buckets: [Int64]
        /// The partition before, whose rows may be joined.
        package var earlier: [PartRecord]
        /// The partition after the first, if it is a bucket.
        package var next: [PartRecord]
        /// The view's parts that have the buckets' rows, and others.
        package var replaced: [PartRecord]
    }

    package var source: TenantTable
    package var work: Work
    /// Whose rows are in the views afterwards.
    package var parts: [PartRecord]

    /// Parts that must stay as they are while the plan is carried out.
    package var held: [PartRecord] {
        guard case .replace(let work) = work else { return parts }
        return parts + work.next + work.replaced
    }

    /// All parts that are read. Those that need not stay may be merged meanwhile: what is read of them then is the same rows in
    /// the files from before, which live as long as somebody holds their handles (invariant 6).
    package var read: [PartRecord] {
        guard case .replace(let work) = work else { return parts }
        return held + work.earlier
    }
}

/// Decides what to aggregate, from the catalog's records alone.
///
/// A view without a join takes the rows of a part at any time, in any order: each part once. One with a join is made of whole
/// partitions, an hour, once an hour has settled; a row may be joined to one of the same partition or the one before. A part that
/// comes later makes its hour and the next be made again. So:
///
/// - The rows of a part that is marked for a view with a join are in the view's rows of its partition, and in those of the next if
///   any part there is marked.
/// - An hour's rows are those of the view if all its parts and those of the hour before are marked; otherwise whoever reads must join.
package enum RollupPlanner {
    /// Views whose rows are added part by part.
    ///
    /// - Parameter written: as of `joinPlans`.
    package static func plan(
        parts: [PartRecord], rolledUp: [PartID: ViewSet], tables: TableCatalog, now: Timestamp = .max,
        written: [PartitionKey: (last: Timestamp, first: Timestamp)] = [:], policy: RollupPolicy
    ) -> [RollupPlan] {
        var plans: [RollupPlan] = []
        for table in tables.tables {
            let views = tables.rollups(of: table.id).filter(\.isMergeable).map(\.target.id)
            guard !views.isEmpty else { continue }
            let pending = parts.filter { part in
                part.table == table.id && views.contains { !(rolledUp[part.id]?.contains($0) ?? false) }
            }
            let groups = Dictionary(grouping: pending) { part in
                Group(tenant: part.tenant, views: views.filter { !(rolledUp[part.id]?.contains($0) ?? false) })
            }
            for (group, parts) in groups {
                let parts = due(parts, table, now, written, policy)
                guard !parts.isEmpty else { continue }
                plans.append(
                    RollupPlan(
                        source: TenantTable(tenant: group.tenant, table: table.id), work: .add(group.views),
                        parts: Array(parts.sorted { $0.id < $1.id }.prefix(policy.parts))))
            }
        }
        return plans.sorted { $0.parts[0].id < $1.parts[0].id }
    }

    /// Of the parts of one tenant, all if they are worth it, else those of partitions in which nothing is to be expected.
    private static func due(
        _ parts: [PartRecord], _ table: TableDefinition, _ now: Timestamp,
        _ written: [PartitionKey: (last: Timestamp, first: Timestamp)], _ policy: RollupPolicy
    ) -> [PartRecord] {
        if parts.count >= policy.parts || parts.reduce(0, { $0 + $1.rowCount }) >= policy.leastRows { return parts }
        return parts.filter { part in
            Timestamp(nanoseconds: table.partitionUnit.end(ofPartitionAt: part.partition)) <= now
                && isQuiet(written[PartitionKey(part)], now, policy)
        }
    }

    private struct Group: Hashable {
        let tenant: TenantID
        let views: [TableID]
    }

    /// Views with a join.
    ///
    /// - Parameters:
    ///   - written: when a part was last added to a partition, as far as that is known and was lately; with the time since when
    ///     it has parts that are in no view.
    package static func joinPlans(
        parts all: [PartRecord], rolledUp: [PartID: ViewSet], tables: TableCatalog, now: Timestamp,
        written: [PartitionKey: (last: Timestamp, first: Timestamp)] = [:], policy: RollupPolicy
    ) -> [RollupPlan] {
        var plans: [RollupPlan] = []
        for view in tables.rollups where view.join != nil && !view.hasCounters {
            guard let table = tables.table(id: view.source) else { continue }
            let partitions = Dictionary(grouping: all.filter { $0.table == table.id }) { PartitionKey($0) }
            let viewParts = Dictionary(grouping: all.filter { $0.table == view.target.id }, by: \.tenant)
            func parts(_ key: PartitionKey, at start: Int64) -> [PartRecord] {
                partitions[PartitionKey(tenant: key.tenant, table: key.table, start: start)] ?? []
            }
            func isMarked(_ part: PartRecord) -> Bool { rolledUp[part.id]?.contains(view.target.id) ?? false }
            for (key, marked) in partitions.sorted(by: { $0.key < $1.key }) where !marked.allSatisfy(isMarked) {
                let end = table.partitionUnit.end(ofPartitionAt: key.start)
                guard Timestamp(nanoseconds: end).advanced(by: policy.settling) <= now,
                    isQuiet(written[key], now, policy)
                else { continue }
                let next = parts(key, at: end)
                let buckets = next.contains(where: isMarked) ? [key.start, end] : [key.start]
                let units = Set(buckets.map { view.target.partitionUnit.start(of: $0) })
                plans.append(
                    RollupPlan(
                        source: TenantTable(tenant: key.tenant, table: key.table),
                        work: .replace(
                            RollupPlan.Replacement(
                                view: view.target.id, buckets: buckets,
                                earlier: parts(key, at: table.partitionUnit.start(of: key.start &- 1)),
                                next: buckets.count > 1 ? next : [],
                                replaced: (viewParts[key.tenant] ?? []).filter { units.contains($0.partition) })),
                        parts: marked.sorted { $0.id < $1.id }))
            }
        }
        return plans
    }

    private static func isQuiet(
        _ written: (last: Timestamp, first: Timestamp)?, _ now: Timestamp, _ policy: RollupPolicy
    ) -> Bool {
        guard let written else { return true }
        return written.last.advanced(by: policy.quietTime) <= now
            || written.first.advanced(by: policy.longestWait) <= now
    }
}
