internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Plans
internal import QueryModel
internal import Rollups
internal import Scheduling
internal import Storage
private import Synchronization
internal import TableSchema
internal import Telemetry

/// The graph of one hour's spans, and what of them waits for parents: one of those in parts, and one of each batch that grows in memory.
final class HourGraph: Sendable {
    /// The parents of so many traces are looked for by their ids; of more by looking through the parts.
    private static let searchLimit = 4096

    /// Parts of the hour and of the one before, and rows of both in memory.
    struct Spans {
        let own: [PartHandle]
        let before: [PartHandle]
        let memory: [GrowingBatch]
        let hour: TimeRange
        /// Where parents may start.
        let parents: TimeRange
    }

    private struct State {
        let join: JoinAggregator
        /// Whose spans are in the graph.
        var own = RowSources()
        /// Which other spans were looked through for parents.
        var before = RowSources()
        /// The graphs of batches in memory, oldest first.
        var tails: [HourTail] = []
        /// Whether spans of parts may wait that have not looked at what is in memory.
        var hasNewParts = false
        /// Whether spans were given up that wait for parents.
        var isPartial = false
        /// The rows of the graph, unless some have been added since they were made.
        var made: ColumnBatch?

        mutating func rows() -> ColumnBatch {
            if let made { return made }
            let batch = join.aggregate.batch()
            made = batch
            return batch
        }

        mutating func settle() {
            if join.settle() { made = nil }
        }

        /// How many spans wait for parents.
        var pendingCount: Int { tails.reduce(join.pendingCount) { $0 + $1.join.pendingCount } }
    }

    private let view: RollupDefinition
    private let source: TableDefinition
    private let traceColumn: Int
    private let waiting: WaitingSpans
    private let state = Mutex<State?>(nil)

    init(_ view: RollupDefinition, source: TableDefinition, traceColumn: Int, waiting: WaitingSpans) {
        self.view = view
        self.source = source
        self.traceColumn = traceColumn
        self.waiting = waiting
    }

    deinit { waiting.change(by: -(state.withLock { $0?.pendingCount ?? 0 })) }

    /// Brings the graph up to date with parts, and hands over its rows, and those of spans in memory.
    func rows(_ spans: Spans, _ context: QueryContext, _ body: (ColumnBatch) throws -> Void) throws {
        try state.withLock { state in
            // What fails on the way leaves no graph behind that lacks something.
            var current = state.take() ?? State(join: JoinAggregator(view, source: source))
            waiting.change(by: -current.pendingCount)
            let warnings = context.statistics.warnings.count
            if try !update(&current, spans, context) {
                current = State(join: JoinAggregator(view, source: source))
                _ = try update(&current, spans, context)
            }
            try addMemory(&current, spans, context)
            try body(current.rows())
            for tail in current.tails where tail.join.aggregate.groupCount > 0 { try body(tail.join.aggregate.batch()) }
            let isWhole = !current.isPartial && context.statistics.warnings.count == warnings
            guard isWhole, waiting.hasRoom(for: current.pendingCount) else { return }
            waiting.change(by: current.pendingCount)
            state = current
        }
    }

    /// Whether less than all of the hour has to be read for the next answer.
    var isKept: Bool { state.withLock { $0 != nil } }

    /// Brings the graph up to date with parts, if it is kept.
    func keepUp(_ spans: Spans, _ context: QueryContext) throws {
        guard isKept else { return }
        try rows(spans, context) { _ in }
    }

    // MARK: Parts

    /// - Returns: false if parts have rows that the graph has together with others, or lack some.
    private func update(_ state: inout State, _ spans: Spans, _ context: QueryContext) throws -> Bool {
        guard let own = try Self.fresh(spans.own, state.own, context),
            let before = try Self.fresh(spans.before, state.before, context)
        else { return false }
        guard !own.parts.isEmpty || !before.parts.isEmpty else { return true }
        let waiting = state.join.pendingCount
        let everything = spans.own + spans.before
        var scan = scan(own.parts, state.join.addedColumns, spans.hour, context)
        var isPartial = state.isPartial
        try scan.run { [join = state.join] block in
            join.add(block.batch, rows: block.isWhole ? nil : block.rows)
            if join.isFull {
                try resolve(join, everything, context)
                isPartial = true
            }
            return true
        }
        state.isPartial = isPartial
        // Those that waited before were not found among the old parts; the others may be.
        try offer([state.join] + state.tails.map(\.join), own.parts + before.parts, context)
        try search(state.join, from: waiting, own.known + before.known, context)
        state.settle()
        state.made = nil
        state.hasNewParts = true
        state.own = own.sources
        state.before = before.sources
        return true
    }

    /// Which parts are new.
    ///
    /// - Returns: nil if that cannot be told, or rows are gone.
    private static func fresh(
        _ handles: [PartHandle], _ known: RowSources, _ context: QueryContext
    ) throws -> (parts: [PartHandle], known: [PartHandle], sources: RowSources)? {
        var (fresh, old) = ([PartHandle](), [PartHandle]())
        var all = RowSources()
        for handle in handles {
            let rows = try context.reading(handle) { try handle.part().sources(number: handle.record.id.number).own }
            guard let rows else { continue }
            all.formUnion(rows)
            if rows.isSubset(of: known) {
                old.append(handle)
            } else if rows.isDisjoint(with: known) {
                fresh.append(handle)
            } else {
                return nil
            }
        }
        return known.isSubset(of: all) ? (fresh, old, all) : nil
    }

    private func scan(
        _ parts: [PartHandle], _ columns: [Int], _ range: TimeRange, _ context: QueryContext
    ) -> Scan {
        scan(parts, ScanRequest(range: range, columns: columns), context)
    }

    private func scan(_ parts: [PartHandle], _ request: ScanRequest, _ context: QueryContext) -> Scan {
        Scan(TableSnapshot(table: source, memory: [], parts: parts), request, context: context)
    }

    /// Looks through all rows of parts for parents.
    private func offer(_ joins: [JoinAggregator], _ parts: [PartHandle], _ context: QueryContext) throws {
        let joins = joins.filter(\.hasPending)
        guard let first = joins.first, !parts.isEmpty else { return }
        var scan = scan(parts, first.offeredColumns, .everything, context)
        try scan.run { block in
            for join in joins { join.offer(block.batch, rows: block.isWhole ? nil : block.rows) }
            return true
        }
    }

    /// Looks for the parents of spans that began to wait when `count` or more did.
    private func search(_ join: JoinAggregator, from count: Int, _ parts: [PartHandle], _ context: QueryContext) throws
    {
        guard !parts.isEmpty else { return }
        let traces = join.pendingRuns(from: count).map { TraceID(high: $0.high, low: $0.low) }
        if traces.isEmpty { return }
        if traces.count > Self.searchLimit { return try offer([join], parts, context) }
        let request = try ScanRequest(
            source, range: .everything, columns: join.offeredColumns,
            predicate: .traces(traces, in: source.columns[traceColumn].id), isSearch: true)
        var scan = scan(parts, request, context)
        try scan.run { block in
            join.offer(block.batch, rows: block.isWhole ? nil : block.rows)
            return true
        }
    }

    /// As many wait as may: all that can be found is looked for.
    private func resolve(_ join: JoinAggregator, _ parts: [PartHandle], _ context: QueryContext) throws {
        try offer([join], parts, context)
        join.finish()
    }

    // MARK: Memory

    /// Brings the graphs of batches in memory up to date with them. What has been found there is found for good: its rows are durable.
    private func addMemory(_ state: inout State, _ spans: Spans, _ context: QueryContext) throws {
        // Batches that were sealed are in parts now, and their spans in the graph of those.
        state.tails = spans.memory.map { batch in
            state.tails.first { $0.isOf(batch) } ?? HourTail(batch, JoinAggregator(view, source: source))
        }
        if state.hasNewParts {
            for (tail, batch) in zip(state.tails, spans.memory) { state.join.offer(batch.rows, rows: tail.parents) }
            state.hasNewParts = false
        }
        for (place, batch) in spans.memory.enumerated() {
            try context.check()
            let new = state.tails[place].takeNew(batch, of: spans.hour, parents: spans.parents)
            guard !new.parents.isEmpty else { continue }
            // Who waits looks at the new rows, and who begins to wait at all of them.
            state.join.offer(batch.rows, rows: new.parents)
            for tail in state.tails { tail.join.offer(batch.rows, rows: new.parents) }
            let join = state.tails[place].join
            let waiting = join.pendingCount
            join.add(batch.rows, rows: new.own)
            guard join.pendingCount > waiting else { continue }
            for (tail, batch) in zip(state.tails, spans.memory) { join.offer(batch.rows, rows: tail.parents) }
            try search(join, from: waiting, spans.own + spans.before, context)
        }
        for tail in state.tails {
            if tail.join.isFull { state.isPartial = true }
            tail.join.settle()
        }
        state.settle()
    }
}
