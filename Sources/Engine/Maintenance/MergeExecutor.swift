internal import Columns
internal import Files
package import Parts
package import Storage
package import TableSchema

/// What a merge did.
package struct MergeOutcome: Hashable, Sendable {
    package var inputs: [PartRecord]
    /// Nil if all rows were left out.
    package var output: PartRecord?
    /// Rows of blocks that were taken whole.
    package var copiedRows: Int
    /// Rows that had expired.
    package var droppedRows: Int
    /// Of a view: rows that became one with another.
    package var aggregatedRows: Int
    /// The most memory that rows, dictionaries' maps and encoded pages took, in bytes.
    package var memory: Int

    package var bytesRead: Int64 { inputs.reduce(0) { $0 + $1.byteCount } }
    package var bytesWritten: Int64 { output?.byteCount ?? 0 }
}

/// Merges parts of one partition into one.
///
/// 1. The inputs are opened apart from the store's handles, so that what is read of them goes with the merge.
/// 2. `MergeSurvey` says what the output's leaves are; `RowMerger` gives the rows of one block after the other, and `Gather`
///    moves them. Memory is a decoded block for each input, the code maps of dictionaries, and one encoded row group.
/// 3. The output is on the disk, synced, with as many rows as the inputs, before one catalog record replaces these by it
///    (invariants 3 and 4). Scans of older snapshots go on reading the inputs, whose files go with the last of them
///    (invariants 6 and 8).
package struct MergeExecutor: Sendable {
    /// How much a merge may use.
    package struct Limits: Sendable {
        /// Bytes of memory for blocks and dictionaries of inputs, about: with the encoded pages, 96 MiB. Two inputs are merged
        /// whatever they take.
        package var memory = 72 << 20
        /// The pages of a part: each has an entry in its footer, which stays in memory with the part.
        package var pages = 1 << 20
        /// Bytes of disk that are left to others; nil: as `DiskSpace` has it.
        package var reserve: Int64? = 256 << 20
        package var output = PartStream.Limits()

        package init() {}
    }

    let store: Store
    private let limits: Limits

    package init(_ store: Store, limits: Limits = Limits()) {
        self.store = store
        self.limits = limits
    }

    /// Carries out a plan, with fewer of its inputs if all of them would take too much memory.
    ///
    /// - Parameters:
    ///   - limits: which rows are left out; nil: none.
    ///   - isCancelled: asked after each block.
    package func run(
        _ plan: MergePlan, leavingOut limits: ExpiryLimits? = nil, isCancelled: () -> Bool = { false }
    ) throws(MergeError) -> MergeOutcome {
        precondition(!plan.inputs.isEmpty, "a merge has inputs")
        guard let table = store.tables.table(id: plan.partition.table) else { preconditionFailure("no such table") }
        let rolledUp = store.rolledUp
        let views = rolledUp[plan.inputs[0].id] ?? ViewSet()
        var plan = plan
        // Of rows that are in a view and others there would be one part that is neither.
        plan.inputs.removeAll { (rolledUp[$0.id] ?? ViewSet()) != views }
        let (records, parts) = try open(plan, table)
        try checkSpace(records)
        let origin = PartOrigin.merging(
            zip(records, parts).map { $1.sources(number: $0.id.number) }, level: plan.level)
        var tally = Tally()
        var output: PartRecord?
        do throws(PartWriteError<MergeFailure>) {
            output = try store.writePart(
                of: TenantTable(tenant: plan.partition.tenant, table: table.id), partition: plan.partition.start,
                level: plan.level
            ) { (file) throws(MergeFailure) in
                try write(parts, plan, table, limits, origin, to: file, &tally, isCancelled: isCancelled)
            }
        } catch .body(.empty) {
            output = nil
        } catch {
            throw Self.error(error, records)
        }
        let expected = records.reduce(0) { $0 + $1.rowCount } - tally.dropped - tally.aggregated
        guard (output?.rowCount ?? 0) == expected else {
            if let output { store.discard([output]) }
            throw .rowsDiffer(expected: expected, written: output?.rowCount ?? 0)
        }
        // If the catalog fails, `commit` removes the output, unless the record may be on the disk all the same.
        do throws(StorageError) {
            try store.commit(
                CatalogEdit(
                    added: output.map { [$0] } ?? [], removed: records.map(\.id),
                    rolledUp: output.map { [$0.id: views] } ?? [:]))
        } catch {
            throw .storage(error)
        }
        return MergeOutcome(
            inputs: records, output: output, copiedRows: tally.copied, droppedRows: tally.dropped,
            aggregatedRows: tally.aggregated, memory: tally.memory)
    }

    /// How many rows of a part have expired.
    package func expiredRows(_ plan: PartialRetentionPlan) throws(MergeError) -> Int {
        guard let table = store.tables.table(id: plan.part.table) else { preconditionFailure("no such table") }
        return try Self.expiredRows(plan, in: open(plan.part), table)
    }

    /// How many rows of a part have expired, without a store: `part` is the plan's.
    package static func expiredRows(
        _ plan: PartialRetentionPlan, in part: Part, _ table: TableDefinition
    ) throws(MergeError) -> Int {
        do throws(MergeFailure) {
            let expired = try ExpiredRows(part, input: 0, table: table, limits: plan.limits)
            return expired.isEmpty ? 0 : try expired.count()
        } catch {
            throw Self.error(.body(error), [plan.part])
        }
    }

    /// What a merge counts while it runs.
    private struct Tally {
        var copied = 0
        var dropped = 0
        var aggregated = 0
        var memory = 0
    }

    private static func error(_ error: PartWriteError<MergeFailure>, _ records: [PartRecord]) -> MergeError {
        switch error {
        case .storage(let error): .storage(error)
        case .body(.input(let input, let error)): .unreadable(records[input].id, error)
        case .body(.notInOrder(let input)): .notInOrder(records[input].id)
        case .body(.unreadable): .tooLarge(records.map(\.id))
        case .body(.file(let error)): .file(error)
        case .body(.corruptState): .unmergeable(records.map(\.id))
        case .body(.cancelled): .cancelled
        case .body(.empty): .rowsDiffer(expected: records.reduce(0) { $0 + $1.rowCount }, written: 0)
        }
    }

    // MARK: Inputs

    /// Opens the plan's inputs, as many as fit the limits.
    private func open(
        _ plan: MergePlan, _ table: TableDefinition
    ) throws(MergeError) -> (records: [PartRecord], parts: [Part]) {
        var records: [PartRecord] = []
        var parts: [Part] = []
        var memory = 0
        for record in plan.inputs {
            let part = try open(record)
            memory += Self.memory(part, table)
            let pages = Self.pages(parts + [part])
            if parts.count >= 2, memory > limits.memory || pages > limits.pages { break }
            if parts.count == 1, pages > limits.pages { throw .tooLarge([records[0].id, record.id]) }
            records.append(record)
            parts.append(part)
        }
        return (records, parts)
    }

    private func open(_ record: PartRecord) throws(MergeError) -> Part {
        do throws(StorageError) {
            return try store.open(record)
        } catch {
            if case .part(_, let error) = error { throw .unreadable(record.id, error) }
            throw .storage(error)
        }
    }

    /// What an input takes, about: its largest block, the keys of its rows, and its dictionaries with the maps of their codes.
    private static func memory(_ part: Part, _ table: TableDefinition) -> Int {
        let block = (0..<part.blockCount).reduce(0) { most, block in
            max(most, part.decodedBytes(ofBlock: block) + part.rowCount(ofBlock: block) * table.order.count * 16)
        }
        return block + part.dictionaryBytes(exceptOrderOf: table) + part.dictionaryEntries * 4
    }

    /// About how many pages the output has, if the inputs have much the same leaves.
    private static func pages(_ parts: [Part]) -> Int {
        let rows = parts.reduce(0) { $0 + $1.rowCount }
        let leaves = parts.reduce(0) { max($0, $1.leafCount) }
        return (rows / PartLayout.blockRows + 1) * leaves
    }

    func checkSpace(_ records: [PartRecord]) throws(MergeError) {
        let (free, reserve): (Int64, Int64)
        do throws(FileError) {
            let disk = store.fileSystem
            free = try disk.freeSpace(at: store.directory)
            if let known = limits.reserve {
                reserve = known
            } else {
                reserve = DiskSpace.Limits.low(of: try disk.totalSpace(at: store.directory))
            }
        } catch {
            throw .file(error)
        }
        let needed = records.reduce(reserve) { $0 + $1.byteCount }
        guard free >= needed else { throw .noSpace(needed: needed, free: free) }
    }

    // MARK: Output

    private func write(
        _ parts: [Part], _ plan: MergePlan, _ table: TableDefinition, _ expiry: ExpiryLimits?,
        _ origin: PartOrigin, to file: any ObjectWriter, _ tally: inout Tally, isCancelled: () -> Bool
    ) throws(MergeFailure) -> PartSummary {
        let view = store.tables.rollups.first { $0.target.id == table.id && !$0.hasCounters }
        let survey = try MergeSurvey(parts, table: table, zstdLevel: plan.zstdLevel, aggregates: view != nil)
        var expired: [ExpiredRows?] = []
        for (input, part) in parts.enumerated() {
            let rows = try expiry.map { (expiry) throws(MergeFailure) in
                try ExpiredRows(part, input: input, table: table, limits: expiry)
            }
            expired.append(rows.flatMap { $0.isEmpty ? nil : $0 })
        }
        var stream = PartStream(
            table, partition: plan.partition.start, plan: survey.plan, zstdLevel: plan.zstdLevel,
            limits: limits.output, origin: origin, file: file)
        var merger = try RowMerger(survey, table: table, expired: expired, aggregates: view != nil)
        let maps = parts.reduce(0) { $0 + $1.dictionaryEntries * 4 }
        var isEmpty = true
        while let block = try merger.next() {
            if isCancelled() { throw .cancelled }
            isEmpty = false
            var gather = Gather(block.sources)
            for (definition, column) in zip(table.columns, survey.columns) {
                gather.aggregate = view.flatMap { BlockAggregator($0, definition, block, survey) }
                if block.isWhole, plan.copiesBlocks {
                    try gather.copy(column, to: &stream)
                } else {
                    try gather.move(column, block.pieces, to: &stream)
                }
            }
            if block.isWhole, plan.copiesBlocks { tally.copied += block.rowCount }
            if stream.isUnreadable { throw .unreadable }
            let decoded = block.sources.reduce(0) { $0 + $1.byteCount }
            tally.memory = max(tally.memory, decoded + merger.keyBytes + maps + stream.bufferedBytes)
            let rows = view == nil ? block.rowCount : block.heads.count
            tally.aggregated += block.rowCount - rows
            do throws(FileError) { try stream.endBlock(rows: rows) } catch { throw .file(error) }
        }
        tally.dropped = merger.droppedRows
        if isEmpty { throw .empty }
        do throws(FileError) { return try stream.finish() } catch { throw .file(error) }
    }
}
