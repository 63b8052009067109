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

/// The graphs of hours that the view does not have yet: the hours that spans come into. Each is kept, with the spans whose parents have
/// not come, and what is new since it was asked for last is added to it: a graph costs the new spans, and not all of its hour.
///
/// An hour's graph knows which ranges of the log its spans, and those that were looked through for parents, come from (`RowSources`).
/// So it is told what is new from what was merged, and begins again if it cannot be: if rows that it has are no longer there, or come
/// back together with others.
final class HourGraphs: Sendable {
    private struct Key: Hashable {
        let tenant: TenantID
        let hour: Int64
    }

    private struct Known {
        var graphs: [Key: (graph: HourGraph, asked: ContinuousClock.Instant)] = [:]
    }

    /// Hours of all tenants that are kept.
    private static let limit = 96

    private let known = Mutex(Known())
    /// What waits in all of them.
    let waiting = WaitingSpans()

    /// The graph of an hour, which is empty if it was not asked for lately.
    func graph(_ tenant: TenantID, _ hour: Int64, _ make: () -> HourGraph) -> HourGraph {
        known.withLock { known in
            let now = ContinuousClock.now
            let key = Key(tenant: tenant, hour: hour)
            if let graph = known.graphs[key]?.graph {
                known.graphs[key]?.asked = now
                return graph
            }
            if known.graphs.count >= Self.limit, let oldest = known.graphs.min(by: { $0.value.asked < $1.value.asked })
            {
                known.graphs[oldest.key] = nil
            }
            let graph = make()
            known.graphs[key] = (graph, now)
            return graph
        }
    }

    func known(_ tenant: TenantID, _ hour: Int64) -> HourGraph? {
        known.withLock { $0.graphs[Key(tenant: tenant, hour: hour)]?.graph }
    }

    /// The hours that were asked for lately.
    func asked(since time: ContinuousClock.Instant) -> [(tenant: TenantID, hour: Timestamp)] {
        known.withLock { known in
            known.graphs.filter { $0.value.asked >= time }.map { ($0.key.tenant, Timestamp(nanoseconds: $0.key.hour)) }
        }
    }
}

/// How many spans wait for parents in graphs that are kept; each takes about 150 bytes.
final class WaitingSpans: Sendable {
    private static let limit = 300_000

    private let count = Atomic<Int>(0)

    func change(by difference: Int) { count.add(difference, ordering: .relaxed) }

    func hasRoom(for more: Int) -> Bool { count.load(ordering: .relaxed) + more <= Self.limit }
}

/// The graph of one hour's spans in parts, and what of them waits for parents.
final class HourGraph: Sendable {
    /// The parents of so many traces are looked for by their ids; of more by looking through the parts.
    private static let searchLimit = 4096

    /// Parts of the hour and of the one before, and rows of both in memory.
    struct Spans {
        let own: [PartHandle]
        let before: [PartHandle]
        let memory: [ColumnBatch]
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
            join.settle()
            made = nil
        }
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

    deinit { waiting.change(by: -(state.withLock { $0?.join.pendingCount ?? 0 })) }

    /// Brings the graph up to date with parts, and hands over its rows, and those of spans in memory.
    func rows(_ spans: Spans, _ context: QueryContext, _ body: (ColumnBatch) throws -> Void) throws {
        try state.withLock { state in
            // What fails on the way leaves no graph behind that lacks something.
            var current = state.take() ?? State(join: JoinAggregator(view, source: source))
            waiting.change(by: -current.join.pendingCount)
            let warnings = context.statistics.warnings.count
            if try !update(&current, spans, context) {
                current = State(join: JoinAggregator(view, source: source))
                _ = try update(&current, spans, context)
            }
            if let tail = try addMemory(&current, spans, context) { try body(tail) }
            try body(current.rows())
            let isWhole = !current.isPartial && context.statistics.warnings.count == warnings
            guard isWhole, waiting.hasRoom(for: current.join.pendingCount) else { return }
            waiting.change(by: current.join.pendingCount)
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
        try offer(state.join, own.parts + before.parts, context)
        try search(state.join, from: waiting, own.known + before.known, context)
        state.settle()
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
    private func offer(_ join: JoinAggregator, _ parts: [PartHandle], _ context: QueryContext) throws {
        guard join.hasPending, !parts.isEmpty else { return }
        var scan = scan(parts, join.offeredColumns, .everything, context)
        try scan.run { block in
            join.offer(block.batch, rows: block.isWhole ? nil : block.rows)
            return true
        }
    }

    /// Looks for the parents of spans that began to wait when `count` or more did.
    private func search(_ join: JoinAggregator, from count: Int, _ parts: [PartHandle], _ context: QueryContext) throws
    {
        guard !parts.isEmpty else { return }
        let traces = join.pendingRuns(from: count).map { TraceID(high: $0.high, low: $0.low) }
        if traces.isEmpty { return }
        if traces.count > Self.searchLimit { return try offer(join, parts, context) }
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
        try offer(join, parts, context)
        join.finish()
    }

    // MARK: Memory

    /// The graph of spans in memory. Parents there are found for good: their rows are durable.
    private func addMemory(_ state: inout State, _ spans: Spans, _ context: QueryContext) throws -> ColumnBatch? {
        guard !spans.memory.isEmpty else { return nil }
        let tail = JoinAggregator(view, source: source)
        let waiting = state.join.pendingCount
        let memory = TableSnapshot(table: source, memory: spans.memory, parts: [])
        var children = Scan(
            memory, ScanRequest(range: spans.hour, columns: tail.addedColumns), context: context)
        try children.run { block in
            tail.add(block.batch, rows: block.isWhole ? nil : block.rows)
            return true
        }
        var parents = Scan(
            memory, ScanRequest(range: spans.parents, columns: tail.offeredColumns), context: context)
        try parents.run { [join = state.join] block in
            let rows = block.isWhole ? nil : block.rows
            tail.offer(block.batch, rows: rows)
            join.offer(block.batch, rows: rows)
            return true
        }
        try search(tail, from: 0, spans.own + spans.before, context)
        tail.finish()
        if waiting > 0 { state.settle() }
        return tail.aggregate.groupCount > 0 ? tail.aggregate.batch() : nil
    }
}
