package import Columns
package import Core
package import Observability
package import Scheduling
package import Storage
private import Synchronization
package import TableSchema

/// One table of all tenants: memtables over the store's parts.
package final class BufferedTable<Builder: BatchBuilder & ~Copyable>: Sendable {
    package let table: TableDefinition
    private let store: Store
    private let log: WriteAheadLog
    private let limits: FlushLimits
    private let memory: MemtableMemory
    private let makeBuilder: @Sendable () -> Builder
    private let memtables = Mutex<[TenantID: Memtable<Builder>]>([:])
    private let backpressure: PartBackpressure
    /// Which times have rows that came lately.
    package let changes = RowChanges()
    /// Bytes of requests that were logged, and of parts that were flushed.
    package let loggedBytes = Counter()
    package let flushedBytes = Counter()
    package let flushedRows = Counter()

    package init(
        _ table: TableDefinition, store: Store, log: WriteAheadLog, limits: FlushLimits,
        memory: MemtableMemory = MemtableMemory(), makeBuilder: @escaping @Sendable () -> Builder
    ) {
        self.table = table
        self.store = store
        self.log = log
        self.limits = limits
        self.memory = memory
        self.makeBuilder = makeBuilder
        backpressure = PartBackpressure(limit: limits.newParts)
    }

    private func memtable(_ tenant: TenantID) -> Memtable<Builder> {
        memtables.withLock { memtables in
            if let known = memtables[tenant] { return known }
            let memtable = Memtable(
                key: TenantTable(tenant: tenant, table: table.id), table: table, log: log, limits: limits,
                memory: memory, makeBuilder: makeBuilder)
            memtables[tenant] = memtable
            return memtable
        }
    }

    /// Appends to the tenant's memtable; one that nothing came into is not kept, since anybody may name any number of tenants.
    private func append(
        _ request: LoggedRequest, replayedAt position: UInt64?, decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isSealDue: Bool) {
        while true {
            let memtable = memtable(request.tenant)
            var isStored = false
            defer { if !isStored { retire(memtable) } }
            do {
                let result = try memtable.append(request, replayedAt: position, decode: decode)
                isStored = result.position != nil
                return result
            } catch is Memtable<Builder>.Retired {
                continue
            }
        }
    }

    /// Lets go of a memtable if it is empty.
    private func retire(_ memtable: Memtable<Builder>) {
        memtables.withLock { memtables in
            guard memtables[memtable.key.tenant] === memtable, memtable.retire() else { return }
            memtables[memtable.key.tenant] = nil
        }
    }

    /// Decodes a request into the tenant's memtable, and returns once it is durable.
    ///
    /// - Parameter decode: answers whether it added rows; what it throws is thrown on, and its rows are taken back.
    /// - Returns: whether there is something to seal.
    package func ingest(
        _ request: LoggedRequest, decode: (inout Builder) throws -> Bool
    ) throws -> Bool {
        let settled = Monitor<Bool?>(nil)
        let isDue = try ingest(request, decode: decode) { isDurable in settled.notifying { $0 = isDurable } }
        if settled.wait(until: { $0 }) != true { throw IngestError.notLogged }
        return isDue
    }

    /// Decodes a request into the tenant's memtable, and returns before it is durable.
    ///
    /// - Parameters:
    ///   - decode: as above. Nothing is settled if it throws.
    ///   - settled: told once whether the request is durable, or will never be: before the call returns, or from the log's own thread,
    ///     which must not be kept.
    /// - Returns: whether there is something to seal.
    package func ingest(
        _ request: LoggedRequest, decode: (inout Builder) throws -> Bool,
        settled: @escaping @Sendable (_ isDurable: Bool) -> Void
    ) throws -> Bool {
        let key = TenantTable(tenant: request.tenant, table: table.id)
        guard !backpressure.isOverLimit(key, in: store) else { throw IngestError.tooManyParts }
        let request = log.compressed(request)
        var addition: RowChanges.Addition?
        do {
            let (position, isDue) = try append(request, replayedAt: nil) { builder in
                let before = builder.rowCount
                guard try decode(&builder) else { return false }
                addition = builder.times(from: before).map { changes.begin(request.tenant, $0) }
                return true
            }
            guard let position else {
                settled(true)
                return isDue
            }
            loggedBytes.add(request.body.count + LogFormat.recordHeaderLength + request.tenant.name.utf8.count)
            log.whenSettled(position) { [changes, addition] isDurable in
                // Also of rows that are not durable after all: nobody has seen them, and nobody will.
                if let addition { changes.end(addition) }
                settled(isDurable)
            }
            return isDue
        } catch {
            if let addition { changes.end(addition) }
            throw error
        }
    }

    /// Decodes a request that the log gave back, unless its rows are in parts already.
    ///
    /// - Returns: whether there is something to seal.
    package func replay(
        _ record: ReplayedRequest, decode: (inout Builder) throws -> Bool
    ) throws -> Bool {
        let key = TenantTable(tenant: record.request.tenant, table: table.id)
        guard record.position > store.flushedPosition(key) else { return false }
        return try append(record.request, replayedAt: record.position, decode: decode).isSealDue
    }

    package func snapshot(_ tenant: TenantID, in range: TimeRange) -> TableSnapshot {
        let key = TenantTable(tenant: tenant, table: table.id)
        guard let memtable = memtables.withLock({ $0[tenant] }) else {
            return TableSnapshot(table: table, memory: [], parts: store.parts(key, in: range))
        }
        let (parts, rows) = memtable.snapshot { store.parts(key, in: range) }
        return TableSnapshot(
            table: table, memory: rows.batches, memoryIndexes: rows.indexes, parts: parts + rows.parts(in: range))
    }

    package func snapshot(
        _ tenant: TenantID, in range: TimeRange, view: TableDefinition, viewRange: TimeRange
    ) -> ViewSnapshot {
        let key = TenantTable(tenant: tenant, table: table.id)
        guard let memtable = memtables.withLock({ $0[tenant] }) else {
            return store.parts(key, in: range, view: view, viewRange: viewRange)
        }
        let (snapshot, rows) = memtable.snapshot { store.parts(key, in: range, view: view, viewRange: viewRange) }
        return snapshot.adding(rows.batches, indexes: rows.indexes, parts: rows.parts(in: range))
    }

    private var all: [Memtable<Builder>] { memtables.withLock { Array($0.values) } }

    /// By tenant, so that what happens to a disk is the same in every run.
    private func inOrder(_ isWanted: (Memtable<Builder>) -> Bool) -> [Memtable<Builder>] {
        all.filter(isWanted).sorted { $0.key < $1.key }
    }
}

extension BufferedTable: SnapshotSource where Builder: ~Copyable {}

/// A table as the flush worker sees it.
protocol Flushable: Sendable {
    /// Seals the rows that are due, or all.
    func seal(all: Bool) throws(StorageError)
    /// Writes what is sealed.
    func flush() throws(StorageError)
    func forgetUndurable()
    /// Bytes of memory in memtables.
    var memtableBytes: Int { get }
    /// The log position up to which all rows of this table are in parts, given that everything above `newest` is new.
    func flushedThrough(at newest: UInt64) -> UInt64
}

extension BufferedTable: Flushable where Builder: ~Copyable {
    func seal(all sealsAll: Bool) throws(StorageError) {
        let now = ContinuousClock.now
        // One that cannot be sealed does not keep the others from it.
        var failure: StorageError?
        func seal(_ memtable: Memtable<Builder>) throws(StorageError) {
            try memtable.seal(isWanted: sealsAll, now: now, flushed: { store.flushedPosition(memtable.key) }) {
                (frozen, previous) throws(StorageError) in
                let flush = Store.FlushedPositions(previous: previous, first: frozen.first, last: frozen.last)
                return try store.seal(frozen.batch, of: memtable.key, zstdLevel: 1, flush)
            }
        }
        for memtable in inOrder({ $0.hasToSeal(isWanted: sealsAll, now: now) }) {
            do throws(StorageError) { try seal(memtable) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    func flush() throws(StorageError) {
        let now = ContinuousClock.now
        for memtable in all where memtable.isIdle(now: now) { retire(memtable) }
        var failure: StorageError?
        var waiting = inOrder { $0.nextUnflushed != nil }
        while !waiting.isEmpty {
            // One batch of each at a time: of a table, only the last flush may be open (docs/decisions/0029).
            var failed: Set<TenantTable> = []
            for start in stride(from: 0, to: waiting.count, by: FlushLimits.roundSize) {
                let round = Array(waiting[start..<min(start + FlushLimits.roundSize, waiting.count)])
                do throws(StorageError) {
                    try flush(round)
                } catch {
                    // One that cannot be flushed does not keep the others from it.
                    for memtable in round {
                        do throws(StorageError) {
                            if round.count > 1 { try flush([memtable]) } else { throw error }
                        } catch {
                            failure = failure ?? error
                            failed.insert(memtable.key)
                        }
                    }
                }
            }
            waiting = waiting.filter { $0.nextUnflushed != nil && !failed.contains($0.key) }
        }
        if let failure { throw failure }
    }

    /// Writes the oldest batch of each, with one record of the catalog.
    private func flush(_ memtables: [Memtable<Builder>]) throws(StorageError) {
        let sealed = memtables.compactMap { memtable in
            memtable.nextUnflushed.map {
                (memtable, Store.SealedParts(key: memtable.key, parts: $0.parts, last: $0.last))
            }
        }
        try store.flush(sealed.map(\.1)) { index, publish in sealed[index].0.finishFlush(publish) }
        for (memtable, flushed) in sealed {
            for part in flushed.parts {
                flushedBytes.add(Int(part.record.byteCount))
                flushedRows.add(part.record.rowCount)
            }
            backpressure.look(at: memtable.key, in: store)
        }
    }

    func forgetUndurable() { for memtable in all { memtable.forgetUndurable() } }

    var memtableBytes: Int { all.reduce(0) { $0 + $1.byteCount } }

    func flushedThrough(at newest: UInt64) -> UInt64 {
        all.reduce(newest) { min($0, $1.firstUnflushedPosition.map { $0 - 1 } ?? newest) }
    }
}

extension MemtableRows {
    fileprivate func parts(in range: TimeRange) -> [PartHandle] {
        parts.filter {
            range.overlaps(
                first: Timestamp(nanoseconds: $0.record.leastTime), last: Timestamp(nanoseconds: $0.record.greatestTime)
            )
        }
    }
}
