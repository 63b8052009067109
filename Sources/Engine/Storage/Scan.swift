package import Columns
package import Core
internal import Observability
package import Parts
package import Plans
package import Scheduling
internal import Synchronization
package import TableSchema

package enum BlockOrder: Sendable { case any, newestFirst, oldestFirst }

/// What to read of a table. Column numbers are places in the table's definition.
package struct ScanRequest: Sendable {
    package var range: TimeRange
    /// The columns that the result has; others may be there too.
    package var columns: [Int]
    /// All of them hold for every row of the result. They are applied in the order of what they cost.
    private(set) var filters: [CompiledFilter]
    /// What is told of rows that pass, and a reader of blocks may ask about them.
    private(set) var conditions: [CompiledFilter] = []
    package var order: BlockOrder
    /// Whether few rows are wanted, by a query that others like it follow: rows in memory are handed over in chunks, of which
    /// those that cannot match are not looked at, and decoded pages are kept for the next one.
    package var isSearch: Bool

    /// All rows of a range.
    package init(range: TimeRange, columns: [Int], order: BlockOrder = .any, isSearch: Bool = false) {
        self.init(range: range, columns: columns, filters: [], order: order, isSearch: isSearch)
    }

    init(
        range: TimeRange, columns: [Int], filters: [CompiledFilter], order: BlockOrder = .any, isSearch: Bool = false
    ) {
        self.range = range
        self.columns = columns
        self.filters = filters
        self.order = order
        self.isSearch = isSearch
    }

    /// Rows that satisfy a predicate.
    ///
    /// - Parameter conditions: what is told of the rows, and a reader of blocks may ask about them.
    package init(
        _ table: TableDefinition, range: TimeRange, columns: [Int] = [], predicate: Predicate,
        conditions: [Predicate] = [], functions: any ScanFunctions = NoScanFunctions(), order: BlockOrder = .any,
        isSearch: Bool = false
    ) throws(PlanError) {
        let compiler = PredicateCompiler(table, functions)
        self.init(
            range: range, columns: columns, filters: try compiler.filters(predicate), order: order, isSearch: isSearch)
        for condition in conditions { self.conditions.append(try compiler.filter(condition)) }
    }
}

/// The rows of one block that passed.
package struct ScanBlock: Sendable {
    /// Where the other columns of a part's block are.
    package struct Origin: Sendable {
        package let part: Part
        package let handle: PartHandle
        package var path: String { handle.path }
        package let block: Int
    }

    /// Attributes and nested rows may be there for `rows` only.
    package let batch: ColumnBatch
    /// Ascending row numbers of the batch.
    package let rows: [UInt32]
    /// Ordered scans: no row that comes later is newer (newest first) or older (oldest first) than this time.
    package var bound: Int64?
    /// Tells sources apart, for a stable order of equal times: the part's number, or one above all parts for memory.
    package let source: UInt64
    /// The number of rows of the source before this block.
    package let firstRow: Int
    /// Of each condition of the request, the rows among those that it holds for, ascending.
    package let conditions: [[UInt32]]
    /// Nil for rows in memory.
    package let origin: Origin?
    /// What the columns take of the query's memory, as long as somebody refers to it.
    package let lease: MemoryLease?

    /// Whether all rows of the block passed.
    package var isWhole: Bool { rows.count == batch.rowCount }
}

/// What stops a scan before its end.
package enum ScanError: Error, Sendable {
    case interrupted(QueryInterruption)
    case storage(StorageError)
}

/// Reads the blocks of a snapshot that partitions, zone maps, dictionaries and indexes leave over.
///
/// Blocks are decoded and filtered ahead by the threads of the pool, a few at a time, and handed over in order on the caller's
/// thread; or, if the order makes no difference, aggregated where they were read.
package struct Scan {
    private let snapshot: TableSnapshot
    private let request: ScanRequest
    private let context: QueryContext
    private let pool: QueryPool

    package init(
        _ snapshot: TableSnapshot, _ request: ScanRequest, context: QueryContext, pool: QueryPool = .shared
    ) {
        self.snapshot = snapshot
        self.request = request
        self.context = context
        self.pool = pool
    }

    /// Blocks that are read and not yet taken, at most: enough that no thread waits for the caller in between.
    private var window: Int { 3 * pool.threadCount }

    /// Hands over the blocks that have rows.
    ///
    /// - Parameter body: answers whether to go on.
    package mutating func run<Failure: Error>(
        _ body: (ScanBlock) throws(Failure) -> Bool
    ) throws {
        try map(state: {}, { _, block in block }, body)
    }

    /// As `run`, with work on each block that is done where it was read: by any thread, on several blocks at a time.
    ///
    /// - Parameters:
    ///   - state: makes what such a thread keeps from block to block.
    ///   - work: makes of a block what is handed over; nil leaves it out. The block's bound is not known there. If it throws
    ///     because a page is damaged, the block is left out with a warning.
    ///   - body: gets the result with its bound; answers whether to go on.
    package mutating func map<State, Output, Failure: Error>(
        state: @escaping @Sendable () -> State,
        _ work: @escaping @Sendable (inout State, ScanBlock) throws -> Output?,
        _ body: (Output) throws(Failure) -> Bool
    ) throws where State: SendableMetatype, Output: BoundedResult & SendableMetatype {
        let states = WorkerStates(make: state)
        let segments = ScanSegment.make(snapshot, order: request.order, isSearch: request.isSearch)
        countPartitions()
        for (number, segment) in segments.enumerated() {
            let schedule = try ScanScheduler(snapshot, request, context).schedule(segment)
            let next = number + 1 < segments.count ? segments[number + 1] : nil
            let ordered = OrderedWork(count: schedule.units.count, on: pool) { index in
                try states.with { state in
                    try schedule.read(index).flatMap { block in
                        try schedule.leavingOut(index) { try Handover(work(&state, block), block.rows.count) }
                    }
                }
            }
            var index = 0
            var goesOn = true
            try ordered.run(window: window, first: request.order == .any ? window : 1) { result in
                defer { index += 1 }
                try check()
                guard let result else { return true }
                context.statistics.rowsMatched.add(result.rowCount, ordering: .relaxed)
                guard var output = result.output else { return true }
                output.bound = bound(after: index, schedule.units, next)
                goesOn = try body(output)
                return goesOn
            }
            if !goesOn { return }
        }
    }

    /// Aggregates all blocks, each where it was read, in any order.
    ///
    /// - Parameters:
    ///   - initial: makes the state of one thread.
    ///   - step: adds a block to a thread's state. If it throws because a page is damaged, the block is left out with a warning;
    ///     the state must not have changed then.
    ///   - merge: adds a thread's state to another's; must not depend on which thread saw which block.
    package mutating func aggregate<State>(
        _ initial: @escaping @Sendable () -> State,
        _ step: @escaping @Sendable (inout State, ScanBlock) throws -> Void,
        merge: (inout State, consuming State) throws -> Void
    ) throws -> State where State: SendableMetatype {
        let states = WorkerStates(make: initial)
        countPartitions()
        for segment in ScanSegment.make(snapshot, order: .any) {
            let schedule = try ScanScheduler(snapshot, request, context).schedule(segment)
            let statistics = context.statistics
            let work = OrderedWork(count: schedule.units.count, on: pool) { index in
                try states.with { state in
                    guard let block = try schedule.read(index) else { return }
                    statistics.rowsMatched.add(block.rows.count, ordering: .relaxed)
                    try schedule.leavingOut(index) { try step(&state, block) }
                }
            }
            try work.run(window: .max, first: .max) { true }
        }
        var result = initial()
        for state in states.takeAll() { try merge(&result, state) }
        return result
    }

    /// As that, with work that reads of each block what it needs of it, which may be nothing but what zones tell.
    ///
    /// - Parameter step: reads first and changes the state then: if reading throws because a page is damaged, the block is left
    ///   out with a warning.
    package mutating func aggregate<State>(
        _ initial: @escaping @Sendable () -> State,
        reading step: @escaping @Sendable (inout State, inout BlockReader) throws -> Void,
        merge: (inout State, consuming State) throws -> Void
    ) throws -> State where State: SendableMetatype {
        let states = WorkerStates(make: initial)
        countPartitions()
        for segment in ScanSegment.make(snapshot, order: .any) {
            let schedule = try ScanScheduler(snapshot, request, context).schedule(segment)
            // A block may take less time than a thread needs to get the next one.
            let count = schedule.units.count
            let size = max(1, min(Self.blocksOfPiece, count / (8 * pool.threadCount)))
            let work = OrderedWork(count: (count + size - 1) / size, on: pool) { piece in
                try states.with { state in
                    for index in (piece * size)..<min(count, (piece + 1) * size) {
                        try schedule.process(index) { try step(&state, &$0) }
                    }
                }
            }
            try work.run(window: .max, first: .max) { true }
        }
        var result = initial()
        for state in states.takeAll() { try merge(&result, state) }
        return result
    }

    private static let blocksOfPiece = 16

    private func check() throws(ScanError) {
        do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
    }

    private func countPartitions() {
        let partitions = Set(snapshot.parts.map(\.record.partition))
        context.statistics.partitionsConsidered.add(partitions.count, ordering: .relaxed)
    }

    private func bound(after index: Int, _ units: [ScanSchedule.Unit], _ next: ScanSegment?) -> Int64? {
        let unit = index + 1 < units.count ? units[index + 1] : nil
        switch request.order {
        case .any: return nil
        case .newestFirst: return unit?.greatest ?? next?.greatest
        case .oldestFirst: return unit?.least ?? next?.least
        }
    }
}

/// What a scan hands over: it is told how far the scan is.
package protocol BoundedResult {
    /// As `ScanBlock.bound`.
    var bound: Int64? { get set }
}

extension ScanBlock: BoundedResult {}

/// What a thread made of a block. It has gone through that thread alone, and goes to the caller's.
private struct Handover<Output: SendableMetatype>: @unchecked Sendable {
    let output: Output?
    let rowCount: Int

    init(_ output: Output?, _ rowCount: Int) {
        self.output = output
        self.rowCount = rowCount
    }
}

/// What threads keep from block to block: as many as work at the same time, each used by one thread at a time.
private final class WorkerStates<State: SendableMetatype>: @unchecked Sendable {
    private let free = Mutex<Box>(Box())
    private let make: @Sendable () -> State

    private struct Box: @unchecked Sendable { var states: [State] = [] }
    private struct Kept: @unchecked Sendable { var state: State? }

    init(make: @escaping @Sendable () -> State) { self.make = make }

    func with<Result>(_ body: (inout State) throws -> Result) throws -> Result {
        let kept: Kept = free.withLock { Kept(state: $0.states.popLast()) }
        var state = kept.state ?? make()
        defer {
            let used = Kept(state: state)
            free.withLock { box in
                if let state = used.state { box.states.append(state) }
            }
        }
        return try body(&state)
    }

    func takeAll() -> [State] {
        free.withLock { box in
            defer { box.states = [] }
            return Box(states: box.states)
        }.states
    }
}
