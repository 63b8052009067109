internal import Columns
package import Core
internal import Parts
package import Storage
package import TableSchema

/// One tenant's partition of one table: what a merge stays inside (invariant 4).
package struct PartitionKey: Hashable, Comparable, Sendable {
    package var tenant: TenantID
    package var table: TableID
    /// The partition's start, nanoseconds since the epoch.
    package var start: Int64

    package init(tenant: TenantID, table: TableID, start: Int64) {
        self.tenant = tenant
        self.table = table
        self.start = start
    }

    package init(_ part: PartRecord) {
        self.init(tenant: part.tenant, table: part.table, start: part.partition)
    }

    package static func < (left: PartitionKey, right: PartitionKey) -> Bool {
        (left.table, left.tenant, left.start) < (right.table, right.tenant, right.start)
    }
}

/// When parts are merged, and how far.
package struct MergePolicy: Sendable {
    /// Parts of level 0 with short rows are merged once there are this many: dictionaries that each of them repeats outweigh
    /// their rows, and queries read all of them.
    package var newParts = 8
    /// Others are merged once they fill this many blocks, since a merge keeps a block of each input in memory, …
    package var newBlocks = 16
    /// … or there are this many, …
    package var mostNewParts = 48
    /// … or once they have this many bytes.
    package var newBytes: Int64 = 256 << 20
    /// Rows are short below this many bytes.
    package var shortRowBytes: Int64 = 8
    /// The most inputs of a merge, and how many parts of one level above 0 wait for it.
    package var fanIn = 18
    /// A part does not grow beyond this many bytes …
    package var targetBytes: Int64 = 4 << 30
    /// … or rows: a part's footer has an entry for every leaf and 8192 rows, and it stays in memory.
    package var targetRows = 64 << 20
    /// A closed partition is left with this many parts, not counting those that are as large as parts get.
    package var closedParts = 4
    /// A part that is alone in a closed partition is compressed anew from so many bytes on: of less, there is little to gain.
    package var leastAlone: Int64 = 0
    /// How long after its end a partition counts as closed, in nanoseconds.
    package var closingDelay: Int64 = 3_600_000_000_000
    /// Of merges whose output will be merged again, and of those in closed partitions.
    package var zstdLevel: Int32 = 1
    package var finalZstdLevel: Int32 = 6

    package init() {}
}

/// A merge to be done: the inputs are replaced by one part.
package struct MergePlan: Hashable, Sendable {
    package var partition: PartitionKey
    /// Oldest first; one alone is compressed better.
    package var inputs: [PartRecord]
    /// Of the output.
    package var level: UInt8
    package var zstdLevel: Int32
    /// Whether the partition is closed.
    package var isFinal: Bool
    /// Whether blocks none of whose rows move are taken as they are, and not compressed anew.
    package var copiesBlocks = true

    package init(partition: PartitionKey, inputs: [PartRecord], level: UInt8, zstdLevel: Int32, isFinal: Bool) {
        self.partition = partition
        self.inputs = inputs
        self.level = level
        self.zstdLevel = zstdLevel
        self.isFinal = isFinal
    }

    package var rowCount: Int { inputs.reduce(0) { $0 + $1.rowCount } }
    package var byteCount: Int64 { inputs.reduce(0) { $0 + $1.byteCount } }

    /// Many small parts cost queries most, and are merged soonest.
    package func isMoreUrgent(than other: MergePlan) -> Bool {
        (isFinal ? 1 : 0, level, byteCount, partition)
            < (other.isFinal ? 1 : 0, other.level, other.byteCount, other.partition)
    }
}

/// Decides what to merge, from the catalog's records alone.
///
/// A part's level is how often its rows have been rewritten, at most. While a partition is open, parts of one level become one
/// of the next: of level 0 8 with short rows, 16 to 48 of others (as many again by a server, docs/decisions/0045); 18 of level 1, and above that 18 once there are 36. When it
/// closes, all that is left, be it a single part, is merged once more, 18 at a time and better compressed, to level 3. What comes late is merged among
/// itself, and only while that at least doubles the size of what its rows are in, so that the work grows with the logarithm of
/// their number.
///
/// A flush every 30 s makes 120 parts of an hour and 2880 of a day. With the flush, a row is so written three times in an
/// hour's partition, and in a day's if flushes are small or large; four times between, and with short rows (decision 0017).
///
/// Parts of half the target's size stay as they are: two others always fit into one.
package enum MergePlanner {
    /// The level that the final merge gives at least: how a partition that has had it is told from one that has not.
    package static let finalLevel: UInt8 = 3

    /// - Parameters:
    ///   - parts: of any tenants; those of other tables are ignored.
    ///   - busy: partitions to which parts were added lately: they do not count as closed.
    ///   - rolledUp: which views have the rows of a part: only parts whose rows are in the same views are merged.
    /// - Returns: merges that have no input in common, the most urgent first.
    package static func plan(
        parts: [PartRecord], table: TableDefinition, now: Timestamp, busy: Set<PartitionKey> = [],
        rolledUp: [PartID: ViewSet] = [:], policy: MergePolicy
    ) -> [MergePlan] {
        precondition(policy.fanIn >= 2, "a merge needs at least two inputs")
        let partitions = Dictionary(grouping: parts.filter { $0.table == table.id }) { PartitionKey($0) }
        var plans: [MergePlan] = []
        for (key, parts) in partitions {
            let end = Timestamp(nanoseconds: table.partitionUnit.end(ofPartitionAt: key.start))
            let isClosed = end.advanced(by: policy.closingDelay) < now && !busy.contains(key)
            if isClosed, parts.count == 1, !isFull(parts[0], policy), parts[0].level < finalLevel,
                parts[0].byteCount >= policy.leastAlone
            {
                plans.append(alone(key, parts[0], policy))
            }
            let alike = Dictionary(grouping: parts.filter { !isFull($0, policy) }) { rolledUp[$0.id] }
            for parts in alike.values where parts.count >= 2 {
                let some = parts.sorted { $0.id < $1.id }
                plans += isClosed ? closed(key, some, policy) : open(key, some, policy)
            }
        }
        return plans.sorted { $0.isMoreUrgent(than: $1) }
    }

    package static func isFull(_ part: PartRecord, _ policy: MergePolicy) -> Bool {
        part.byteCount >= policy.targetBytes / 2 || part.rowCount >= policy.targetRows / 2
    }

    // MARK: Open partitions

    private static func open(_ key: PartitionKey, _ parts: [PartRecord], _ policy: MergePolicy) -> [MergePlan] {
        let levels = Dictionary(grouping: parts, by: \.level)
        return levels.keys.sorted().compactMap { level in
            let waiting = levels[level] ?? []
            guard waiting.count >= 2, isDue(waiting, level, policy) else { return nil }
            let inputs = fitting(waiting, policy, blocks: level == 0 ? max(policy.fanIn, policy.newBlocks) : nil)
            return MergePlan(
                partition: key, inputs: inputs, level: next(level), zstdLevel: policy.zstdLevel, isFinal: false)
        }
    }

    private static func isDue(_ parts: [PartRecord], _ level: UInt8, _ policy: MergePolicy) -> Bool {
        let bytes = parts.reduce(0) { $0 + $1.byteCount }
        let rows = parts.reduce(0) { $0 + $1.rowCount }
        switch level {
        case 0:
            if bytes >= policy.newBytes || parts.count >= policy.mostNewParts { return true }
            if bytes < Int64(rows) * policy.shortRowBytes { return parts.count >= policy.newParts }
            return parts.count >= policy.newParts && blocks(parts) >= policy.newBlocks
        case 1:
            return parts.count >= waiting(bytes, rows, policy) || bytes >= policy.targetBytes / 2
                || rows >= policy.targetRows / 2
        default:
            return parts.count >= 2 * policy.fanIn
        }
    }

    /// Of level 1: short rows are merged soon, others as late as it is bearable for queries.
    private static func waiting(_ bytes: Int64, _ rows: Int, _ policy: MergePolicy) -> Int {
        bytes < Int64(rows) * policy.shortRowBytes ? policy.fanIn : 4 * policy.fanIn
    }

    /// How many blocks the parts fill that a merge would have in memory at a time: one of each that has so many rows.
    private static func blocks(_ parts: some Sequence<PartRecord>) -> Int {
        parts.reduce(0) { $0 + min($1.rowCount, PartLayout.blockRows) } / PartLayout.blockRows
    }

    /// The first of the parts, as many as one merge takes: more than the fan-in if they are small.
    ///
    /// - Parameter blocks: how many they may have in memory at a time; nil: as many as the fan-in.
    private static func fitting(_ parts: [PartRecord], _ policy: MergePolicy, blocks: Int? = nil) -> [PartRecord] {
        let most = blocks ?? policy.fanIn
        var bytes: Int64 = 0
        var rows = 0
        var held = 0
        let taken = parts.prefix(policy.mostNewParts).enumerated().prefix { index, part in
            bytes += part.byteCount
            rows += part.rowCount
            held += min(part.rowCount, PartLayout.blockRows)
            return bytes <= policy.targetBytes && rows <= policy.targetRows
                && (index < policy.fanIn || held <= most * PartLayout.blockRows)
        }.map(\.element)
        return Array(taken)
    }

    private static func next(_ level: UInt8) -> UInt8 { level == .max ? .max : level + 1 }

    // MARK: Closed partitions

    private static func closed(_ key: PartitionKey, _ parts: [PartRecord], _ policy: MergePolicy) -> [MergePlan] {
        let finals = parts.filter { $0.level >= finalLevel }
        let late = parts.filter { $0.level < finalLevel }
        // What flushes left goes the way of the others, and does not count as one more input each.
        let new = parts.filter { $0.level == 0 }
        if finals.isEmpty, new.count >= 2, new.count < parts.count, parts.count > policy.fanIn {
            let inputs = fitting(new, policy)
            if inputs.count >= 2 {
                return [
                    MergePlan(partition: key, inputs: inputs, level: 1, zstdLevel: policy.zstdLevel, isFinal: false)
                ]
            }
        }
        // As many do not come late before they are merged: they were there when the partition closed.
        if finals.isEmpty || late.count > policy.fanIn / 2 {
            return chunks(late, policy).map { plan(key, $0, atLeast: finalLevel, policy) }
        }
        if late.count >= policy.closedParts { return [plan(key, alike(late, policy), atLeast: 0, policy)] }
        if finals.count > policy.closedParts { return [plan(key, alike(finals, policy), atLeast: 0, policy)] }
        return []
    }

    private static func plan(
        _ key: PartitionKey, _ inputs: [PartRecord], atLeast level: UInt8, _ policy: MergePolicy
    ) -> MergePlan {
        let highest = inputs.map(\.level).max() ?? 0
        return MergePlan(
            partition: key, inputs: inputs.sorted { $0.id < $1.id }, level: max(level, next(highest)),
            zstdLevel: policy.finalZstdLevel, isFinal: true)
    }

    /// The last merge of a partition with a single part: all of it is compressed anew.
    private static func alone(_ key: PartitionKey, _ part: PartRecord, _ policy: MergePolicy) -> MergePlan {
        var plan = plan(key, [part], atLeast: finalLevel, policy)
        plan.copiesBlocks = false
        return plan
    }

    /// As few merges as take in all parts: neighbours in time, about as many in each.
    private static func chunks(_ parts: [PartRecord], _ policy: MergePolicy) -> [[PartRecord]] {
        let ordered = parts.sorted { ($0.leastTime, $0.id) < ($1.leastTime, $1.id) }
        let merges = (parts.count + policy.fanIn - 1) / policy.fanIn
        let share = (parts.count + merges - 1) / merges
        var chunks: [[PartRecord]] = []
        var rest = ordered[...]
        while rest.count >= 2 {
            let chunk = fitting(Array(rest.prefix(share)), policy)
            if chunk.count >= 2 { chunks.append(chunk) }
            rest = rest.dropFirst(max(chunk.count, 1))
        }
        return chunks
    }

    /// The most parts of which the largest has at most half of all bytes; if there are none, the two smallest.
    private static func alike(_ parts: [PartRecord], _ policy: MergePolicy) -> [PartRecord] {
        let ordered = fitting(parts.sorted { ($0.byteCount, $0.id) < ($1.byteCount, $1.id) }, policy)
        var sum: Int64 = 0
        var count = 2
        for (index, part) in ordered.enumerated() {
            sum += part.byteCount
            if index >= 1, sum >= 2 * part.byteCount { count = index + 1 }
        }
        return Array(ordered.prefix(count))
    }
}
