internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Plans
package import QueryModel
package import Scheduling
package import Storage
private import Synchronization
internal import TableSchema
package import Telemetry

/// Log records in Loki's model (rules M-2 to M-7) and as they were sent, read from `otel_logs`.
package struct LogReader: LogSource {
    let table: LogTable
    let logs: any SnapshotSource
    let identities: LogIdentities
    private let lookalikes: LogIDLookalikes
    let rules: LogLabelRules
    /// Nil: everything is answered from records.
    let counts: LogCountsView?

    package init(
        table: LogTable, logs: any SnapshotSource, rules: LogLabelRules = .standard, counts: LogCountsView? = nil
    ) {
        self.table = table
        self.logs = logs
        self.rules = rules
        self.counts = counts
        identities = LogIdentities(rules)
        lookalikes = LogIDLookalikes(identities)
    }

    package func scan(
        _ request: LogScanRequest, context: QueryContext,
        visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        guard !request.range.isEmpty else { return }
        let builder = LogEntryBuilder(request, LogTexts(context))
        var output = LogEntryBatches(countsLines: request.lines.isEmpty && request.needsLine)
        try rowScan(request, context).forEachRow(entries: request) { (block, row) throws(QueryError) -> Bool in
            try output.add(builder.entry(block, row), visit)
        }
        try output.finish(visit)
        context.statistics.bytesDecoded.add(output.lineBytes, ordering: .relaxed)
    }

    package func aggregate<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext,
        state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State {
        guard !request.range.isEmpty else { return state() }
        var unordered = request
        unordered.order = .any
        if let total = try counted(unordered, needs, context: context, state: state) { return total }
        return try rowScan(unordered, context).aggregate(needs, request, state)
    }

    private func rowScan(_ request: LogScanRequest, _ context: QueryContext) throws(QueryError) -> LogRowScan {
        try rowScan(request, logs.snapshot(context.tenant, in: request.range), context)
    }

    func rowScan(
        _ request: LogScanRequest, _ snapshot: TableSnapshot, _ context: QueryContext
    ) throws(QueryError) -> LogRowScan {
        var ids = LogIDHints(request.labels, rules: rules, table: table, lookalikes)
        let snapshot = try ids.prune(snapshot, context: context)
        return try LogRowScan(
            snapshot, of: self, range: request.range, order: request.order.ofBlocks,
            predicate: .every([
                predicates.streams(request.selector, labels: request.labels, resource: table.resource.id),
                ids.predicate, predicates.labels(request.labels),
            ]),
            .init(
                lines: request.lines, ids: ids, labels: request.labels, rows: request.rows, isSearch: !ids.isEmpty),
            context: context)
    }

    var predicates: LogPredicates { LogPredicates(table: table, rules: rules) }
    var functions: LogScanFunctions { LogScanFunctions(identities: identities) }
}

extension BlockOrder {
    var ofRows: Projection.Order {
        switch self {
        case .oldestFirst: .oldestFirst
        case .newestFirst: .newestFirst
        case .any: .any
        }
    }
}

extension ScanOrder {
    var ofBlocks: BlockOrder {
        switch self {
        case .oldestFirst: .oldestFirst
        case .newestFirst: .newestFirst
        case .any: .any
        }
    }
}

/// Gathers entries into batches: small ones first, since most readers want few entries.
private struct LogEntryBatches {
    private static let limit = 1024

    private let countsLines: Bool
    private var entries: [LogEntry] = []
    private var size = 64
    private var goesOn = true
    private(set) var lineBytes = 0

    init(countsLines: Bool) { self.countsLines = countsLines }

    mutating func add(
        _ entry: LogEntry, _ visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool {
        if countsLines { lineBytes += entry.line.utf8.count }
        entries.append(entry)
        if entries.count >= size {
            try flush(visit)
            size = min(2 * size, Self.limit)
        }
        return goesOn
    }

    mutating func finish(_ visit: ([LogEntry]) throws(QueryError) -> Bool) throws(QueryError) {
        if goesOn, !entries.isEmpty { try flush(visit) }
    }

    private mutating func flush(_ visit: ([LogEntry]) throws(QueryError) -> Bool) throws(QueryError) {
        goesOn = try visit(entries)
        entries.removeAll(keepingCapacity: true)
    }
}
