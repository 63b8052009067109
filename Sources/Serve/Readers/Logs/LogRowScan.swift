internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Plans
internal import QueryModel
internal import Scheduling
internal import Storage
private import Synchronization
internal import TableSchema
internal import Telemetry

/// Reads the rows of `otel_logs` that a query wants, in its order or added up where they were read.
///
/// Conditions are applied by the threads that read the blocks, the cheapest first: ids, labels, lines, and what else the query knows
/// of rows that it would drop.
struct LogRowScan {
    private let reader: LogReader
    private let context: QueryContext
    private let snapshot: TableSnapshot
    private let request: ScanRequest
    private let conditions: Conditions

    /// What rows have to meet besides the filters of the scan.
    struct Conditions {
        var lines: [LinePredicate] = []
        var ids: LogIDHints?
        var labels: [LabelMatcher] = []
        var rows: LogRowFiltering?
        /// Whether they leave few rows over, by their ids.
        var isSearch = false

        /// For people, behind what the scan applies.
        var text: String {
            let tested = [
                ids?.isEmpty == false ? "ids" : nil, labels.isEmpty ? nil : "labels", lines.isEmpty ? nil : "lines",
                rows == nil ? nil : "stages",
            ].compactMap { $0 }
            return tested.isEmpty ? "" : ", then test \(tested.joined(separator: ", "))"
        }
    }

    /// - Parameter predicate: what the scan applies besides the range.
    init(
        _ snapshot: TableSnapshot, of reader: LogReader, range: TimeRange, order: BlockOrder, predicate: Predicate,
        _ conditions: Conditions, context: QueryContext
    ) throws(QueryError) {
        self.snapshot = snapshot
        self.reader = reader
        self.context = context
        self.conditions = conditions
        let table = reader.table
        let predicate = Predicate.every([predicate, reader.predicates.lines(conditions.lines)])
        let columns = Projection(columns: [table.time.id, table.resource.id], order: order.ofRows)
        let plan = ScanPlan(table: table.definition.id, range: range, predicate: predicate, result: .rows(columns))
        context.statistics.note(plan: plan.text(table.definition) + conditions.text)
        request = try SourceErrors.mapping {
            try ScanRequest(
                table.definition, range: range, columns: [table.time.ordinal, table.resource.ordinal],
                predicate: predicate, functions: reader.functions, order: order, isSearch: conditions.isSearch)
        }
    }

    private static let mostDictionaries = 1024

    // MARK: Threads

    /// What a thread that reads blocks keeps from one to the next.
    private final class Worker {
        let columns: LogColumnReader
        let lines: LogLineFilter?
        let rows: (any LogRowFilter)?
        let entries: LogEntryBuilder

        init(_ reader: LogReader, _ conditions: Conditions, _ context: QueryContext) {
            columns = LogColumnReader(reader.table, reader.identities, reader.rules, context)
            entries = LogEntryBuilder(needsLine: true, names: .all, texts: LogTexts(context))
            lines = LogLineFilter(conditions.lines, context: context)
            rows = conditions.rows?.make()
        }
    }

    private func makeBlock(_ found: ScanBlock) -> LogBlock {
        LogBlock(
            found, isSearch: request.isSearch, table: reader.table, identities: reader.identities, context: context)
    }

    /// Runs what reads columns of a block.
    ///
    /// - Returns: nil if one is damaged: then the block is left out, and the answer has a warning.
    private static func reading<Result>(
        _ block: LogBlock, _ body: () throws(QueryError) -> Result
    ) throws(QueryError) -> Result? {
        do throws(QueryError) {
            return try body()
        } catch {
            guard block.isLeftOut else { throw error }
            return nil
        }
    }

    private static func keep(_ block: LogBlock, _ conditions: Conditions, _ worker: Worker) throws(QueryError) {
        try worker.columns.begin(block)
        try conditions.ids?.keep(in: block)
        try worker.columns.keep(conditions.labels, in: block)
        try worker.lines?.keep(in: block)
        if let filter = worker.rows, let needs = conditions.rows?.needs, !block.rows.isEmpty {
            let builder = worker.entries
            let rows = try worker.columns.rows(block, needs) { (row) throws(QueryError) in try builder.entry(block, row)
            }
            block.rows = try filter.kept(rows)
        }
    }

    // MARK: Rows in order

    /// A block with no more rows than this has its columns read by the thread that has found them: that many are hardly beyond what
    /// is wanted, and the query's own thread would read them one block after the other.
    private static let mostPrepared = 16

    /// Hands over blocks, also such as have no rows left, since each tells how far the scan is.
    ///
    /// - Parameters:
    ///   - entries: what is asked for, if entries are made of the rows.
    ///   - body: gets the scan's bound; answers whether to go on.
    private func forEachBlock(
        entries: LogScanRequest?, _ body: (LogBlock, Int64?) throws(QueryError) -> Bool
    ) throws(QueryError) {
        var scan = Scan(snapshot, request, context: context)
        let resources = KnownDictionaries<ObjectIdentifier, LogDecodedEntries<LogResource>>(
            context, limit: Self.mostDictionaries)
        let identities = reader.identities
        try SourceErrors.mapping {
            try scan.map(state: { Worker(reader, conditions, context) }) { worker, found in
                let block = makeBlock(found)
                return try Self.reading(block) { () throws(QueryError) in
                    try Self.keep(block, conditions, worker)
                    if let entries, (1...Self.mostPrepared).contains(block.rows.count) {
                        try LogEntryBuilder(entries, worker.entries.texts).prepare(block)
                    }
                    return ReadBlock(block: block, bound: nil)
                }
            } _: { (read: ReadBlock) throws(QueryError) -> Bool in
                let block = read.block
                // What the thread that read the block has decoded stays there.
                block.labels = nil
                block.resources = try resources.value(of: block, identities)
                return try Self.reading(block) { () throws(QueryError) in try body(block, read.bound) } ?? true
            }
        }
    }

    /// Hands over rows in the order of the request; equal times in the order of their sources and rows, or, for the newest
    /// first, in the opposite order.
    ///
    /// - Parameters:
    ///   - entries: what is asked for, if entries are made of the rows.
    ///   - body: answers whether to go on.
    func forEachRow(
        entries: LogScanRequest? = nil, _ body: (LogBlock, Int) throws(QueryError) -> Bool
    ) throws(QueryError) {
        var merge = LogMerge(isDescending: request.order == .newestFirst)
        var goesOn = true
        var taken = 0
        func drain(before bound: Int64?) throws(QueryError) {
            while goesOn, let next = merge.next(before: bound) {
                taken += 1
                if taken % 4096 == 0 { try context.proceed() }
                guard !next.block.isLeftOut else { continue }
                do throws(QueryError) {
                    goesOn = try body(next.block, next.row)
                } catch {
                    guard next.block.isLeftOut else { throw error }
                }
            }
        }
        try forEachBlock(entries: entries) { (block, bound) throws(QueryError) -> Bool in
            if request.order == .any {
                for row in block.rows where goesOn { goesOn = try body(block, Int(row)) }
            } else {
                if !block.rows.isEmpty { merge.add(block) }
                try drain(before: bound)
            }
            return goesOn
        }
        try drain(before: nil)
    }

    // MARK: Sums

    /// Adds up blocks where they were read, each in the state of the thread that read it.
    ///
    /// - Parameter step: reads all that it needs of a block before it changes the state: a block that is damaged is left out.
    func aggregate<State: SendableMetatype>(
        _ state: @escaping @Sendable () -> State,
        _ step: @escaping @Sendable (inout State, LogBlock) throws(QueryError) -> Void,
        merge: (inout State, consuming State) throws(QueryError) -> Void
    ) throws(QueryError) -> State {
        try aggregate(state) { (state, block, _) throws(QueryError) in
            try step(&state, block)
        } merge: {
            (sum, other) throws(QueryError) in
            try merge(&sum, other)
        }
    }

    private func aggregate<State: SendableMetatype>(
        _ state: @escaping @Sendable () -> State,
        _ step: @escaping @Sendable (inout State, LogBlock, LogColumnReader) throws(QueryError) -> Void,
        merge: (inout State, consuming State) throws(QueryError) -> Void
    ) throws(QueryError) -> State {
        var scan = Scan(snapshot, request, context: context)
        return try SourceErrors.mapping {
            try scan.aggregate {
                Total(worker: Worker(reader, conditions, context), state: state())
            } _: { total, found in
                let block = makeBlock(found)
                _ = try Self.reading(block) { () throws(QueryError) in
                    try Self.keep(block, conditions, total.worker)
                    if !block.rows.isEmpty { try step(&total.state, block, total.worker.columns) }
                }
            } merge: { sum, other in
                try merge(&sum.state, other.state)
            }
        }.state
    }

    private struct Total<State: SendableMetatype> {
        let worker: Worker
        var state: State
    }

    /// Adds up rows as who asked for them does.
    func aggregate<State: LogRowAggregate>(
        _ needs: LogRowNeeds, _ request: LogScanRequest, _ state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State {
        let statistics = context.statistics
        let countsLines = conditions.lines.isEmpty
        let context = context
        return try aggregate {
            Rows(builder: LogEntryBuilder(request, LogTexts(context)), state: state())
        } _: { (total, block, columns) throws(QueryError) in
            let builder = total.builder
            if needs.entries { try builder.prepare(block) }
            let rows = try columns.rows(block, needs) { (row) throws(QueryError) in try builder.entry(block, row) }
            if countsLines, let lines = rows.lines {
                var bytes = 0
                for row in rows.rows { bytes += lines.length(row: Int(row)) }
                statistics.bytesDecoded.add(bytes, ordering: .relaxed)
            }
            try total.state.add(rows)
        } merge: { (sum, other) throws(QueryError) in
            try sum.state.merge(other.state)
        }.state
    }

    private struct Rows<State: LogRowAggregate> {
        let builder: LogEntryBuilder
        var state: State
    }
}

/// A block on its way from the thread that read it.
private struct ReadBlock: BoundedResult {
    let block: LogBlock
    var bound: Int64?
}
