internal import Core
internal import QueryModel

/// Makes Loki's entries of rows.
struct LogEntryBuilder {
    let needsLine: Bool
    /// Nil if no metadata is needed.
    let names: LogLabelNames?
    let texts: LogTexts

    func entry(_ block: LogBlock, _ row: Int) throws(QueryError) -> LogEntry {
        LogEntry(
            timestamp: Timestamp(nanoseconds: block.times[row]), stream: block.resource(row).stream,
            line: needsLine ? try block.line(row) : "", metadata: try metadata(block, row))
    }

    private func metadata(_ block: LogBlock, _ row: Int) throws(QueryError) -> [Label] {
        guard let names else { return [] }
        if let labels = block.labels { return try labels.labels(block, row) }
        let labels = try LogBlockLabels(block, names, texts)
        block.labels = labels
        return try labels.labels(block, row)
    }
}

/// Tells entries that an answer has already (rule L-13): of equal time, stream, line and metadata.
struct LogDuplicates {
    private struct Key: Hashable {
        let stream: LogStream
        let line: String
        let metadata: [Label]

        init(_ entry: LogEntry) {
            stream = entry.stream
            line = entry.line
            metadata = entry.metadata
        }
    }

    /// Beyond that many of one timestamp only neighbours are compared.
    private static let limit = 4096

    private var last: LogEntry?
    private var seen: Set<Key> = []

    /// - Parameter entry: not before, or in a backward answer not after, the one asked about before.
    mutating func isNew(_ entry: LogEntry) -> Bool {
        guard let last, last.timestamp == entry.timestamp else {
            last = entry
            if !seen.isEmpty { seen = [] }
            return true
        }
        if seen.isEmpty { seen.insert(Key(last)) }
        if seen.count >= Self.limit { seen = [Key(last)] }
        self.last = entry
        return seen.insert(Key(entry)).inserted
    }
}
