internal import Columns
internal import Core
package import Parts
package import TableSchema

/// Which parts a store has, told by the parts' own origins where records of the catalog were lost.
///
/// What is known without the records:
///
/// - A file goes only after the record that removes its part: every part of the store has its file, and other files are inputs of
///   merges that were not removed yet, and outputs of flushes and merges whose record was not written.
/// - What was merged or repaired was in the store. So a flush of which a merge has rows was committed, and so was every flush before
///   one that was begun: only a table's last flush may not have been.
/// - Of two parts that share rows the later, whatever became of it, was made of what was in the store then. If it does not have
///   all rows of the earlier, the earlier was not in the store.
///
/// So flushes are decided first, and then, partition by partition, which parts of those that contain each other are taken. An output
/// is taken before its inputs if it was committed, or every byte of it is right: then it has their rows.
package struct PartResolution {
    /// A file that is a part.
    package struct Candidate {
        package var record: PartRecord
        package var origin: PartOrigin?
        package var sources: PartSources
        /// Whether a record of the catalog added it, and none that is known removed it.
        package var isNamed: Bool

        package init(_ record: PartRecord, _ origin: PartOrigin?, isNamed: Bool) {
            self.record = record
            self.isNamed = isNamed
            self.origin = origin
            sources = PartSources(origin, ofPart: record.id.number)
        }

        var key: TenantTable { TenantTable(tenant: record.tenant, table: record.table) }

        /// What it was made of, of its own table.
        var made: RowSources { origin.map { $0.sources.own } ?? sources.own }

        /// Whether its rows are aggregated from another table's, and no part of its own table went into it.
        var isAggregate: Bool {
            if case .aggregated(let sources)? = origin { sources.own.isEmpty } else { false }
        }

        var flush: FlushOrigin? {
            if case .flushed(let flush)? = origin { flush } else { nil }
        }
    }

    /// The parts that the store has, by number.
    package private(set) var kept: [PartRecord] = []
    /// Those that it has not, and why.
    package private(set) var left: [(record: PartRecord, reason: String)] = []
    /// Up to which position of the log a table's rows are in the parts that are kept.
    package private(set) var flushed: [TenantTable: UInt64]

    private let logStart: UInt64?
    private let isWhole: (PartRecord) -> Bool

    /// - Parameters:
    ///   - flushed: what the catalog says of that.
    ///   - logStart: from where on the log has everything; nil if there is none.
    ///   - marks: views that have the rows of parts, as far as the catalog says it.
    ///   - isWhole: whether all bytes of a part are as they were written.
    package init(
        _ candidates: [Candidate], flushed: [TenantTable: UInt64], logStart: UInt64?, marks: [PartID: ViewSet] = [:],
        isWhole: @escaping (PartRecord) -> Bool
    ) {
        self.flushed = flushed
        self.logStart = logStart
        self.isWhole = isWhole
        for candidate in candidates { noteCommitted(candidate) }
        var rest = candidates.filter { !isOpen($0) }
        for flush in Dictionary(grouping: candidates.filter(isOpen), by: \.key).sorted(by: { $0.key < $1.key }) {
            rest += decide(flush.value)
        }
        let views = Set(rest.filter { !$0.sources.aggregated.isEmpty }.map(\.key))
        decidePartitions(rest.filter { !views.contains($0.key) })
        decidePartitions(aggregates(rest.filter { views.contains($0.key) }, of: rest, marks))
        kept.sort { $0.id < $1.id }
        left.sort { $0.record.id < $1.record.id }
    }

    private mutating func decidePartitions(_ candidates: [Candidate]) {
        let partitions = Dictionary(grouping: candidates) { Place(key: $0.key, partition: $0.record.partition) }
        for candidates in partitions.values { decide(partition: candidates) }
    }

    private struct Place: Hashable {
        var key: TenantTable
        var partition: Int64
    }

    // MARK: Flushes

    /// Takes in what a part says of flushes that were committed.
    private mutating func noteCommitted(_ candidate: Candidate) {
        func note(_ key: TenantTable, _ position: UInt64?) {
            if let position { flushed[key] = max(flushed[key] ?? 0, position) }
        }
        if let flush = candidate.flush {
            note(candidate.key, candidate.isNamed ? flush.last : flush.previous)
        } else {
            note(candidate.key, candidate.sources.own.positions.last?.upperBound)
            for aggregated in candidate.sources.aggregated {
                let key = TenantTable(tenant: candidate.record.tenant, table: TableID(number: aggregated.table))
                note(key, aggregated.rows.positions.last?.upperBound)
            }
        }
    }

    /// Whether nothing says that the flush that the part is of was committed.
    private func isOpen(_ candidate: Candidate) -> Bool {
        guard let flush = candidate.flush else { return false }
        return flush.last > flushed[candidate.key] ?? 0
    }

    /// Decides about the flushes of a table that may not have been committed: all but the last of them were not.
    private mutating func decide(_ candidates: [Candidate]) -> [Candidate] {
        let key = candidates[0].key
        let begun = candidates.filter { ($0.flush?.previous ?? 0) >= flushed[key] ?? 0 }
        guard let last = begun.max(by: { $0.record.id < $1.record.id }), let flush = last.flush else {
            leave(candidates, "its flush was not committed")
            return []
        }
        leave(candidates.filter { $0.flush != flush }, "a later flush has its rows")
        // The same rows may have been written more than once.
        var chosen: [Candidate] = []
        var isComplete = true
        let partitions = Dictionary(grouping: begun.filter { $0.flush == flush }, by: \.record.partition)
        for parts in partitions.values {
            let latest = parts.sorted { $0.record.id > $1.record.id }
            let best = latest.first { isWhole($0.record) }
            if best == nil { isComplete = false }
            let part = best ?? latest[0]
            chosen.append(part)
            leave(latest.filter { $0.record.id != part.record.id }, "part \(part.record.id.number) has the same rows")
        }
        if chosen.count != flush.parts { isComplete = false }
        if !isComplete, let logStart, logStart <= flush.first {
            leave(chosen, "its flush is not complete, and the log has its rows")
            return []
        }
        flushed[key] = flush.last
        return chosen
    }

    private mutating func leave(_ candidates: [Candidate], _ reason: String) {
        for candidate in candidates { left.append((candidate.record, reason)) }
    }

    // MARK: Aggregates

    /// Leaves out aggregates that may not have been committed, if all rows that they are made of are there to be aggregated again.
    private mutating func aggregates(
        _ candidates: [Candidate], of all: [Candidate], _ marks: [PartID: ViewSet]
    ) -> [Candidate] {
        let sources = SourcesByPlace(kept, all)
        let used = Set(candidates.flatMap { $0.made.parts })
        let marked = all.filter { marks[$0.record.id] != nil }
        let groups = Dictionary(grouping: candidates.filter(\.isAggregate)) {
            AggregateKey(key: $0.key, aggregated: $0.sources.aggregated)
        }
        // Of an aggregate's parts, which are of several partitions, some may be merged by now.
        let merged = Dictionary(grouping: candidates.filter { !$0.isAggregate }, by: \.key)
            .mapValues { SourcesByPlace(aggregatedInto: $0) }
        var left: Set<PartID> = []
        for (aggregate, written) in groups {
            let again = repeated(written, candidates)
            leave(again, "its aggregate was written again")
            left.formUnion(again.map(\.record.id))
            let parts = written.filter { !left.contains($0.record.id) }
            let isProven =
                merged[aggregate.key]?.have(aggregate.aggregated, tenant: aggregate.key.tenant) ?? false
                || parts.contains { $0.isNamed || used.contains($0.record.id.number) }
                || marked.contains { part in
                    part.record.tenant == aggregate.key.tenant
                        && (marks[part.record.id]?.contains(aggregate.key.table) ?? false)
                        && !(aggregate.rows(part)?.isDisjoint(with: part.sources.own) ?? true)
                }
            guard !isProven, sources.have(aggregate.aggregated, tenant: aggregate.key.tenant) else { continue }
            leave(parts, "its rows are there to be aggregated again")
            left.formUnion(parts.map(\.record.id))
        }
        return candidates.filter { !left.contains($0.record.id) }
    }

    /// Of parts with the same aggregate, those of an attempt that was not committed. All of an aggregate are named by one record; of those that
    /// none names, the last of a partition counts, unless a merge has the aggregate there.
    private func repeated(_ parts: [Candidate], _ candidates: [Candidate]) -> [Candidate] {
        if parts.contains(where: \.isNamed) { return parts.filter { !$0.isNamed } }
        return parts.filter { part in
            candidates.contains { other in
                guard other.key == part.key, other.record.partition == part.record.partition else { return false }
                if other.isAggregate {
                    return other.sources.aggregated == part.sources.aggregated && other.record.id > part.record.id
                }
                return !other.made.parts.contains(part.record.id.number)
                    && part.sources.aggregated.allSatisfy { aggregated in
                        other.sources.aggregated.contains {
                            $0.table == aggregated.table && $0.partition == aggregated.partition
                                && aggregated.rows.isSubset(of: $0.rows)
                        }
                    }
            }
        }
    }

    private struct AggregateKey: Hashable {
        var key: TenantTable
        var aggregated: [AggregatedSources]

        func rows(_ part: Candidate) -> RowSources? {
            aggregated.first { $0.table == part.record.table.number && $0.partition == part.record.partition }?.rows
        }
    }

    // MARK: Parts that contain each other

    private mutating func decide(partition candidates: [Candidate]) {
        let parts = candidates.sorted { $0.record.id < $1.record.id }
        // Mostly there is nothing to decide.
        var isUncommitted = [Bool](repeating: false, count: parts.count)
        var outputs = [Int?](repeating: nil, count: parts.count)
        for later in parts.indices {
            for earlier in 0..<later where !parts[earlier].sources.own.isDisjoint(with: parts[later].sources.own) {
                if parts[earlier].sources.own.isSubset(of: parts[later].sources.own) {
                    // The first later part that contains it: others contain that one, or it was not committed.
                    if outputs[earlier] == nil { outputs[earlier] = later }
                } else {
                    isUncommitted[earlier] = true
                }
            }
        }
        for part in parts.indices where isUncommitted[part] {
            left.append((parts[part].record, "it was not committed: a later part was made of others"))
            // What it contains is contained by what came later, or stands for itself.
            for input in parts.indices where outputs[input] == part {
                outputs[input] = ((part + 1)..<parts.count).first { later in
                    !isUncommitted[later] && parts[input].sources.own.isSubset(of: parts[later].sources.own)
                }
            }
        }
        var inputs = [[Int]](repeating: [], count: parts.count)
        for part in parts.indices where !isUncommitted[part] {
            if let output = outputs[part] { inputs[output].append(part) }
        }
        for top in parts.indices where outputs[top] == nil && !isUncommitted[top] {
            let chosen = choose(top, parts, inputs)
            kept += chosen.map { parts[$0].record }
        }
    }

    /// Which of a part and those that it contains are taken; notes the others as left.
    private mutating func choose(_ part: Int, _ parts: [Candidate], _ inputs: [[Int]]) -> [Int] {
        guard !inputs[part].isEmpty else { return [part] }
        let number = parts[part].record.id.number
        func below(_ part: Int) -> [Int] { inputs[part].flatMap { [$0] + below($0) } }
        var instead: [Int]?
        if !parts[part].isNamed {
            let before = left
            let chosen = inputs[part].flatMap { choose($0, parts, inputs) }
            var covered = RowSources()
            for input in chosen { covered.formUnion(parts[input].sources.own) }
            if parts[part].made.isSubset(of: covered), takes(chosen.map { parts[$0] }, insteadOf: parts[part]) {
                instead = chosen
            } else {
                left = before
            }
        }
        if let instead {
            left.append((parts[part].record, "the parts that it was made of are there"))
            return instead
        }
        leave(below(part).map { parts[$0] }, "part \(number) has its rows")
        return [part]
    }

    /// Whether to take inputs that are all there: they are as good as the output, which may not have been committed.
    private func takes(_ inputs: [Candidate], insteadOf output: Candidate) -> Bool {
        if case .repaired? = output.origin { return true }
        return inputs.allSatisfy(\.isNamed) || !isWhole(output.record)
    }
}

/// What parts have, by where it is.
struct SourcesByPlace {
    private struct Place: Hashable {
        var tenant: TenantID
        var table: UInt16
        var partition: Int64
    }

    private var rows: [Place: RowSources] = [:]

    /// - Parameter kept: those of the candidates that count.
    init(_ kept: [PartRecord], _ candidates: [PartResolution.Candidate]) {
        let ids = Set(kept.map(\.id))
        for part in candidates where ids.contains(part.record.id) {
            add(part.sources.own, part.record.tenant, part.record.table.number, part.record.partition)
        }
    }

    /// What is aggregated into parts.
    ///
    /// - Parameter unit: of the parts' table: of an aggregate that has parts in several of its partitions, each counts for the rows
    ///   that went there. Nil: each counts for all.
    init(aggregatedInto parts: [PartResolution.Candidate], unit: PartitionUnit? = nil) {
        for part in parts {
            for aggregated in part.sources.aggregated {
                if let unit, unit.start(of: aggregated.partition) != part.record.partition { continue }
                add(aggregated.rows, part.record.tenant, aggregated.table, aggregated.partition)
            }
        }
    }

    private mutating func add(_ some: RowSources, _ tenant: TenantID, _ table: UInt16, _ partition: Int64) {
        rows[Place(tenant: tenant, table: table, partition: partition), default: RowSources()].formUnion(some)
    }

    func have(_ aggregated: [AggregatedSources], tenant: TenantID) -> Bool {
        aggregated.allSatisfy {
            $0.rows.isSubset(
                of: rows[Place(tenant: tenant, table: $0.table, partition: $0.partition)] ?? RowSources())
        }
    }

    func have(_ part: PartResolution.Candidate) -> Bool {
        let record = part.record
        let place = Place(tenant: record.tenant, table: record.table.number, partition: record.partition)
        return rows[place].map { part.sources.own.isSubset(of: $0) } ?? false
    }
}

extension PartResolution {
    /// Which views have the rows of parts, by what is aggregated into the views' parts.
    package static func marks(
        _ kept: [PartRecord], _ candidates: [Candidate], _ tables: TableCatalog
    ) -> [PartID: ViewSet] {
        let ids = Set(kept.map(\.id))
        let parts = candidates.filter { ids.contains($0.record.id) }
        var marks: [PartID: ViewSet] = [:]
        for view in tables.rollups {
            let aggregated = SourcesByPlace(
                aggregatedInto: parts.filter { $0.record.table == view.target.id }, unit: view.target.partitionUnit)
            for part in parts where part.record.table == view.source && aggregated.have(part) {
                marks[part.record.id, default: ViewSet()].insert(view.target.id)
            }
        }
        return marks
    }
}
