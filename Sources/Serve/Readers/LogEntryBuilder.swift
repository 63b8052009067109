internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// Makes Loki's entries of rows (rules M-4 to M-6).
struct LogEntryBuilder {
    let table: LogTable
    let needsLine: Bool
    let needsMetadata: Bool

    func entry(_ block: LogBlock, _ row: Int) throws(QueryError) -> LogEntry {
        LogEntry(
            timestamp: Timestamp(nanoseconds: block.times[row]), stream: block.resource(row).stream,
            line: needsLine ? try block.line(row) : "",
            metadata: needsMetadata ? try metadata(block, row) : [])
    }

    /// The structured metadata of a row: its fields come before its attributes, and those before the scope's and the
    /// resource's. A name that an index label has is not told twice.
    private func metadata(_ block: LogBlock, _ row: Int) throws(QueryError) -> [Label] {
        let resource = block.resource(row)
        var labels = try fields(block, row)
        LogLabelName.flatten(try block[table.attributes].attributes(row), into: &labels)
        labels += try block.scope(row).metadata
        labels += resource.metadata
        var unique = LogLabelName.unique(labels)
        let index = resource.stream.labels
        unique.removeAll { !index[$0.name].isEmpty }
        let place = unique.firstIndex { $0.name >= LogLevel.label } ?? unique.endIndex
        if place < unique.endIndex, unique[place].name == LogLevel.label {
            unique[place].value = LogLevel.normalized(unique[place].value)
        } else if index[LogLevel.label].isEmpty {
            unique.insert(Label(LogLevel.label, try level(block, row, unique)), at: place)
        }
        return unique
    }

    private func fields(_ block: LogBlock, _ row: Int) throws(QueryError) -> [Label] {
        var labels: [Label] = []
        labels.reserveCapacity(32)
        func add(_ name: String, _ text: String) {
            if !text.isEmpty { labels.append(Label(name, text)) }
        }
        func add(_ name: String, _ number: Int64) {
            if number != 0 { labels.append(Label(name, String(number))) }
        }
        let delay = try block[table.observedDelay][row]
        if delay != LogTable.notObserved, try block[table.timeSource][row] == LogTable.TimeSource.record {
            add("observed_timestamp", String(block.times[row] &+ delay))
        }
        add("severity_number", try block[table.severityNumber][row])
        add("severity_text", try block[table.severityText].string(row))
        add("dropped_attributes_count", try block[table.droppedAttributes][row])
        add("flags", try block[table.flags][row])
        let trace = try block[table.traceID].traceID(row)
        if !trace.isZero { add("trace_id", trace.hex) }
        let span = try block[table.spanID].spanID(row)
        if !span.isZero { add("span_id", span.hex) }
        add("event_name", try block[table.eventName].string(row))
        return labels
    }

    private func level(
        _ block: LogBlock, _ row: Int, _ metadata: [Label]
    ) throws(QueryError) -> String {
        if let level = block.resource(row).level ?? LogLevel.ofLabels(metadata) { return level }
        if let level = LogLevel.ofSeverity(try block[table.severityNumber][row]) { return level }
        var line = try block.line(row)
        return line.withUTF8 { LogLevel.ofLine(UnsafeRawBufferPointer($0)) }
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

    /// Beyond that many of one moment only neighbours are compared.
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
