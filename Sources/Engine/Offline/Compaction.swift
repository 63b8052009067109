internal import Columns
internal import Files
internal import Maintenance
internal import Parts
package import Storage
internal import TableSchema

/// What a compaction did.
package struct CompactionSummary: Sendable {
    package var merges = 0
    package var partitions = 0
    package var inputParts = 0
    package var inputBytes: Int64 = 0
    package var outputParts = 0
    package var outputBytes: Int64 = 0
    package var rows = 0
    /// Parts that are too large to be merged with others, and were left as they are.
    package var tooLarge = 0

    package init() {}
}

/// The last merge of chosen partitions, without a server: what `MergeExecutor` does for one, until each has one part, or parts
/// that are as large as parts get.
///
/// Every merge is one record of the catalog, so it can end at any time: what is done is done, and the next compaction goes on
/// with the partitions that still have something to merge. A partition that has had its last merge is left alone.
package struct Compaction {
    package struct Options: Sendable {
        package var selection = PartSelection()
        package var zstdLevel: Int32 = MergePolicy().finalZstdLevel
        /// Whether partitions that have had their last merge are written once more, to be compressed anew.
        package var again = false

        package init() {}
    }

    private let store: Store
    private let options: Options
    private let policy = MergePolicy()
    private let progress: (WorkProgress) throws(OfflineError) -> Void
    private var summary = CompactionSummary()
    private var done = WorkProgress()

    /// - Parameter progress: is told after each block how far the work has come; throws to give up the current merge.
    package static func run(
        _ store: Store, _ options: Options,
        progress: @escaping (WorkProgress) throws(OfflineError) -> Void = { (_) throws(OfflineError) in }
    ) throws(OfflineError) -> CompactionSummary {
        var compaction = Compaction(store: store, options: options, progress: progress)
        try compaction.run()
        return compaction.summary
    }

    private init(
        store: Store, options: Options, progress: @escaping (WorkProgress) throws(OfflineError) -> Void
    ) {
        self.store = store
        self.options = options
        self.progress = progress
    }

    private mutating func run() throws(OfflineError) {
        let records = store.allParts.values.joined().map(\.record).filter { options.selection.contains($0) }
        var work: [(key: PartitionKey, parts: [PartRecord])] = []
        let rolledUp = store.rolledUp
        // Parts whose rows are in different views stay apart.
        let groups = Dictionary(grouping: records) { RolledUpPartition(key: PartitionKey($0), views: rolledUp[$0.id]) }
        for (key, parts) in groups.map({ ($0.key.key, $0.value) }) {
            guard let table = store.tables.table(id: key.table),
                options.selection.range?.overlaps(partitionAt: key.start, unit: table.partitionUnit) ?? true
            else { continue }
            let some = candidates(parts)
            if !some.isEmpty { work.append((key, some)) }
        }
        work.sort { $0.key < $1.key }
        done.allBytes = work.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.byteCount } }
        done.allRows = work.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.rowCount } }
        for (key, parts) in work {
            try compact(key, parts)
            summary.partitions += 1
        }
    }

    private struct RolledUpPartition: Hashable {
        let key: PartitionKey
        let views: ViewSet?
    }

    /// The parts of a partition that are to be merged.
    private func candidates(_ parts: [PartRecord]) -> [PartRecord] {
        let some = parts.filter { options.again || !MergePlanner.isFull($0, policy) }
        if some.count == 1, let part = some.first, !options.again, part.level >= MergePlanner.finalLevel { return [] }
        return some.sorted { ($0.leastTime, $0.id) < ($1.leastTime, $1.id) }
    }

    private mutating func compact(_ key: PartitionKey, _ parts: [PartRecord]) throws(OfflineError) {
        var waiting = parts
        // What a merge made is merged again, but is no more part of what the progress counts.
        var made: [PartRecord] = []
        while !waiting.isEmpty || made.count >= 2 {
            // One that is left over goes with what the others have become.
            if waiting.isEmpty || (waiting.count == 1 && !made.isEmpty) {
                done.allBytes += made.reduce(0) { $0 + $1.byteCount }
                done.allRows += made.reduce(0) { $0 + $1.rowCount }
                waiting += made
                made = []
            }
            let inputs = fitting(waiting)
            do throws(MergeError) {
                let outcome = try merge(key, inputs)
                let taken = Set(outcome.inputs.map(\.id))
                waiting.removeAll { taken.contains($0.id) }
                count(outcome)
                let isWhole = made.isEmpty && waiting.isEmpty
                // What was written alone fits to no other.
                if inputs.count > 1, !isWhole, let output = outcome.output, !MergePlanner.isFull(output, policy) {
                    made.append(output)
                }
            } catch {
                switch error {
                case .cancelled: throw .interrupted
                case .tooLarge(let ids):
                    summary.tooLarge += ids.count
                    waiting.removeAll { ids.contains($0.id) }
                default: throw .merge(key, error)
                }
            }
        }
    }

    private mutating func count(_ outcome: MergeOutcome) {
        summary.merges += 1
        summary.inputParts += outcome.inputs.count
        summary.inputBytes += outcome.bytesRead
        summary.outputParts += outcome.output == nil ? 0 : 1
        summary.outputBytes += outcome.bytesWritten
        summary.rows += outcome.output?.rowCount ?? 0
        done.doneBytes += outcome.bytesRead
        done.doneRows += outcome.output?.rowCount ?? 0
    }

    private func merge(_ key: PartitionKey, _ inputs: [PartRecord]) throws(MergeError) -> MergeOutcome {
        let highest = inputs.map(\.level).max() ?? 0
        var plan = MergePlan(
            partition: key, inputs: inputs.sorted { $0.id < $1.id },
            level: max(MergePlanner.finalLevel, highest == .max ? .max : highest + 1), zstdLevel: options.zstdLevel,
            isFinal: true)
        // All of it is compressed as was asked for.
        plan.copiesBlocks = false
        let rows = plan.rowCount
        let bytes = plan.byteCount
        var moved = 0
        return try MergeExecutor(store).run(plan) {
            var now = done
            now.doneRows += min(moved, rows)
            now.doneBytes += rows > 0 ? Int64(Double(bytes) * Double(min(moved, rows)) / Double(rows)) : 0
            moved += PartLayout.blockRows
            do throws(OfflineError) { try progress(now) } catch { return true }
            return false
        }
    }

    /// The first of the parts, as many as one merge takes; at least one.
    private func fitting(_ parts: [PartRecord]) -> [PartRecord] {
        var bytes: Int64 = 0
        var rows = 0
        let taken = parts.prefix(policy.fanIn).prefix { part in
            bytes += part.byteCount
            rows += part.rowCount
            return bytes <= policy.targetBytes && rows <= policy.targetRows
        }
        return taken.isEmpty ? Array(parts.prefix(1)) : Array(taken)
    }
}

extension DataDirectory {
    /// Gives up this view of the directory, and opens it for changes.
    ///
    /// - Throws: if the catalog is damaged, or a server has taken the directory meanwhile.
    package func openStore() throws(OfflineError) -> Store {
        try requireWholeCatalog()
        unlock()
        do throws(StorageError) {
            return try Store(directory: path, tables: tables, fileSystem: fileSystem)
        } catch {
            if case .directoryInUse = error { throw .inUse(path) }
            throw .storage(error)
        }
    }
}
