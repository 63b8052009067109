package import Core
package import Storage
private import Synchronization
internal import TableSchema

/// What maintenance did since the start, for `/metrics`.
package struct MaintenanceStatistics: Sendable {
    package let merges = Counter()
    package let failures = Counter()
    package let rows = Counter()
    /// Of the inputs of merges, and of their outputs.
    package let bytesRead = Counter()
    package let bytesWritten = Counter()
    package let droppedPartitions = Counter()
    package let droppedRows = Counter()
    package let droppedBytes = Counter()

    package init() {}
}

/// What went wrong in maintenance; it is tried again later.
package enum MaintenanceError: Error, Sendable, CustomStringConvertible {
    case merge(PartitionKey, MergeError)
    case retention(StorageError)

    package var description: String {
        switch self {
        case .merge(let partition, let error):
            "parts of table \(partition.table.number) of tenant \(partition.tenant) were not merged: \(error)"
        case .retention(let error): "old parts were not dropped: \(error)"
        }
    }
}

/// The thread that merges parts and drops what is too old: one merge at a time, at a low priority.
///
/// A merge that failed is not tried again for a while, longer each time; a part that cannot be read is left alone until the
/// next start, and the others are merged without it.
package final class MaintenanceWorker: Sendable {
    package struct Policy: Sendable {
        /// Nil: nothing is merged.
        package var merge: MergePolicy? = MergePolicy()
        /// Nil: nothing is dropped.
        package var retention: RetentionPolicy? = RetentionPolicy()
        package var limits = MergeExecutor.Limits()
        /// How often there is a look for something to merge.
        package var pause = Duration.seconds(5)
        /// In nanoseconds: how often there is a look for what is too old.
        package var retentionInterval: Int64 = 60_000_000_000
        /// In nanoseconds: a partition to which a part was added is busy for so long.
        package var busyTime: Int64 = 600_000_000_000
        /// In nanoseconds: how long nothing is merged in a partition after a failure; doubled with each until the longest.
        package var firstDelay: Int64 = 10_000_000_000
        package var longestDelay: Int64 = 3_600_000_000_000

        package init() {}
    }

    private struct Failure {
        var count: Int
        var until: Timestamp
    }

    private struct Memory {
        /// Parts from flushes that were seen before.
        var known: Set<PartID> = []
        /// When a part was last added by a flush.
        var written: [PartitionKey: Timestamp] = [:]
        var failures: [PartitionKey: Failure] = [:]
        var unusable: Set<PartID> = []
        var retained: Timestamp?
    }

    private let store: Store
    private let executor: MergeExecutor
    private let policy: Policy
    private let clock: @Sendable () -> Timestamp
    private let report: @Sendable (MaintenanceError) -> Void
    private let memory = Mutex(Memory())
    private let isClosing = Monitor(false)
    private let isStopped = Atomic<Bool>(false)
    package let statistics = MaintenanceStatistics()

    package init(
        _ store: Store, policy: Policy = Policy(), clock: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (MaintenanceError) -> Void
    ) {
        self.store = store
        self.policy = policy
        self.clock = clock
        self.report = report
        executor = MergeExecutor(store, limits: policy.limits)
    }

    /// Starts the thread; `stop` ends it.
    package func start() -> WorkerThread {
        WorkerThread { [self] in
            WorkerThread.lowerPriority()
            while !isStopped.load(ordering: .relaxed) {
                // After a merge there may be another.
                if runOnce(now: clock()) { continue }
                _ = isClosing.wait(timeout: policy.pause) { $0 ? true : nil }
            }
        }
    }

    /// Asks the thread to end: a merge is given up after its block.
    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        isClosing.notifying { $0 = true }
    }

    /// Drops what is too old if it is time for that, and merges once if there is something to merge.
    ///
    /// - Returns: whether parts were merged.
    package func runOnce(now: Timestamp) -> Bool {
        memory.withLock { memory in
            retainIfDue(&memory, now)
            return mergeOnce(&memory, now)
        }
    }

    /// What retention would drop: a dry run.
    package func retentionPlan(now: Timestamp) -> [RetentionPlan] {
        guard let retention = policy.retention else { return [] }
        return RetentionPlanner.plan(parts: records, tables: store.tables, now: now, policy: retention)
    }

    private var records: [PartRecord] { store.allParts.values.joined().map(\.record) }

    // MARK: Retention

    private func retainIfDue(_ memory: inout Memory, _ now: Timestamp) {
        if let last = memory.retained, last <= now, now < last.advanced(by: policy.retentionInterval) { return }
        memory.retained = now
        let plans = retentionPlan(now: now)
        guard !plans.isEmpty else { return }
        do throws(StorageError) {
            try store.commit(CatalogEdit(removed: plans.flatMap { $0.parts.map(\.id) }))
        } catch {
            return report(.retention(error))
        }
        statistics.droppedPartitions.add(plans.count)
        statistics.droppedRows.add(plans.reduce(0) { $0 + $1.rowCount })
        statistics.droppedBytes.add(Int(plans.reduce(0) { $0 + $1.byteCount }))
    }

    // MARK: Merges

    private func mergeOnce(_ memory: inout Memory, _ now: Timestamp) -> Bool {
        guard let policy = policy.merge else { return false }
        let parts = records
        note(parts, &memory, now)
        let usable = parts.filter { !memory.unusable.contains($0.id) }
        let busy = Set(memory.written.keys)
        let plans = store.tables.tables.flatMap { table in
            MergePlanner.plan(parts: usable, table: table, now: now, busy: busy, policy: policy)
        }
        let due = plans.filter { isDue($0, memory, now) }
        guard let plan = due.min(by: { $0.isMoreUrgent(than: $1) }) else { return false }
        return merge(plan, &memory, now)
    }

    private func isDue(_ plan: MergePlan, _ memory: Memory, _ now: Timestamp) -> Bool {
        memory.failures[plan.partition].map { $0.until <= now } ?? true
    }

    /// Notes which partitions were written to.
    private func note(_ parts: [PartRecord], _ memory: inout Memory, _ now: Timestamp) {
        for part in parts where part.level == 0 && !memory.known.contains(part.id) {
            memory.written[PartitionKey(part)] = now
        }
        memory.known = Set(parts.lazy.filter { $0.level == 0 }.map(\.id))
        memory.unusable.formIntersection(parts.map(\.id))
        memory.written = memory.written.filter { now < $0.value.advanced(by: policy.busyTime) }
        memory.failures = memory.failures.filter { now < $0.value.until.advanced(by: policy.longestDelay) }
    }

    private func merge(_ plan: MergePlan, _ memory: inout Memory, _ now: Timestamp) -> Bool {
        do throws(MergeError) {
            let outcome = try store.times.measure(.merge) { () throws(MergeError) in
                try executor.run(plan) { isStopped.load(ordering: .relaxed) }
            }
            statistics.merges.add()
            statistics.rows.add(outcome.output.rowCount)
            statistics.bytesRead.add(Int(outcome.bytesRead))
            statistics.bytesWritten.add(Int(outcome.output.byteCount))
            memory.failures[plan.partition] = nil
            return true
        } catch {
            if case .cancelled = error { return false }
            statistics.failures.add()
            memory.unusable.formUnion(error.culprits)
            let count = (memory.failures[plan.partition]?.count ?? 0) + 1
            let delay = min(policy.longestDelay, policy.firstDelay << min(count - 1, 20))
            memory.failures[plan.partition] = Failure(count: count, until: now.advanced(by: delay))
            report(.merge(plan.partition, error))
            return false
        }
    }
}
