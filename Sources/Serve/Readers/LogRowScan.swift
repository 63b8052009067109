internal import Columns
internal import Core
internal import Parts
internal import QueryModel
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
    private let lines: LogLineFilter?
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
        self.lines = LogLineFilter(lines, context: context)
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
        var scan = Scan(snapshot, request, context: context)
        var decoded: [ObjectIdentifier: LogDecodedEntries<LogResource>] = [:]
        try SourceErrors.mapping {
            try scan.run { (found: ScanBlock) throws(QueryError) -> Bool in
                let dictionary = found.batch[table.resource].dictionary
                let resources: LogDecodedEntries<LogResource>
                if let known = decoded[ObjectIdentifier(dictionary)] {
                    resources = known
                } else {
                    let identities = identities
                    resources = LogDecodedEntries(dictionary) { identities.resource($0) }
                    decoded[ObjectIdentifier(dictionary)] = resources
                }
                let block = LogBlock(
                    found, table: table, resources: resources, identities: identities,
                    context: context)
                try ids?.keep(in: block)
                try lines?.keep(in: block)
                try labels?.keep(in: block)
                return try body(block, found.bound)
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
                goesOn = try body(next.block, next.row)
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
