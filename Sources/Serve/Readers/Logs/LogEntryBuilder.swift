internal import Core
internal import QueryModel
internal import Scheduling
internal import Telemetry

/// Makes Loki's entries of rows.
struct LogEntryBuilder {
    let needsLine: Bool
    /// Nil if no metadata is needed.
    let names: LogLabelNames?
    let texts: LogTexts

    init(needsLine: Bool, names: LogLabelNames?, texts: LogTexts) {
        self.needsLine = needsLine
        self.names = names
        self.texts = texts
    }

    init(_ request: LogScanRequest, _ texts: LogTexts) {
        self.init(
            needsLine: request.needsLine, names: request.needsMetadata ? LogLabelNames(request.metadataNames) : nil,
            texts: texts)
    }

    func entry(_ block: LogBlock, _ row: Int) throws(QueryError) -> LogEntry {
        LogEntry(
            timestamp: Timestamp(nanoseconds: block.times[row]), stream: block.resource(row).stream,
            line: needsLine ? try block.line(row) : "", metadata: try metadata(block, row))
    }

    /// Reads all that entries of the block can need, so that none fails later.
    func prepare(_ block: LogBlock) throws(QueryError) {
        if needsLine || names?.wantsLevel == true {
            _ = try block[block.table.body]
            _ = try block.bodyTypes()
        }
        guard let names else { return }
        if names.wantsLevel { _ = try block[block.table.severityNumber] }
        if block.labels == nil { block.labels = try LogBlockLabels(block, names, texts) }
    }

    private func metadata(_ block: LogBlock, _ row: Int) throws(QueryError) -> [Label] {
        guard let names else { return [] }
        if let labels = block.labels { return try labels.labels(block, row) }
        let labels = try LogBlockLabels(block, names, texts)
        block.labels = labels
        return try labels.labels(block, row)
    }
}
