package import Core
internal import Files
package import Maintenance
internal import Parts
package import Storage
internal import TableSchema

/// Rows of a part that have expired while others have not: those of some services.
package struct PartialPruning: Hashable, Sendable {
    package var plan: PartialRetentionPlan
    package var rowCount: Int

    /// About how many bytes go with them: their share of the part's.
    package var byteCount: Int64 {
        let part = plan.part
        return Int64(Double(part.byteCount) * Double(rowCount) / Double(max(part.rowCount, 1)))
    }
}

/// What retention takes from a directory that no server holds. Finding out changes nothing.
package struct Pruning: Sendable {
    /// Partitions that go whole.
    package private(set) var partitions: [RetentionPlan] = []
    /// Parts that are written anew without some rows.
    package private(set) var parts: [PartialPruning] = []

    package var isEmpty: Bool { partitions.isEmpty && parts.isEmpty }

    package var rowCount: Int {
        partitions.reduce(0) { $0 + $1.rowCount } + parts.reduce(0) { $0 + $1.rowCount }
    }

    package var byteCount: Int64 {
        partitions.reduce(0) { $0 + $1.byteCount } + parts.reduce(0) { $0 + $1.byteCount }
    }

    /// - Parameter progress: is told how many of the parts that may have such rows were looked at; throws to give up.
    package init(
        _ directory: DataDirectory, policy: RetentionPolicy, now: Timestamp,
        progress: (WorkProgress) throws(OfflineError) -> Void = { (_) throws(OfflineError) in }
    ) throws(OfflineError) {
        let records = directory.parts.map(\.record)
        partitions = RetentionPlanner.plan(parts: records, tables: directory.tables, now: now, policy: policy)
        let dropped = Set(partitions.flatMap { $0.parts.map(\.id) })
        let suspects = RetentionPlanner.partialPlans(
            parts: records.filter { !dropped.contains($0.id) }, tables: directory.tables, now: now, policy: policy)
        var done = WorkProgress()
        done.allBytes = suspects.reduce(0) { $0 + $1.part.byteCount }
        done.allRows = suspects.reduce(0) { $0 + $1.part.rowCount }
        let paths = Dictionary(uniqueKeysWithValues: directory.parts.map { ($0.record.id, $0.path) })
        for suspect in suspects {
            try progress(done)
            guard let table = directory.tables.table(id: suspect.part.table), let path = paths[suspect.part.id]
            else { continue }
            let rows = try Self.expiredRows(suspect, path, table, directory.fileSystem)
            if rows > 0 { parts.append(PartialPruning(plan: suspect, rowCount: rows)) }
            done.doneBytes += suspect.part.byteCount
            done.doneRows += suspect.part.rowCount
        }
    }

    private static func expiredRows(
        _ plan: PartialRetentionPlan, _ path: String, _ table: TableDefinition, _ fileSystem: any ReadableFiles
    ) throws(OfflineError) -> Int {
        let file: any ReadableFile
        do throws(FileError) { file = try fileSystem.open(path) } catch { throw .file(error) }
        let part: Part
        do throws(PartError) {
            part = try Part(file, table: table)
        } catch {
            throw .merge(PartitionKey(plan.part), .unreadable(plan.part.id, error))
        }
        do throws(MergeError) {
            return try MergeExecutor.expiredRows(plan, in: part, table)
        } catch {
            throw .merge(PartitionKey(plan.part), error)
        }
    }

    /// Takes it all away: the partitions at one timestamp, and then part after part. What was done when it ends early is done.
    ///
    /// - Parameters:
    ///   - store: of the same directory.
    ///   - progress: is told after each block how far the parts have come; throws to give up the one that is being written.
    package func carryOut(
        _ store: Store,
        progress: (WorkProgress) throws(OfflineError) -> Void = { (_) throws(OfflineError) in }
    ) throws(OfflineError) {
        let known = Set(store.allParts.values.joined().map(\.record.id))
        let whole = partitions.flatMap { $0.parts.map(\.id) }.filter(known.contains)
        if !whole.isEmpty {
            do throws(StorageError) {
                try store.commit(CatalogEdit(removed: whole))
            } catch {
                throw .storage(error)
            }
        }
        var done = WorkProgress()
        done.allBytes = parts.reduce(0) { $0 + $1.plan.part.byteCount }
        done.allRows = parts.reduce(0) { $0 + $1.plan.part.rowCount }
        let policy = MergePolicy()
        for part in parts where known.contains(part.plan.part.id) {
            let record = part.plan.part
            try progress(done)
            let isFinal = record.level >= MergePlanner.finalLevel
            let plan = MergePlan(
                partition: PartitionKey(record), inputs: [record], level: record.level,
                zstdLevel: isFinal ? policy.finalZstdLevel : policy.zstdLevel, isFinal: false)
            do throws(MergeError) {
                _ = try MergeExecutor(store).run(plan, leavingOut: part.plan.limits) {
                    do throws(OfflineError) { try progress(done) } catch { return true }
                    return false
                }
            } catch {
                if case .cancelled = error { throw .interrupted }
                throw .merge(PartitionKey(record), error)
            }
            done.doneBytes += record.byteCount
            done.doneRows += record.rowCount
        }
    }
}
