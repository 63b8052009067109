internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Rollups
package import Storage
internal import TableSchema

/// What a rollup did.
package struct RollupOutcome: Hashable, Sendable {
    /// Rows of the source that were read.
    package var rows: Int
    /// Parts of views.
    package var added: [PartRecord]
}

/// Aggregates parts into views. The new parts and the marks on those that were aggregated are one record of the catalog, so that every row is
/// in a view once, whatever fails (invariant 9).
package struct RollupExecutor: Sendable {
    private let store: Store
    private let policy: RollupPolicy

    package init(_ store: Store, policy: RollupPolicy = RollupPolicy()) {
        self.store = store
        self.policy = policy
    }

    /// - Parameters:
    ///   - handles: of all parts that the plan reads, taken with the plan: their files live as long, whatever is merged meanwhile.
    ///   - isCancelled: asked after each block.
    package func run(
        _ plan: RollupPlan, reading handles: HeldParts, isCancelled: () -> Bool = { false }
    ) throws(MergeError) -> RollupOutcome {
        guard let source = store.tables.table(id: plan.source.table) else { preconditionFailure("no such table") }
        switch plan.work {
        case .add(let views):
            return try add(plan, views.compactMap { view in store.tables.rollup(view) }, source, handles, isCancelled)
        case .replace(let work):
            guard let view = store.tables.rollup(work.view) else { preconditionFailure("no such view") }
            return try replace(plan, work, view, source, handles, isCancelled)
        }
    }

    // MARK: Views part by part

    private func add(
        _ plan: RollupPlan, _ views: [RollupDefinition], _ source: TableDefinition, _ handles: HeldParts,
        _ isCancelled: () -> Bool
    ) throws(MergeError) -> RollupOutcome {
        var aggregates = views.map { RollupAggregator($0, source: source) }
        let columns = Set(aggregates.flatMap(\.columns)).sorted()
        let origin = PartOrigin.aggregated(PartSources(aggregated: try aggregated(plan.parts, handles)))
        var outcome = RollupOutcome(rows: 0, added: [])
        do throws(MergeError) {
            for record in plan.parts {
                try forEachBlock(of: handles[record], columns, isCancelled) { (batch) throws(MergeError) in
                    outcome.rows += batch.rowCount
                    for (place, aggregate) in aggregates.enumerated() {
                        aggregate.add(batch)
                        guard aggregate.byteCount > policy.memory else { continue }
                        outcome.added += try write(aggregate.batch(), of: plan.source.tenant, aggregate.view, origin)
                        aggregates[place] = RollupAggregator(aggregate.view, source: source)
                    }
                }
            }
            for aggregate in aggregates where aggregate.groupCount > 0 {
                outcome.added += try write(aggregate.batch(), of: plan.source.tenant, aggregate.view, origin)
            }
        } catch {
            store.discard(outcome.added)
            throw error
        }
        try commit(outcome.added, removed: [], plan, ViewSet(views.map(\.target.id)))
        return outcome
    }

    // MARK: Views with a join

    private func replace(
        _ plan: RollupPlan, _ work: RollupPlan.Replacement, _ view: RollupDefinition, _ source: TableDefinition,
        _ handles: HeldParts, _ isCancelled: () -> Bool
    ) throws(MergeError) -> RollupOutcome {
        let join = JoinAggregator(view, source: source)
        var outcome = RollupOutcome(rows: 0, added: [])
        for (place, parts) in [plan.parts, work.next].enumerated() where !parts.isEmpty {
            let earlier = place == 0 ? work.earlier : plan.parts
            for record in parts {
                try forEachBlock(of: handles[record], join.addedColumns, isCancelled) { (batch) throws(MergeError) in
                    outcome.rows += batch.rowCount
                    join.add(batch)
                    if join.isFull { try resolve(join, parts + earlier, handles, isCancelled) }
                }
            }
            try resolve(join, parts + earlier, handles, isCancelled)
        }
        // What the view has of other buckets stays.
        let bucket = view.target.place(view.target.partitionColumn)
        let replaced = Set(work.buckets)
        for record in work.replaced {
            let all = Array(view.target.columns.indices)
            try forEachBlock(of: handles[record], all, isCancelled) { (batch) throws(MergeError) in
                guard case .integers(let buckets)? = batch.columns[bucket] else { return }
                let rows = (0..<UInt32(batch.rowCount)).filter { !replaced.contains(buckets[Int($0)]) }
                do throws(RollupError) {
                    try join.aggregate.add(aggregated: batch, rows: rows)
                } catch {
                    throw .unmergeable([record.id])
                }
            }
        }
        if join.aggregate.groupCount > 0 {
            outcome.added = try write(
                join.aggregate.batch(), of: plan.source.tenant, view,
                .aggregated(PartSources(own: try own(work.replaced, handles))))
        }
        try commit(outcome.added, removed: work.replaced, plan, ViewSet([view.target.id]))
        return outcome
    }

    private func resolve(
        _ join: JoinAggregator, _ parts: [PartRecord], _ handles: HeldParts, _ isCancelled: () -> Bool
    ) throws(MergeError) {
        for record in parts where join.hasPending {
            try forEachBlock(of: handles[record], join.offeredColumns, isCancelled) { (batch) throws(MergeError) in
                join.offer(batch)
            }
        }
        join.finish()
    }

    // MARK: Parts

    private func open(_ handle: PartHandle) throws(MergeError) -> Part {
        do throws(StorageError) {
            return try handle.openApart()
        } catch {
            if case .part(_, let error) = error { throw .unreadable(handle.record.id, error) }
            throw .storage(error)
        }
    }

    private func sources(_ handle: PartHandle) throws(MergeError) -> RowSources {
        try open(handle).sources(number: handle.record.id.number).own
    }

    private func aggregated(_ parts: [PartRecord], _ handles: HeldParts) throws(MergeError) -> [AggregatedSources] {
        var aggregated: [AggregatedSources] = []
        for record in parts {
            aggregated.append(
                AggregatedSources(
                    table: record.table.number, partition: record.partition, rows: try sources(handles[record])))
        }
        return aggregated
    }

    private func own(_ parts: [PartRecord], _ handles: HeldParts) throws(MergeError) -> RowSources {
        var own = RowSources()
        for record in parts { own.formUnion(try sources(handles[record])) }
        return own
    }

    private func forEachBlock(
        of handle: PartHandle, _ columns: [Int], _ isCancelled: () -> Bool,
        _ body: (ColumnBatch) throws(MergeError) -> Void
    ) throws(MergeError) {
        let part = try open(handle)
        for block in 0..<part.blockCount {
            if isCancelled() { throw .cancelled }
            var batch = ColumnBatch(
                rowCount: part.rowCount(ofBlock: block), columns: Array(repeating: nil, count: part.table.columns.count)
            )
            for column in columns {
                do throws(PartError) {
                    batch.columns[column] = try part.read(column, block: block)
                } catch {
                    throw .unreadable(handle.record.id, error)
                }
            }
            try body(batch)
        }
    }

    /// Writes rows of a view as parts of level 0, which no record names yet.
    private func write(
        _ batch: ColumnBatch, of tenant: TenantID, _ view: RollupDefinition, _ origin: PartOrigin
    ) throws(MergeError) -> [PartRecord] {
        do throws(StorageError) {
            return try store.writeParts(
                batch, of: TenantTable(tenant: tenant, table: view.target.id), zstdLevel: 1, origin: origin,
                times: WorkTimes())
        } catch {
            throw .storage(error)
        }
    }

    private func commit(
        _ added: [PartRecord], removed: [PartRecord], _ plan: RollupPlan, _ views: ViewSet
    ) throws(MergeError) {
        let marks = Dictionary(uniqueKeysWithValues: plan.parts.map { ($0.id, views) })
        do throws(StorageError) {
            try store.commit(CatalogEdit(added: added, removed: removed.map(\.id), rolledUp: marks))
        } catch {
            throw .storage(error)
        }
    }
}

/// The parts that are read while a plan is carried out.
package struct HeldParts: Sendable {
    private let handles: [PartID: PartHandle]

    package init(_ handles: some Sequence<PartHandle>) {
        self.handles = Dictionary(handles.lazy.map { ($0.record.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    subscript(_ record: PartRecord) -> PartHandle {
        guard let handle = handles[record.id] else { preconditionFailure("a plan's parts are held") }
        return handle
    }
}
