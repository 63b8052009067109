import Core
import Pattern
import QueryModel
import Scheduling

@testable import Readers

/// What an answer holds of an entry, comparable.
struct PlainEntry: Hashable, Comparable, CustomStringConvertible {
    var time: Int64
    var stream: [Label]
    var line: String
    var metadata: [Label]

    init(_ entry: LogEntry) {
        time = entry.timestamp.nanoseconds
        stream = entry.stream.labels.pairs
        line = entry.line
        metadata = entry.metadata
    }

    init(time: Int64, stream: [Label], line: String, metadata: [Label]) {
        self.time = time
        self.stream = stream
        self.line = line
        self.metadata = metadata
    }

    var description: String {
        "\(time) \(stream.map { "\($0.name)=\($0.value)" }) \(line) \(metadata.map { "\($0.name)=\($0.value)" })"
    }

    static func < (left: PlainEntry, right: PlainEntry) -> Bool {
        (left.time, left.description) < (right.time, right.description)
    }
}

/// Answers log queries from the records themselves, one by one: rules M-2 to M-7 spelled out once more, without regard to speed.
struct LogTwin {
    var records: [SentLog] = []
    var received: Int64 = 1

    func entries(_ request: LogScanRequest) -> [PlainEntry] {
        records.map(entry).filter { entry in
            request.range.contains(Timestamp(nanoseconds: entry.time))
                && request.selector.matches(Labels(sorted: entry.stream))
                && request.lines.allSatisfy { Self.accepts($0, entry.line) }
                && request.labels.allSatisfy { $0.matches(Self.value(of: $0.name, entry)) }
        }
    }

    static func value(of name: String, _ entry: PlainEntry) -> String {
        (entry.stream + entry.metadata).first { $0.name == name }?.value ?? ""
    }

    static func accepts(_ predicate: LinePredicate, _ line: String) -> Bool {
        // Bytes are compared, as a line filter does.
        func contains(_ text: String) -> Bool {
            let line = Array(line.utf8)
            let text = Array(text.utf8)
            return text.isEmpty
                || line.indices.contains {
                    line.count - $0 >= text.count && Array(line[$0..<($0 + text.count)]) == text
                }
        }
        return switch predicate {
        case .contains(let texts): texts.contains(where: contains)
        case .lacks(let texts): !texts.contains(where: contains)
        case .matches(let patterns): patterns.contains { $0.matches(line) }
        case .mismatches(let patterns): !patterns.contains { $0.matches(line) }
        }
    }

    func entry(_ record: SentLog) -> PlainEntry {
        let time = record.time != 0 ? record.time : record.observed != 0 ? record.observed : received
        let line = record.body?.text ?? ""
        let stream = LogLabelRules.standard.indexLabels(ofResource: record.resource)
        let indexed = [
            "service.name", "service.namespace", "service.instance.id", "k8s.pod.name", "container.name",
            "k8s.job.name",
        ]
        var metadata: [String: String] = [:]
        func add(_ name: String, _ value: String) {
            if !name.isEmpty, !value.isEmpty, metadata[name] == nil { metadata[name] = value }
        }
        func add(_ attributes: [Attribute], path: [String] = []) {
            for attribute in attributes {
                let path = path + [attribute.key]
                if case .map(let members) = attribute.value {
                    add(members, path: path)
                } else {
                    add(LogLabelName.sanitized(path.joined(separator: "_")), attribute.value.text)
                }
            }
        }
        func add(_ name: String, _ number: some BinaryInteger) { if number != 0 { add(name, String(number)) } }
        add("trace_id", record.traceID.isZero ? "" : record.traceID.hex)
        add("span_id", record.spanID.isZero ? "" : record.spanID.hex)
        add("event_name", record.eventName)
        add("severity_text", record.severityText)
        add("severity_number", record.severityNumber)
        add("flags", record.flags)
        add("dropped_attributes_count", record.dropped)
        if record.time != 0 { add("observed_timestamp", record.observed) }
        add(record.attributes)
        add("scope_name", record.scopeName)
        add("scope_version", record.scopeVersion)
        add("scope_dropped_attributes_count", record.scopeDropped)
        add(record.scopeAttributes)
        add(record.resource.filter { !indexed.contains($0.key) })
        for label in stream.pairs { metadata[label.name] = nil }
        metadata["detected_level"] = level(record, stream, metadata, line)
        return PlainEntry(
            time: time, stream: stream.pairs, line: line,
            metadata: metadata.map { Label($0.key, $0.value) }.sorted())
    }

    private func level(
        _ record: SentLog, _ stream: Labels, _ metadata: [String: String], _ line: String
    ) -> String {
        if let sent = metadata["detected_level"] { return LogLevel.normalized(sent) }
        for name in ["level", "LEVEL", "Level", "log_level", "severity", "lvl", "severity_text"] {
            if let value = metadata[name] { return LogLevel.normalized(value) }
        }
        if (1...24).contains(record.severityNumber) {
            return ["trace", "debug", "info", "warn", "error", "fatal"][(Int(record.severityNumber) - 1) / 4]
        }
        return LogLevel.ofLine(line.utf8Span.span)
    }
}

/// Collects rows as they are, with the values of some labels.
struct CollectedRows: LogRowAggregate {
    struct Row: Hashable {
        var time: Int64
        var labels: [String]
        var line: String
    }

    var rows: [Row] = []

    mutating func add(_ block: borrowing LogRows) throws(QueryError) {
        for row in block.rows {
            var labels: [String] = []
            for column in block.labels {
                labels.append(
                    column?.withBytes(code: Int(column?.codes[Int(row)] ?? 0)) { String(repairing: $0) } ?? "")
            }
            var line = ""
            if let lines = block.lines {
                line = lines.withBytes(code: Int(lines.codes[Int(row)])) { String(repairing: $0) }
            }
            rows.append(Row(time: block.times[Int(row)], labels: labels, line: line))
        }
    }

    mutating func merge(_ other: consuming CollectedRows) throws(QueryError) { rows += other.rows }
}

extension LogTestStore {
    func rows(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext = QueryContext(tenant: .default)
    ) throws -> CollectedRows {
        try reader.aggregate(request, needs, context: context) { CollectedRows() }
    }

    func entries(_ request: LogScanRequest, context: QueryContext = QueryContext(tenant: .default)) throws -> [LogEntry]
    {
        var result: [LogEntry] = []
        try reader.scan(request, context: context) { (entries) throws(QueryError) -> Bool in
            precondition(!entries.isEmpty && entries.count <= 1024)
            result += entries
            return true
        }
        return result
    }
}
