internal import Columns
internal import Core
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
        /// The first and the last log position in it.
        let first: UInt64
        let last: UInt64
    }

    private struct State: ~Copyable {
        var builder: Builder
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
    }

    let key: TenantTable
    private let log: WriteAheadLog
    private let limits: FlushLimits
    private let state: Monitor<UnsafeMutablePointer<State>>
    private let makeBuilder: @Sendable () -> Builder

    init(
        key: TenantTable, log: WriteAheadLog, limits: FlushLimits,
        makeBuilder: @escaping @Sendable () -> Builder
    ) {
        self.key = key
        self.log = log
        self.limits = limits
        self.makeBuilder = makeBuilder
        let memory = UnsafeMutablePointer<State>.allocate(capacity: 1)
        memory.initialize(to: State(builder: makeBuilder()))
        nonisolated(unsafe) let sent = memory
        state = Monitor(sent)
    }

    deinit {
        state.withLock { state in
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
        let outcome = state.wait(timeout: limits.patience) { state -> Outcome? in
            let isFull = state.pointee.frozen.count >= 2 && state.pointee.builder.byteCount >= limits.bytes
            if state.pointee.isClosing || isFull { return nil }
            return Outcome { try append(request, position, state, decode) }
        }
        guard let outcome else { throw IngestError.overloaded }
        return try outcome.get()
    }

    private func append(
        _ request: LoggedRequest, _ position: UInt64?, _ state: UnsafeMutablePointer<State>,
        _ decode: (inout Builder) throws -> Bool
    ) throws -> (position: UInt64?, isFlushDue: Bool) {
        let before = state.pointee.builder.rowCount
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
            return (last, state.pointee.builder.byteCount >= limits.bytes)
        } catch {
            state.pointee.builder.truncate(to: before)
            throw error
        }
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

    /// What readers see, and the parts, at one moment.
    func snapshot(_ parts: () -> [PartHandle], table: TableDefinition) -> TableSnapshot {
        let durable = log.durablePosition
        return state.withLock { state in
            Self.publish(state, through: durable)
            var batches = state.pointee.frozen.map(\.batch)
            if state.pointee.published > 0 {
                batches.append(state.pointee.builder.snapshot(rows: state.pointee.published))
            }
            return TableSnapshot(table: table, memory: batches, parts: parts())
        }
    }

    /// Whether the builder is large or old enough to be flushed.
    func isFlushDue(now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            guard let oldest = state.pointee.oldestRow else { return false }
            return state.pointee.builder.byteCount >= limits.bytes || now - oldest >= limits.age
        }
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
                batch: state.pointee.builder.snapshot(rows: state.pointee.published),
                first: state.pointee.first, last: state.pointee.last)
            state.pointee.frozen.append(frozen)
            state.pointee.builder = makeBuilder()
            state.pointee.published = 0
            state.pointee.oldestRow = nil
            return frozen
        }
    }

    /// The batches that were frozen and are not in parts, oldest first: more than one only if flushing failed.
    var unflushed: [Frozen] { state.withLock { $0.pointee.frozen } }

    /// Forgets the oldest frozen batch at the moment that `publish` shows its parts.
    func finishFlush(_ publish: () -> Void) {
        state.notifying { state in
            publish()
            state.pointee.frozen.removeFirst()
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
        }
    }

    /// The first log position whose rows are not in parts, or nil if there is none.
    var firstUnflushedPosition: UInt64? {
        state.withLock { state in
            state.pointee.frozen.first?.first
                ?? (state.pointee.builder.rowCount > 0 ? state.pointee.first : nil)
        }
    }

    var byteCount: Int { state.withLock { $0.pointee.builder.byteCount } }
}

/// When memtables are flushed.
package struct FlushLimits: Sendable {
    /// Bytes of memory of one memtable.
    package var bytes: Int
    /// The age of its oldest row.
    package var age: Duration
    /// How long a request may wait for room.
    package var patience: Duration

    package init(bytes: Int = 160 << 20, age: Duration = .seconds(30), patience: Duration = .seconds(10)) {
        self.bytes = bytes
        self.age = age
        self.patience = patience
    }
}
