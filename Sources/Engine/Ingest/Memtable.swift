internal import Columns
internal import Scheduling
internal import Storage
internal import TableSchema

/// The rows of one tenant's table that are not in parts yet: one builder that grows, and those that are being flushed.
///
/// A request is decoded and put in line for the log under one lock, so rows have the log's order. Rows are shown to readers
/// only once their record is durable: rows of a failed request are taken back before anybody has seen them.
final class Memtable<Builder: BatchBuilder & ~Copyable>: @unchecked Sendable {
    /// A builder that takes no more rows, as a batch.
    struct Frozen {
        let batch: ColumnBatch
        let index: MemoryIndex
        /// The first and the last log position in it.
        let first: UInt64
        let last: UInt64
        let bytes: Int
    }

    /// The memtable has been given up: there is, or will be, another one for its tenant.
    struct Retired: Error {}

    private struct State: ~Copyable {
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
        var frozen: [Frozen] = []
        /// Set while the builder waits to be frozen; no rows are added then.
        var isClosing = false
        /// Set when the memtable is given up, empty.
        var isRetired = false
        /// Bytes of the builder, as they were counted last.
        var bytes = 0
        /// Since when there are no rows in the builder.
        var emptySince = ContinuousClock.now
    }

    let key: TenantTable
    private let log: WriteAheadLog
    private let limits: FlushLimits
    private let memory: MemtableMemory
    private let state: Monitor<UnsafeMutablePointer<State>>
    private let makeBuilder: @Sendable () -> Builder

    init(
        key: TenantTable, log: WriteAheadLog, limits: FlushLimits, memory memtableMemory: MemtableMemory,
        makeBuilder: @escaping @Sendable () -> Builder
    ) {
        self.key = key
        self.log = log
        self.limits = limits
        self.memory = memtableMemory
        memtableMemory.open()
        self.makeBuilder = makeBuilder
        let memory = UnsafeMutablePointer<State>.allocate(capacity: 1)
        memory.initialize(to: State(builder: makeBuilder()))
        nonisolated(unsafe) let sent = memory
        state = Monitor(sent)
    }

    deinit {
        state.withLock { state in
            memory.close(bytes: state.pointee.bytes + state.pointee.frozen.reduce(0) { $0 + $1.bytes })
            state.deinitialize(count: 1)
            state.deallocate()
        }
    }

    /// Decodes a request into the builder and logs it.
    ///
    /// - Parameter decode: answers whether it added anything; if it throws, its rows are taken back.
    /// - Returns: the log position to wait for, or nil if there was nothing to log; and whether a flush is due.
    func append(
        _ request: LoggedRequest, replayedAt position: UInt64?,
        decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isFlushDue: Bool) {
        typealias Outcome = Result<(position: UInt64?, isFlushDue: Bool), any Error>
        guard memory.waitForRoom(limits.patience) else { throw IngestError.overloaded(.server) }
        let outcome = state.wait(timeout: limits.patience) { state -> Outcome? in
            if state.pointee.isRetired { return .failure(Retired()) }
            // A builder grows on while the one before it is flushed, but not for ever.
            let most = state.pointee.frozen.count >= 2 ? limits.bytes : 2 * limits.bytes
            if state.pointee.isClosing || state.pointee.bytes >= most { return nil }
            return Outcome { try append(request, position, state, decode) }
        }
        guard let outcome else { throw IngestError.overloaded(.tenant) }
        return try outcome.get()
    }

    private func append(
        _ request: LoggedRequest, _ position: UInt64?, _ state: UnsafeMutablePointer<State>,
        _ decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isFlushDue: Bool) {
        let before = state.pointee.builder.rowCount
        defer { recount(state) }
        do {
            guard try decode(&state.pointee.builder) else {
                state.pointee.builder.truncate(to: before)
                return (nil, false)
            }
            let last = try position ?? log.enqueue(request)
            if before == 0 { state.pointee.first = last }
            state.pointee.last = last
            state.pointee.pending.append((last, state.pointee.builder.rowCount))
            if state.pointee.oldestRow == nil { state.pointee.oldestRow = .now }
            let bytes = state.pointee.builder.byteCount
            return (last, bytes >= limits.bytes || isPressing(bytes))
        } catch {
            state.pointee.builder.truncate(to: before)
            throw error
        }
    }

    private func isPressing(_ bytes: Int) -> Bool { memory.pressingSize.map { bytes >= $0 } ?? false }

    /// Counts what the builder takes now.
    private func recount(_ state: UnsafeMutablePointer<State>) {
        if state.pointee.builder.rowCount == 0, state.pointee.builder.byteCount > 1 << 20 {
            // Rows were taken back, but not their strings, which nothing would ever flush.
            state.pointee.builder = makeBuilder()
            state.pointee.index = MemoryIndex()
        }
        let bytes = state.pointee.builder.byteCount
        memory.change(by: bytes - state.pointee.bytes)
        state.pointee.bytes = bytes
    }

    private static func publish(_ state: UnsafeMutablePointer<State>, through durable: UInt64) {
        var count = 0
        for (position, rows) in state.pointee.pending {
            guard position <= durable else { break }
            state.pointee.published = rows
            count += 1
        }
        state.pointee.pending.removeFirst(count)
    }

    /// What readers see, and the parts, at one point in time.
    func snapshot(_ parts: () -> [PartHandle], table: TableDefinition) -> TableSnapshot {
        let durable = log.durablePosition
        return state.withLock { state in
            Self.publish(state, through: durable)
            var batches = state.pointee.frozen.map(\.batch)
            var indexes = state.pointee.frozen.map(\.index)
            if state.pointee.published > 0 {
                batches.append(state.pointee.builder.snapshot(rows: state.pointee.published))
                indexes.append(state.pointee.index)
            }
            return TableSnapshot(table: table, memory: batches, memoryIndexes: indexes, parts: parts())
        }
    }

    /// Whether the builder is large or old enough to be flushed.
    func isFlushDue(now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            guard let oldest = state.pointee.oldestRow else { return false }
            return state.pointee.bytes >= limits.bytes || now - oldest >= limits.age
                || isPressing(state.pointee.bytes)
        }
    }

    /// Whether there has been nothing in the memtable for as long as rows may stay.
    func isIdle(now: ContinuousClock.Instant) -> Bool {
        let isPressing = memory.pressingSize != nil
        return state.withLock { state in
            Self.isEmpty(state) && (isPressing || now - state.pointee.emptySince >= limits.age)
        }
    }

    /// Gives the memtable up if it is empty.
    func retire() -> Bool {
        state.notifying { state in
            guard Self.isEmpty(state) else { return false }
            state.pointee.isRetired = true
            return true
        }
    }

    private static func isEmpty(_ state: UnsafeMutablePointer<State>) -> Bool {
        state.pointee.builder.rowCount == 0 && state.pointee.frozen.isEmpty && !state.pointee.isClosing
    }

    /// Takes no more rows into the builder, waits until those it has are durable, and begins a new one.
    ///
    /// - Returns: what was frozen, or nil if there is nothing, or the log failed.
    func freeze() -> Frozen? {
        let last = state.notifying { state -> UInt64? in
            guard state.pointee.builder.rowCount > 0 else { return nil }
            state.pointee.isClosing = true
            return state.pointee.last
        }
        guard let last else { return nil }
        let isDurable = (try? log.wait(for: last)) != nil
        return state.notifying { state in
            state.pointee.isClosing = false
            Self.publish(state, through: log.durablePosition)
            guard isDurable, state.pointee.pending.isEmpty, state.pointee.published > 0 else { return nil }
            let frozen = Frozen(
                batch: state.pointee.builder.snapshot(rows: state.pointee.published), index: state.pointee.index,
                first: state.pointee.first, last: state.pointee.last, bytes: state.pointee.bytes)
            state.pointee.frozen.append(frozen)
            state.pointee.builder = makeBuilder()
            state.pointee.index = MemoryIndex()
            state.pointee.bytes = 0
            state.pointee.published = 0
            state.pointee.oldestRow = nil
            state.pointee.emptySince = .now
            return frozen
        }
    }

    /// The batches that were frozen and are not in parts, oldest first: more than one only if flushing failed.
    var unflushed: [Frozen] { state.withLock { $0.pointee.frozen } }

    /// Forgets the oldest frozen batch when `publish` shows its parts.
    func finishFlush(_ publish: () -> Void) {
        state.notifying { state in
            publish()
            memory.change(by: -state.pointee.frozen.removeFirst().bytes)
        }
    }

    /// Takes back rows that are not durable, after the log failed.
    func forgetUndurable() {
        let durable = log.durablePosition
        state.notifying { state in
            Self.publish(state, through: durable)
            state.pointee.builder.truncate(to: state.pointee.published)
            state.pointee.pending = []
            state.pointee.last = min(state.pointee.last, durable)
            if state.pointee.published == 0 { state.pointee.oldestRow = nil }
            recount(state)
        }
    }

    /// The first log position whose rows are not in parts, or nil if there is none.
    var firstUnflushedPosition: UInt64? {
        state.withLock { state in
            state.pointee.frozen.first?.first
                ?? (state.pointee.builder.rowCount > 0 ? state.pointee.first : nil)
        }
    }

    var byteCount: Int {
        state.withLock { state in state.pointee.frozen.reduce(state.pointee.bytes) { $0 + $1.bytes } }
    }
}

/// When memtables are flushed.
package struct FlushLimits: Sendable {
    /// Bytes of memory of one memtable.
    package var bytes: Int
    /// The age of its oldest row.
    package var age: Duration
    /// How long a request may wait for room.
    package var patience: Duration
    /// The most parts of flushes in a partition before requests are refused until merges have caught up.
    package var newParts = Int.max

    package init(bytes: Int = 160 << 20, age: Duration = .seconds(30), patience: Duration = .seconds(10)) {
        self.bytes = bytes
        self.age = age
        self.patience = patience
    }
}
