internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Reads the rows of `otel_logs` that a query wants, in its order.
struct LogRowScan {
    private let table: LogTable
    private let identities: LogIdentities
    private let context: QueryContext
    private let snapshot: TableSnapshot
    private let request: ScanRequest
    private let lines: [LinePredicate]
    private let ids: LogIDHints?
    private let labels: LogLabelHints?

    /// - Parameter filters: what the scan applies besides the range.
    init(
        _ snapshot: TableSnapshot, table: LogTable, identities: LogIdentities, range: TimeRange,
        order: BlockOrder, filters: [RowFilter], lines: [LinePredicate], ids: LogIDHints? = nil,
        labels: LogLabelHints? = nil, context: QueryContext
    ) {
        self.snapshot = snapshot
        self.table = table
        self.identities = identities
        self.context = context
        self.ids = ids
        self.labels = labels
        self.lines = lines
        request = ScanRequest(
            range: range, columns: [table.time.ordinal, table.resource.ordinal],
            filters: filters + LogIndexFilters.make(lines, table),
            order: order)
    }

    /// Hands over blocks, also such as have no rows left, since each tells how far the scan is.
    ///
    /// - Parameter body: gets the scan's bound; answers whether to go on.
    func forEachBlock(
        _ body: (LogBlock, Int64?) throws(QueryError) -> Bool
    ) throws(QueryError) {
        try forEachBlock(with: { _ in }) { (block, _, bound) throws(QueryError) in try body(block, bound) }
    }

    /// As that, with what is made of each block where it was read: by any thread, so that resources are not known yet.
    func forEachBlock<Made>(
        with make: @escaping @Sendable (LogBlock) -> Made, _ body: (LogBlock, Made, Int64?) throws(QueryError) -> Bool
    ) throws(QueryError) where Made: SendableMetatype {
        var scan = Scan(snapshot, request, context: context)
        var decoded: [ObjectIdentifier: LogDecodedEntries<LogResource>] = [:]
        let (table, identities, context, ids, lines) = (table, identities, context, ids, lines)
        // What is asked after the worker is done with the block keeps it from making anything early.
        let isLate = labels != nil
        try SourceErrors.mapping {
            try scan.map(state: { LogLineFilter(lines, context: context) }) { filter, found in
                let block = LogBlock(found, table: table, identities: identities, context: context)
                do throws(QueryError) {
                    try ids?.keep(in: block)
                    try filter?.keep(in: block)
                } catch {
                    guard block.isLeftOut else { throw error }
                    return nil
                }
                return ReadBlock(block: block, made: isLate ? nil : make(block), bound: nil)
            } _: { (read: ReadBlock<Made>) throws(QueryError) -> Bool in
                let block = read.block
                let dictionary = block.resourceDictionary
                let resources: LogDecodedEntries<LogResource>
                if let known = decoded[ObjectIdentifier(dictionary)] {
                    resources = known
                } else {
                    resources = LogDecodedEntries(dictionary) { identities.resource($0) }
                    decoded[ObjectIdentifier(dictionary)] = resources
                }
                block.resources = resources
                do throws(QueryError) {
                    try labels?.keep(in: block)
                    return try body(block, read.made ?? make(block), read.bound)
                } catch {
                    guard block.isLeftOut else { throw error }
                    return true
                }
            }
        }
    }

    /// Hands over rows in the order of the request; equal times in the order of their sources and rows, or, for the newest
    /// first, in the opposite order.
    ///
    /// - Parameter body: answers whether to go on.
    func forEachRow(
        _ body: (LogBlock, Int) throws(QueryError) -> Bool
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
        try forEachBlock { (block, bound) throws(QueryError) -> Bool in
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
}

/// A block on its way from the thread that read it.
private struct ReadBlock<Made>: BoundedResult {
    let block: LogBlock
    let made: Made?
    var bound: Int64?
}
