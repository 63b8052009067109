internal import Columns
package import Core
internal import Observability
internal import Parts
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
    private let rules: LogLabelRules

    package init(
        table: LogTable, logs: any SnapshotSource, rules: LogLabelRules = .standard
    ) {
        self.table = table
        self.logs = logs
        self.rules = rules
        identities = LogIdentities(rules)
    }

    package func scan(
        _ request: LogScanRequest, context: QueryContext,
        visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        guard !request.range.isEmpty else { return }
        let texts = LogTexts()
        let rows = try rowScan(request, texts, context)
        let builder = LogEntryBuilder(
            needsLine: request.needsLine,
            names: request.needsMetadata ? LogLabelNames(request.metadataNames) : nil, texts: texts)
        var output = LogEntryBatches(
            countsLines: request.lines.isEmpty && request.needsLine,
            // Whether entries are the same can only be seen in whole ones; who counts gets all of them.
            dropsDuplicates: request.order != .any && request.needsLine && request.needsMetadata
                && request.metadataNames == nil)
        try rows.forEachRow { (block, row) throws(QueryError) -> Bool in
            try output.add(builder.entry(block, row), visit)
        }
        try output.finish(visit)
        context.statistics.bytesDecoded.add(output.lineBytes, ordering: .relaxed)
    }

    package func times(
        _ request: LogScanRequest, context: QueryContext,
        visit: (LogStream, [Timestamp]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        guard !request.range.isEmpty else { return }
        var unordered = request
        unordered.order = .any
        let rows = try rowScan(unordered, LogTexts(), context)
        try rows.forEachBlock(with: { $0.timesByResource() }) { (block, runs, _) throws(QueryError) -> Bool in
            for run in runs {
                guard try visit(block.resource(run.row).stream, run.times) else { return false }
            }
            return true
        }
    }

    private func rowScan(
        _ request: LogScanRequest, _ texts: LogTexts, _ context: QueryContext
    ) throws(QueryError) -> LogRowScan {
        var ids = LogIDHints(request.labelHints, rules: rules, table: table)
        let snapshot = try ids.prune(
            logs.snapshot(context.tenant, in: request.range), identities, context: context)
        return LogRowScan(
            snapshot, table: table, identities: identities, range: request.range,
            order: request.order.ofBlocks,
            filters: selection(request.selector, hints: request.labelHints) + ids.filters
                + LogIndexFilters.make(request.labelHints, table, rules: rules, identities),
            lines: request.lines, ids: ids, labels: LogLabelHints(request.labelHints, texts), context: context)
    }

    /// The rows whose resource the selector accepts, and of the hints those that an index label fails.
    func selection(_ selector: [LabelMatcher], hints: [LabelMatcher] = []) -> [RowFilter] {
        guard !selector.isEmpty || !hints.isEmpty else { return [] }
        let identities = identities
        return [
            .strings(table.resource.ordinal) { bytes in
                let labels = identities.resource(bytes).stream.labels
                guard selector.matches(labels) else { return false }
                return hints.allSatisfy { hint in
                    let value = labels[hint.name]
                    return value.isEmpty || hint.matches(value)
                }
            }
        ]
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
    private var duplicates: LogDuplicates?
    private var entries: [LogEntry] = []
    private var size = 64
    private var goesOn = true
    private(set) var lineBytes = 0

    init(countsLines: Bool, dropsDuplicates: Bool) {
        self.countsLines = countsLines
        duplicates = dropsDuplicates ? LogDuplicates() : nil
    }

    mutating func add(
        _ entry: LogEntry, _ visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool {
        if let isNew = duplicates?.isNew(entry), !isNew { return true }
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
