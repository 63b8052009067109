internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Synchronization
internal import Telemetry

/// Rows as a plan reads them: those of a block, or of a memtable.
struct PlanRows: Sendable {
    let points: PointColumns
    /// Milliseconds; of a memtable, of which few rows are wanted, there are none, and `timestamp(_:)` is asked.
    let timestamps: Buffer<Int64>

    init(memory points: PointColumns) {
        self.points = points
        timestamps = .empty
    }

    init(_ points: PointColumns) {
        self.points = points
        timestamps = points.times.quotients(by: 1_000_000)
    }

    /// Points have no times before the epoch.
    @inline(__always)
    private static func milliseconds(_ time: Int64) -> Int64 {
        Int64(truncatingIfNeeded: UInt64(bitPattern: time) / 1_000_000)
    }

    func timestamp(_ row: Int) -> Int64 { Self.milliseconds(points.times[row]) }

    var byteCount: Int { points.byteCount + timestamps.count * 8 }
}

/// A block that a plan reads, decoded once for all who want rows of it, and let go of when the last of them is done.
final class PlanBlock: Sendable {
    private struct State {
        var rows: PlanRows?
        var lease: MemoryLease?
        /// Also of a block that is damaged, and left out.
        var isRead = false
        var users = 0
    }

    let handle: PartHandle
    let block: Int
    /// Where its rows are in the part.
    let rowsOfPart: Range<Int>
    private let state = Mutex(State())

    init(_ handle: PartHandle, block: Int, rows: Range<Int>) {
        self.handle = handle
        self.block = block
        rowsOfPart = rows
    }

    /// Says that somebody more will want rows; before any are read.
    func expectUser() { state.withLock { $0.users += 1 } }

    func endUse() {
        let done = state.withLock { state in
            state.users -= 1
            guard state.users == 0 else { return nil as State? }
            defer { (state.rows, state.lease) = (nil, nil) }
            return state
        }
        withExtendedLifetime(done) {}
    }

    /// Nil if the block is damaged, and left out with a warning. Who comes while it is read waits.
    func rows(_ loader: PointLoader, _ needs: PointNeeds) throws -> PlanRows? {
        try state.withLock { state in
            if state.isRead { return state.rows }
            let rows = try read(loader, needs)
            state.isRead = true
            guard let rows else { return nil }
            let lease = MemoryLease(loader.context)
            try lease.extend(bytes: rows.byteCount)
            (state.rows, state.lease) = (rows, lease)
            return rows
        }
    }

    private func read(_ loader: PointLoader, _ needs: PointNeeds) throws -> PlanRows? {
        let context = loader.context
        try context.check()
        context.statistics.blocksRead.add(1, ordering: .relaxed)
        context.statistics.rowsRead.add(rowsOfPart.count, ordering: .relaxed)
        guard let part = try context.reading(handle, { try handle.part() }) else { return nil }
        return try context.reading(handle, block: block) {
            let times = try loader.integers(part, loader.table.time.ordinal, block)
            return PlanRows(try loader.load(part, block, times: times, needs))
        }
    }
}

/// The blocks of one part that a plan reads, found by their rows.
struct PlanBlocks {
    private let handle: PartHandle
    private let part: Part
    private let table: MetricTable
    /// What lies behind it is not read.
    private let end: Timestamp
    private var known: [Int: PlanBlock] = [:]

    init(_ handle: PartHandle, _ part: Part, _ table: MetricTable, end: Timestamp) {
        self.handle = handle
        self.part = part
        self.table = table
        self.end = end
    }

    var count: Int { known.count }

    /// Those that have any of the rows, and may have some from `start` on.
    mutating func blocks(of rows: Range<Int>, since start: Timestamp) -> [PlanBlock] {
        var low = 0
        var high = part.blockCount
        // The last block that begins no later than the rows.
        while high - low > 1 {
            let middle = (low + high) / 2
            if part.firstRow(ofBlock: middle) <= rows.lowerBound { low = middle } else { high = middle }
        }
        var found: [PlanBlock] = []
        while low < part.blockCount, part.firstRow(ofBlock: low) < rows.upperBound {
            if let block = block(low, since: start) { found.append(block) }
            low += 1
        }
        return found
    }

    private mutating func block(_ number: Int, since start: Timestamp) -> PlanBlock? {
        if let times = part.zone(table.time.ordinal, block: number),
            times.upperBound < start.nanoseconds || times.lowerBound >= end.nanoseconds
        {
            return nil
        }
        if let known = known[number] { return known }
        let first = part.firstRow(ofBlock: number)
        let block = PlanBlock(handle, block: number, rows: first..<(first + part.rowCount(ofBlock: number)))
        known[number] = block
        return block
    }
}
