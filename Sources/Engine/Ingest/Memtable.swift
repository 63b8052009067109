internal import Columns
internal import Core
internal import Scheduling
internal import Storage
private import Synchronization
internal import TableSchema

/// The rows of one tenant's table that are not in parts on the disk yet, oldest first:
///
/// ```
/// sealed parts      in memory, encoded, with zones, dictionaries and skip indexes: read as any part, written as they are
/// frozen batches    durable, being sealed
/// closing builder   takes no more rows; waits until its last record is durable
/// open builder      the tail: grows
/// ```
///
/// A request is decoded into the open builder and put in line for the log under one lock, so rows have the log's order. Rows are shown
/// to readers only once their record is durable: rows of a failed request are taken back before anybody has seen them, and nothing is
/// sealed that could still be taken back.
final class Memtable<Builder: BatchBuilder & ~Copyable>: @unchecked Sendable {
    /// Rows of a builder that are all durable, as a batch.
    struct Frozen {
        let batch: ColumnBatch
        let index: MemoryIndex
        /// The first and the last log position in it.
        let first: UInt64
        let last: UInt64
        let bytes: Int
    }

    /// A frozen batch as parts in memory, one for each partition.
    struct Sealed {
        let parts: [PartHandle]
        let first: UInt64
        let last: UInt64
        let bytes: Int
    }

    /// The memtable has been given up: there is, or will be, another one for its tenant.
    struct Retired: Error {}

    /// A builder, and what is known of its rows.
    private final class Growing {
        var builder: Builder
        /// What searches have found out about the builder's rows.
        var index = MemoryIndex()
        /// Rows whose records are durable.
        var published = 0
        /// Of requests that are not published: the log position, and the number of rows with it.
        var pending: [(position: UInt64, rows: Int)] = []
        var first: UInt64 = 0
        var last: UInt64 = 0
        var oldestRow: ContinuousClock.Instant?
        /// Bytes of the builder, as they were counted last.
        var bytes = 0
        /// How large it is to grow.
        var sealBytes: Int

        init(_ builder: consuming Builder, sealBytes: Int) {
            self.builder = builder
            self.sealBytes = sealBytes
        }

        func publish(through durable: UInt64) {
            var count = 0
            for (position, rows) in pending {
                guard position <= durable else { break }
                published = rows
                count += 1
            }
            pending.removeFirst(count)
        }

        func forget(above durable: UInt64) {
            publish(through: durable)
            builder.truncate(to: published)
            pending = []
            last = min(last, durable)
            if published == 0 { oldestRow = nil }
        }

        func add(to rows: inout MemtableRows) {
            if published > 0 { rows.add(builder.snapshot(rows: published), index) }
        }

        /// Its rows, if there are any, and all are durable.
        var frozen: Frozen? {
            guard pending.isEmpty, published > 0, published == builder.rowCount else { return nil }
            return Frozen(
                batch: builder.snapshot(rows: published), index: index, first: first, last: last, bytes: bytes)
        }
    }

    private struct State {
        var open: Growing
        var closing: Growing?
        var frozen: [Frozen] = []
        var sealed: [Sealed] = []
        /// Set when the memtable is given up, empty.
        var isRetired = false
        /// Since when there are no rows in the open builder.
        var emptySince = ContinuousClock.now
        /// What is counted of all of these.
        var bytes = 0

        var isEmpty: Bool {
            open.builder.rowCount == 0 && closing == nil && frozen.isEmpty && sealed.isEmpty
        }
    }

    /// A batch whose rows are of more partitions is sealed later, when it is larger: each partition becomes a part of its own.
    private static var mostPartitions: Int { 8 }

    let key: TenantTable
    private let table: TableDefinition
    private let log: WriteAheadLog
    private let limits: FlushLimits
    private let memory: MemtableMemory
    private let state: Monitor<State>
    private let makeBuilder: @Sendable () -> Builder
    /// Held by the one that seals.
    private let sealing = Mutex<Void>(())

    init(
        key: TenantTable, table: TableDefinition, log: WriteAheadLog, limits: FlushLimits,
        memory: MemtableMemory, makeBuilder: @escaping @Sendable () -> Builder
    ) {
        self.key = key
        self.table = table
        self.log = log
        self.limits = limits
        self.memory = memory
        memory.open()
        self.makeBuilder = makeBuilder
        state = Monitor(State(open: Growing(makeBuilder(), sealBytes: limits.bytes)))
    }

    deinit { memory.close(bytes: state.withLock { $0.bytes }) }

    // MARK: Rows

    /// Decodes a request into the builder and logs it.
    ///
    /// - Parameter decode: answers whether it added anything; if it throws, its rows are taken back.
    /// - Returns: the log position to wait for, or nil if there was nothing to log; and whether there is something to seal.
    func append(
        _ request: LoggedRequest, replayedAt position: UInt64?,
        decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isSealDue: Bool) {
        typealias Outcome = Result<(position: UInt64?, isSealDue: Bool), any Error>
        guard memory.waitForRoom(limits.patience) else { throw IngestError.overloaded(.server) }
        let outcome = state.wait(timeout: limits.patience) { state -> Outcome? in
            if state.isRetired { return .failure(Retired()) }
            // A builder grows on while the one before it is sealed, and others are written, but not for ever.
            if state.open.bytes >= 2 * state.open.sealBytes || state.bytes >= limits.most {
                return nil
            }
            return Outcome { try append(request, position, &state, decode) }
        }
        guard let outcome else { throw IngestError.overloaded(.tenant) }
        return try outcome.get()
    }

    private func append(
        _ request: LoggedRequest, _ position: UInt64?, _ state: inout State,
        _ decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isSealDue: Bool) {
        let before = state.open.builder.rowCount
        defer { recount(&state) }
        do {
            guard try decode(&state.open.builder) else {
                state.open.builder.truncate(to: before)
                return (nil, false)
            }
            let last = try position ?? log.enqueue(request)
            if before == 0 { state.open.first = last }
            state.open.last = last
            state.open.pending.append((last, state.open.builder.rowCount))
            if state.open.oldestRow == nil { state.open.oldestRow = .now }
            let bytes = state.open.builder.byteCount
            return (last, bytes >= state.open.sealBytes || isPressing(bytes))
        } catch {
            state.open.builder.truncate(to: before)
            throw error
        }
    }

    private func isPressing(_ bytes: Int) -> Bool { memory.pressingSize.map { bytes >= $0 } ?? false }

    /// Counts what the open builder takes now.
    private func recount(_ state: inout State) {
        if state.open.builder.rowCount == 0, state.open.builder.byteCount > 1 << 20 {
            // Rows were taken back, but not their strings, which nothing would ever flush.
            state.open.builder = makeBuilder()
            state.open.index = MemoryIndex()
        }
        let bytes = state.open.builder.byteCount
        count(bytes - state.open.bytes, &state)
        state.open.bytes = bytes
    }

    private func count(_ bytes: Int, _ state: inout State) {
        state.bytes += bytes
        memory.change(by: bytes)
    }

    /// Takes back rows that are not durable, after the log failed.
    func forgetUndurable() {
        let durable = log.durablePosition
        state.notifying { state in
            state.closing?.forget(above: durable)
            if state.closing?.published == 0 { drop(&state) }
            state.open.forget(above: durable)
            recount(&state)
        }
    }

    /// Lets go of the closing builder.
    private func drop(_ state: inout State) {
        count(-(state.closing?.bytes ?? 0), &state)
        state.closing = nil
    }

    // MARK: Readers

    /// What readers see, and the parts on the disk, at one point in time.
    ///
    /// - Parameter parts: those of the store; called under the memtable's lock, under which a sealed part becomes one of them.
    func snapshot<Parts>(_ parts: () -> Parts) -> (Parts, MemtableRows) {
        let durable = log.durablePosition
        return state.withLock { state in
            state.closing?.publish(through: durable)
            state.open.publish(through: durable)
            var rows = MemtableRows(parts: state.sealed.flatMap(\.parts))
            for frozen in state.frozen { rows.add(frozen.batch, frozen.index) }
            state.closing?.add(to: &rows)
            state.open.add(to: &rows)
            return (parts(), rows)
        }
    }

    // MARK: Sealing

    /// Whether `seal` would find anything to do.
    func hasToSeal(isWanted: Bool, now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if state.closing != nil || !state.frozen.isEmpty { return true }
            return state.open.builder.rowCount > 0 && (isWanted || isSealDue(state, now))
        }
    }

    /// Runs `body` with each batch that is to be sealed, oldest first; on one thread at a time.
    ///
    /// - Parameters:
    ///   - isWanted: whether rows are sealed that could wait.
    ///   - flushed: up to which position rows are in parts on the disk.
    ///   - body: makes parts of a batch, given the position up to which rows are in parts before.
    func seal<Failure: Error>(
        isWanted: Bool, now: ContinuousClock.Instant, flushed: () -> UInt64,
        _ body: (Frozen, _ previous: UInt64) throws(Failure) -> [PartHandle]
    ) throws(Failure) {
        try sealing.withLock { (_) throws(Failure) in
            func sealFrozen() throws(Failure) {
                for frozen in unsealed { finishSealing(frozen, try body(frozen, lastSealed ?? flushed())) }
            }
            // What could not be sealed before comes first: since that failed, or rows were not durable yet.
            freezeClosing()
            try sealFrozen()
            guard close(isWanted: isWanted, now: now) else { return }
            freezeClosing()
            try sealFrozen()
        }
    }

    /// The batches that were frozen and are not sealed, oldest first.
    private var unsealed: [Frozen] { state.withLock { $0.frozen } }

    private var lastSealed: UInt64? { state.withLock { $0.sealed.last?.last } }

    /// Takes no more rows into the builder, if it is due or wanted, and begins a new one.
    private func close(isWanted: Bool, now: ContinuousClock.Instant) -> Bool {
        if !isWanted { widen() }
        return state.notifying { state in
            guard state.closing == nil, state.open.builder.rowCount > 0, isWanted || isSealDue(state, now) else {
                return false
            }
            state.closing = state.open
            state.open = Growing(makeBuilder(), sealBytes: limits.bytes)
            state.emptySince = .now
            return true
        }
    }

    /// Waits until the rows of the closed builder are durable, and freezes them; unless the log fails.
    private func freezeClosing() {
        guard let last = state.withLock({ $0.closing?.last }) else { return }
        let isDurable = (try? log.wait(for: last)) != nil
        state.notifying { state in
            state.closing?.publish(through: log.durablePosition)
            guard isDurable, let frozen = state.closing?.frozen else { return }
            state.frozen.append(frozen)
            state.closing = nil
        }
    }

    private func isSealDue(_ state: State, _ now: ContinuousClock.Instant) -> Bool {
        guard let oldest = state.open.oldestRow else { return false }
        return state.open.bytes >= state.open.sealBytes || now - oldest >= limits.age || isPressing(state.open.bytes)
    }

    /// Lets a builder that is full grow further if its rows are spread over many partitions.
    private func widen() {
        let full = state.withLock { state -> (builder: Growing, batch: ColumnBatch)? in
            let open = state.open
            guard open.bytes >= open.sealBytes, open.sealBytes < limits.widest, open.published > 0 else { return nil }
            return (open, open.builder.snapshot(rows: open.published))
        }
        guard let full, full.batch.partitionCount(of: table, atMost: Self.mostPartitions) >= Self.mostPartitions else {
            return
        }
        state.withLock { state in
            if state.open === full.builder { state.open.sealBytes = min(limits.widest, 2 * state.open.sealBytes) }
        }
    }

    private func finishSealing(_ frozen: Frozen, _ parts: [PartHandle]) {
        let bytes = parts.reduce(0) { $0 + $1.memoryBytes }
        state.notifying { state in
            state.frozen.removeFirst()
            state.sealed.append(
                Sealed(parts: parts, first: frozen.first, last: frozen.last, bytes: bytes))
            count(bytes - frozen.bytes, &state)
        }
    }

    // MARK: Flushing

    /// The oldest sealed rows that are not on the disk.
    var nextUnflushed: Sealed? { state.withLock { $0.sealed.first } }

    /// Forgets the oldest sealed parts when `publish` shows them as the store's.
    func finishFlush(_ publish: () -> Void) {
        state.notifying { state in
            publish()
            count(-state.sealed.removeFirst().bytes, &state)
        }
    }

    /// The first log position whose rows are not in parts on the disk, or nil if there is none.
    var firstUnflushedPosition: UInt64? {
        state.withLock { state in
            if let first = state.sealed.first?.first ?? state.frozen.first?.first { return first }
            if let first = state.closing?.first { return first }
            return state.open.builder.rowCount > 0 ? state.open.first : nil
        }
    }

    var byteCount: Int { state.withLock { $0.bytes } }

    // MARK: Giving up

    /// Whether there has been nothing in the memtable for as long as rows may stay.
    func isIdle(now: ContinuousClock.Instant) -> Bool {
        let isPressing = memory.pressingSize != nil
        return state.withLock { $0.isEmpty && (isPressing || now - $0.emptySince >= limits.age) }
    }

    /// Gives the memtable up if it is empty.
    func retire() -> Bool {
        state.notifying { state in
            guard state.isEmpty else { return false }
            state.isRetired = true
            return true
        }
    }
}

/// Rows of a memtable as readers see them.
struct MemtableRows {
    /// What is sealed.
    var parts: [PartHandle]
    /// What is not, and what is known of it.
    private(set) var batches: [ColumnBatch] = []
    private(set) var indexes: [MemoryIndex] = []

    init(parts: [PartHandle] = []) { self.parts = parts }

    mutating func add(_ batch: ColumnBatch, _ index: MemoryIndex) {
        batches.append(batch)
        indexes.append(index)
    }
}

extension ColumnBatch {
    /// Of how many partitions its rows are; `most` if they are of more.
    fileprivate func partitionCount(of table: TableDefinition, atMost most: Int) -> Int {
        guard let column = table.ordinal(of: table.partitionColumn), case .integers(let times)? = columns[column] else {
            return 0
        }
        var starts: Set<Int64> = []
        var last: Range<Int64> = 0..<0
        for time in times.prefix(rowCount) where !last.contains(time) {
            let start = table.partitionUnit.start(of: time)
            last = start..<table.partitionUnit.end(ofPartitionAt: start)
            if starts.insert(start).inserted, starts.count >= most { break }
        }
        return starts.count
    }
}
