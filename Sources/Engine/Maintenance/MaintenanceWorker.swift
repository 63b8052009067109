package import Core
internal import Observability
internal import Parts
package import Scheduling
package import Storage
private import Synchronization
internal import TableSchema

/// The threads that merge parts and drop what is too old, a merge each, and the one that brings views up to date: at a low priority.
///
/// A merge that failed is not tried again for a while, longer each time. A part with damaged blocks is written anew without
/// them, once they are in `quarantine/`, and merged then; one of which no block would be left, or that cannot be read for another
/// reason, is left alone until the next start, and the others are merged without it.
package final class MaintenanceWorker: Sendable {
    package struct Policy: Sendable {
        /// Nil: nothing is merged.
        package var merge: MergePolicy? = MergePolicy()
        /// Nil: nothing is dropped.
        package var retention: RetentionPolicy? = RetentionPolicy()
        /// Nil: views are not brought up to date.
        package var rollup: RollupPolicy? = RollupPolicy()
        package var limits = MergeExecutor.Limits()
        /// Merges at a time, at most.
        package var threads = 1
        /// How often there is a look for something to merge.
        package var pause = Duration.seconds(5)
        /// In nanoseconds: how often there is a look for what is too old.
        package var retentionInterval: Int64 = 60_000_000_000
        /// In nanoseconds: a partition to which a part was added is busy for so long.
        package var busyTime: Int64 = 600_000_000_000
        /// In nanoseconds: how long nothing is merged in a partition after a failure; doubled with each until the longest.
        package var firstDelay: Int64 = 10_000_000_000
        package var longestDelay: Int64 = 3_600_000_000_000
        /// In nanoseconds: how long plans that were made together may wait for each other.
        package var planAge: Int64 = 5_000_000_000
        /// In nanoseconds: how long there is no other look after one that found nothing to do, while parts are the same.
        package var restTime: Int64 = 0

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
        /// The same for views with a join, with the time since when parts have waited.
        var settling: [PartitionKey: (last: Timestamp, first: Timestamp)] = [:]
        var knownToRollups: Set<PartID> = []
        /// Tables whose rollup failed.
        var rollupFailures: [TenantTable: Failure] = [:]
        var failures: [PartitionKey: Failure] = [:]
        var unusable: Set<PartID> = []
        /// Inputs of merges that are under way: nobody else may touch them.
        var merging: Set<PartID> = []
        var retained: Timestamp?
        /// Partitions that were dropped, and whose folders may be there yet.
        var dropped: Set<PartitionKey> = []
        /// Parts without rows that have a shorter time to live than others, by how many times to live had ended when they were looked at.
        var clean: [PartID: Int] = [:]
        /// Parts that are still to be looked at for such rows.
        var suspects: [PartialRetentionPlan] = []
        var merges = PlanQueue<MergePlan>()
        var rollups = PlanQueue<(plan: RollupPlan, state: Int)>()
    }

    /// One merge, and the rows that it leaves out.
    private struct Job {
        var plan: MergePlan
        var limits: ExpiryLimits?
    }

    private let store: Store
    private let executor: MergeExecutor
    private let rollups: RollupExecutor
    private let policy: Policy
    private let clock: @Sendable () -> Timestamp
    private let report: @Sendable (MaintenanceError) -> Void
    private let progress: @Sendable (MaintenanceEvent) -> Void
    private let memory = Mutex(Memory())
    private let isClosing = Monitor(false)
    private let isStopped = Atomic<Bool>(false)
    package let statistics: MaintenanceStatistics

    package init(
        _ store: Store, policy: Policy = Policy(), clock: @escaping @Sendable () -> Timestamp,
        progress: @escaping @Sendable (MaintenanceEvent) -> Void = { _ in },
        report: @escaping @Sendable (MaintenanceError) -> Void
    ) {
        self.store = store
        self.policy = policy
        self.clock = clock
        self.report = report
        self.progress = progress
        executor = MergeExecutor(store, limits: policy.limits)
        rollups = RollupExecutor(store, policy: policy.rollup ?? RollupPolicy())
        statistics = MaintenanceStatistics(store.tables)
    }

    /// Starts the threads; `stop` ends them.
    package func start() -> [WorkerThread] {
        var threads = (0..<max(1, policy.threads)).map { _ in
            thread(pause: policy.pause) { [self] in runOnce(now: clock()) }
        }
        if let rollup = policy.rollup {
            threads.append(thread(pause: rollup.pause) { [self] in rollUpOnce(now: clock()) })
        }
        return threads
    }

    /// - Parameter work: answers whether there may be more to do.
    private func thread(pause: Duration, _ work: @escaping @Sendable () -> Bool) -> WorkerThread {
        WorkerThread { [self] in
            WorkerThread.lowerPriority()
            while !isStopped.load(ordering: .relaxed) {
                if work() { continue }
                _ = isClosing.wait(timeout: pause) { $0 ? true : nil }
            }
        }
    }

    /// Asks the threads to end: a merge is given up after its block.
    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        isClosing.notifying { $0 = true }
    }

    /// Drops what is too old if it is time for that, and merges once if there is something to merge.
    ///
    /// - Returns: whether there may be more to do.
    package func runOnce(now: Timestamp) -> Bool {
        let job = memory.withLock { memory in
            retainIfDue(&memory, now)
            let job = nextMerge(&memory, now)
            if let job { memory.merging.formUnion(job.plan.inputs.map(\.id)) }
            return job
        }
        if let job { return carryOut(job, now) }
        guard let suspect = memory.withLock({ takeSuspect(&$0) }) else { return false }
        defer { memory.withLock { _ = $0.merging.remove(suspect.part.id) } }
        return look(at: suspect, now)
    }

    /// What retention would drop whole: a dry run.
    package func retentionPlan(now: Timestamp) -> [RetentionPlan] {
        guard let retention = policy.retention else { return [] }
        return RetentionPlanner.plan(parts: records, tables: store.tables, now: now, policy: retention)
    }

    /// Those that cannot be opened go with their partition, too.
    private var records: [PartRecord] { store.allParts.values.joined().map(\.record) }

    // MARK: Retention

    private func retainIfDue(_ memory: inout Memory, _ now: Timestamp) {
        guard let retention = policy.retention else { return }
        if let last = memory.retained, last <= now, now < last.advanced(by: policy.retentionInterval) { return }
        memory.retained = now
        let merging = memory.merging
        // What is being merged or aggregated goes next time, which is soon.
        let all = retentionPlan(now: now)
        let plans = all.filter { plan in plan.parts.allSatisfy { !merging.contains($0.id) } }
        if plans.count < all.count { memory.retained = nil }
        if !plans.isEmpty {
            drop(plans)
            memory.dropped.formUnion(plans.map(\.partition))
        }
        removeFolders(&memory)
        let unusable = memory.unusable
        memory.suspects = RetentionPlanner.partialPlans(
            parts: records, tables: store.tables, now: now, policy: retention
        ).filter { !unusable.contains($0.part.id) && memory.clean[$0.part.id] != $0.endedLives }
        let known = Set(records.map(\.id))
        memory.clean = memory.clean.filter { known.contains($0.key) }
    }

    private func drop(_ plans: [RetentionPlan]) {
        do throws(StorageError) {
            try store.commit(CatalogEdit(removed: plans.flatMap { $0.parts.map(\.id) }))
        } catch {
            return report(.retention(error))
        }
        statistics.droppedPartitions.add(plans.count)
        for plan in plans {
            statistics.tables[plan.partition.table]?.droppedRows.add(plan.rowCount)
            statistics.droppedBytes.add(Int(plan.byteCount))
            progress(.dropped(plan))
        }
    }

    /// Removes folders of partitions that are gone; one that a query still reads from is tried again.
    private func removeFolders(_ memory: inout Memory) {
        let present = Set(records.map { PartitionKey($0) })
        memory.dropped = memory.dropped.filter { key in
            !present.contains(key) && !store.removeFolder(tenant: key.tenant, table: key.table, key.start)
        }
    }

    private func takeSuspect(_ memory: inout Memory) -> PartialRetentionPlan? {
        while let suspect = memory.suspects.popLast() {
            guard !memory.merging.contains(suspect.part.id), records.contains(suspect.part) else { continue }
            memory.merging.insert(suspect.part.id)
            return suspect
        }
        return nil
    }

    /// Writes a part anew without the rows that have expired, if it has such rows.
    private func look(at suspect: PartialRetentionPlan, _ now: Timestamp) -> Bool {
        let count: Int
        do throws(MergeError) {
            count = try executor.expiredRows(suspect)
        } catch {
            if !repair(error, of: [suspect.part]) { fail(PartitionKey(suspect.part), error, now) }
            return true
        }
        guard count > 0 else {
            memory.withLock { $0.clean[suspect.part.id] = suspect.endedLives }
            return true
        }
        let plan = MergePlan(
            partition: PartitionKey(suspect.part), inputs: [suspect.part], level: suspect.part.level,
            zstdLevel: policy.merge?.zstdLevel ?? 1, isFinal: false)
        return carryOut(Job(plan: plan, limits: suspect.limits), now)
    }

    // MARK: Views

    /// Aggregates parts into views once if there are any that can be.
    ///
    /// - Returns: whether there may be more to do.
    package func rollUpOnce(now: Timestamp) -> Bool {
        guard let policy = policy.rollup else { return false }
        let next = memory.withLock { memory in
            let next = nextRollup(&memory, now, policy)
            if let next { memory.merging.formUnion(next.plan.held.map(\.id)) }
            return next
        }
        guard let (plan, parts) = next else { return false }
        defer { memory.withLock { $0.merging.subtract(plan.held.map(\.id)) } }
        let begin = ContinuousClock.now
        do throws(MergeError) {
            let outcome = try store.times.measure(.rollup) { () throws(MergeError) in
                try rollups.run(plan, reading: parts) { isStopped.load(ordering: .relaxed) }
            }
            statistics.rolledUpRows.add(outcome.rows)
            memory.withLock { $0.rollupFailures[plan.source] = nil }
            progress(.rolledUp(plan, outcome, ContinuousClock.now - begin))
            return true
        } catch {
            if case .cancelled = error { return false }
            if repair(error, of: plan.held) { return true }
            memory.withLock { memory in
                memory.unusable.formUnion(error.culprits)
                memory.rollupFailures[plan.source] = failure(memory.rollupFailures[plan.source], now)
            }
            statistics.failures.add()
            report(.rollup(plan.source, error))
            return false
        }
    }

    /// - Returns: also the parts that the plan reads, from the snapshot that it was made of.
    private func nextRollup(
        _ memory: inout Memory, _ now: Timestamp, _ policy: RollupPolicy
    ) -> (plan: RollupPlan, parts: HeldParts)? {
        if let next = queuedRollup(&memory, now) { return next }
        let version = store.version
        guard !memory.rollups.isIdle(version, now: now, within: self.policy.restTime) else { return nil }
        let (all, rolledUp) = store.partsAndViews
        let parts = all.map(\.record)
        noteSettling(parts, &memory, now, policy)
        let aside = Set(all.lazy.filter(\.isSetAside).map(\.record.id)).union(memory.unusable)
        let usable = parts.filter { !aside.contains($0.id) }
        let plans =
            RollupPlanner.plan(
                parts: usable.filter { [merging = memory.merging] in !merging.contains($0.id) }, rolledUp: rolledUp,
                tables: store.tables, now: now, written: memory.settling, policy: policy)
            + RollupPlanner.joinPlans(
                parts: usable, rolledUp: rolledUp, tables: store.tables, now: now, written: memory.settling,
                policy: policy
            ).filter { [merging = memory.merging] in $0.held.allSatisfy { !merging.contains($0.id) } }
        statistics.pendingRollupRows.set(plans.reduce(0) { $1.parts.reduce($0) { $0 + $1.rowCount } })
        let states = Dictionary(
            grouping: all, by: { $0.record.tenant }
        ).mapValues { Self.state(of: $0, rolledUp) }
        memory.rollups.fill(plans.map { ($0, states[$0.source.tenant] ?? 0) }, version, now: now)
        return queuedRollup(&memory, now)
    }

    /// The next plan of those that were made before, if nothing of its tenant has changed since.
    private func queuedRollup(_ memory: inout Memory, _ now: Timestamp) -> (plan: RollupPlan, parts: HeldParts)? {
        var handles: [PartHandle] = []
        let (merging, unusable, failures) = (memory.merging, memory.unusable, memory.rollupFailures)
        let next = memory.rollups.next(now: now, within: policy.planAge) { plan, state in
            guard failures[plan.source].map({ $0.until <= now }) ?? true,
                plan.held.allSatisfy({ !merging.contains($0.id) && !unusable.contains($0.id) })
            else { return false }
            let (parts, rolledUp) = store.partsAndViews(of: plan.source.tenant)
            handles = parts
            return Self.state(of: parts, rolledUp) == state
        }
        guard let plan = next?.plan else { return nil }
        let read = Set(plan.read.map(\.id))
        return (plan, HeldParts(handles.filter { read.contains($0.record.id) }))
    }

    /// Differs with the parts of a tenant and with which views have their rows.
    private static func state(of parts: [PartHandle], _ rolledUp: [PartID: ViewSet]) -> Int {
        parts.reduce(parts.count) { state, part in
            var hasher = Hasher()
            hasher.combine(part.record.id)
            hasher.combine(rolledUp[part.record.id])
            hasher.combine(part.isSetAside)
            return state ^ hasher.finalize()
        }
    }

    /// Notes which partitions were written to, for views with a join.
    private func noteSettling(_ parts: [PartRecord], _ memory: inout Memory, _ now: Timestamp, _ policy: RollupPolicy) {
        for part in parts where part.level == 0 && !memory.knownToRollups.contains(part.id) {
            let first = memory.settling[PartitionKey(part)]?.first ?? now
            memory.settling[PartitionKey(part)] = (now, first)
        }
        memory.knownToRollups = Set(parts.lazy.filter { $0.level == 0 }.map(\.id))
        memory.settling = memory.settling.filter { now < $0.value.last.advanced(by: policy.quietTime) }
    }

    // MARK: Merges

    private func nextMerge(_ memory: inout Memory, _ now: Timestamp) -> Job? {
        guard let policy = policy.merge else { return nil }
        var next = queuedMerge(&memory, now)
        if next == nil {
            let version = store.version
            guard !memory.merges.isIdle(version, now: now, within: self.policy.restTime) else { return nil }
            memory.merges.fill(mergePlans(&memory, now, policy), version, now: now)
            next = queuedMerge(&memory, now)
        }
        guard let plan = next else { return nil }
        var job = Job(plan: plan)
        if let retention = self.policy.retention, let table = store.tables.table(id: plan.partition.table),
            RetentionPlanner.isBounded(table)
        {
            let lives = retention.lives(tenant: plan.partition.tenant, table: table)
            if lives.differ { job.limits = lives.limits(now: now) }
        }
        return job
    }

    /// All that there is to merge, the most urgent first.
    private func mergePlans(_ memory: inout Memory, _ now: Timestamp, _ policy: MergePolicy) -> [MergePlan] {
        let parts = records
        note(parts, &memory, now)
        let setAside = Set(store.allParts.values.joined().lazy.filter(\.isSetAside).map(\.record.id))
        let unusable = memory.unusable.union(setAside)
        let merging = memory.merging
        let usable = parts.filter { !unusable.contains($0.id) && !merging.contains($0.id) }
        let busy = Set(memory.written.keys)
        let rolledUp = store.rolledUp
        let plans = store.tables.tables.flatMap { table in
            MergePlanner.plan(
                parts: usable, table: table, now: now, busy: busy, rolledUp: rolledUp, policy: policy)
        }
        statistics.pendingBytes.set(Int(plans.reduce(0) { $0 + $1.byteCount }))
        return plans.sorted { $0.isMoreUrgent(than: $1) }
    }

    /// The next plan of those that were made before, if its inputs are still there and alike.
    private func queuedMerge(_ memory: inout Memory, _ now: Timestamp) -> MergePlan? {
        let (merging, unusable, failures) = (memory.merging, memory.unusable, memory.failures)
        return memory.merges.next(now: now, within: policy.planAge) { plan in
            guard failures[plan.partition].map({ $0.until <= now }) ?? true,
                plan.inputs.allSatisfy({ !merging.contains($0.id) && !unusable.contains($0.id) })
            else { return false }
            let (parts, rolledUp) = store.partsAndViews(of: plan.partition.tenant, plan.partition.table)
            let present = Set(parts.lazy.filter { !$0.isSetAside }.map(\.record.id))
            let views = Set(plan.inputs.map { rolledUp[$0.id] })
            return views.count == 1 && plan.inputs.allSatisfy { present.contains($0.id) }
        }
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

    private func carryOut(_ job: Job, _ now: Timestamp) -> Bool {
        statistics.running.add(1)
        defer {
            statistics.running.add(-1)
            memory.withLock { $0.merging.subtract(job.plan.inputs.map(\.id)) }
        }
        let begin = ContinuousClock.now
        do throws(MergeError) {
            let outcome = try store.times.measure(.merge) { () throws(MergeError) in
                try executor.run(job.plan, leavingOut: job.limits) { isStopped.load(ordering: .relaxed) }
            }
            statistics.note(outcome, of: job.plan.partition.table)
            memory.withLock { $0.failures[job.plan.partition] = nil }
            progress(.merged(job.plan, outcome, ContinuousClock.now - begin))
            return true
        } catch {
            if case .cancelled = error { return false }
            if repair(error, of: job.plan.inputs) { return true }
            fail(job.plan.partition, error, now)
            return false
        }
    }

    /// Writes the part that a merge could not read anew without its damaged blocks.
    ///
    /// - Returns: whether the merge may be tried again.
    private func repair(_ failure: MergeError, of inputs: [PartRecord]) -> Bool {
        guard case .unreadable(let id, let error) = failure, error.isDamage,
            let record = inputs.first(where: { $0.id == id })
        else { return false }
        do throws(MergeError) {
            guard let repairing = try executor.repair(record) else { return false }
            statistics.note(repairing)
            progress(.repaired(repairing))
            return true
        } catch {
            report(.merge(PartitionKey(record), error))
            return false
        }
    }

    private func fail(_ partition: PartitionKey, _ error: MergeError, _ now: Timestamp) {
        statistics.failures.add()
        memory.withLock { memory in
            memory.unusable.formUnion(error.culprits)
            memory.failures[partition] = failure(memory.failures[partition], now)
        }
        report(.merge(partition, error))
    }

    /// One more failure.
    private func failure(_ last: Failure?, _ now: Timestamp) -> Failure {
        let count = (last?.count ?? 0) + 1
        let delay = min(policy.longestDelay, policy.firstDelay << min(count - 1, 20))
        return Failure(count: count, until: now.advanced(by: delay))
    }
}
