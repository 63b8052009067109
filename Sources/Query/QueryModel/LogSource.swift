package import Core
package import Pattern
package import Scheduling

/// A log entry as Loki sees it (rules M-2 to M-6).
package struct LogEntry: Sendable {
    package var timestamp: Timestamp
    /// Index labels only.
    package var stream: LogStream
    package var line: String
    /// Structured metadata, sorted by name, unique, with `detected_level`; empty if the scan did not ask for it.
    package var metadata: [Label]

    package init(timestamp: Timestamp, stream: LogStream, line: String, metadata: [Label]) {
        self.timestamp = timestamp
        self.stream = stream
        self.line = line
        self.metadata = metadata
    }
}

/// A stream: one object per distinct set of index labels in a query, so that it may be compared by identity first.
package final class LogStream: Sendable, Hashable {
    package let labels: Labels

    package init(labels: Labels) { self.labels = labels }

    package static func == (left: LogStream, right: LogStream) -> Bool {
        left === right || left.labels == right.labels
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(labels) }
}

/// A condition on a line that a source may apply early.
package enum LinePredicate: Sendable {
    /// The line holds at least one of the texts.
    case contains(anyOf: [String])
    /// The line holds none of the texts.
    case lacks(allOf: [String])
    /// At least one of the patterns is found in the line.
    case matches(anyOf: [Pattern])
    case mismatches(allOf: [Pattern])
}

package enum ScanOrder: Sendable { case oldestFirst, newestFirst, any }

/// What a log query reads.
package struct LogScanRequest: Sendable {
    /// All of them accept the index labels.
    package var selector: [LabelMatcher]
    /// All of them accept the line. Sources apply every one of them.
    package var lines: [LinePredicate]
    /// All of them accept the label of that name, of the index labels or else of the structured metadata. Sources apply every one
    /// of them.
    package var labels: [LabelMatcher]
    /// Tells rows that will be dropped. A source MAY leave these out, and MAY hand them over.
    package var rows: LogRowFiltering?
    package var range: TimeRange
    package var order: ScanOrder
    /// Whether `LogEntry.metadata` is needed.
    package var needsMetadata: Bool
    /// Which labels of the metadata are needed; nil means all. Entries may have others.
    package var metadataNames: Set<String>?
    /// Whether `LogEntry.line` is needed.
    package var needsLine: Bool

    package init(
        selector: [LabelMatcher], lines: [LinePredicate] = [], labels: [LabelMatcher] = [],
        range: TimeRange, order: ScanOrder, needsMetadata: Bool = true, metadataNames: Set<String>? = nil,
        needsLine: Bool = true
    ) {
        self.selector = selector
        self.lines = lines
        self.labels = labels
        self.range = range
        self.order = order
        self.needsMetadata = needsMetadata
        self.metadataNames = metadataNames
        self.needsLine = needsLine
    }
}

/// Where LogQL reads.
package protocol LogSource: Sendable {
    /// Hands over entries in batches, in the order asked for over all batches; equal times keep a stable order (L-13).
    ///
    /// - Parameter visit: answers whether to go on.
    func scan(
        _ request: LogScanRequest, context: QueryContext,
        visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError)

    /// The index labels of every stream that has an entry near `range` and that one of the selectors (or none given) accepts.
    func streams(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels]

    /// Adds up what passes, block by block, in as many states as threads work, and answers what all of them amount to.
    ///
    /// Has a default that makes every entry, in one thread and in the order asked for; a source that has columns should do better,
    /// and then need not keep the order.
    func aggregate<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext,
        state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State

    /// How much each stream that the selector accepts holds in `range`. Streams without entries are left out.
    ///
    /// Has a default that reads every entry; a source that keeps sums or lengths apart from the lines should do better.
    func volumes(
        matching selector: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [LogVolume]
}

/// How much of a stream lies in a time range.
package struct LogVolume: Sendable {
    package var stream: LogStream
    package var entries: Int
    /// Of the lines, in UTF-8.
    package var bytes: Int

    package init(stream: LogStream, entries: Int = 0, bytes: Int = 0) {
        self.stream = stream
        self.entries = entries
        self.bytes = bytes
    }
}

extension LogSource {
    package func aggregate<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext,
        state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State {
        var result = state()
        var count = 0
        try scan(request, context: context) { (entries) throws(QueryError) in
            try result.add(LogRows(entries, needs, firstRow: count))
            count += entries.count
            return true
        }
        return result
    }

    package func volumes(
        matching selector: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [LogVolume] {
        var volumes: [LogVolume] = []
        var slots: [LogStream: Int] = [:]
        let request = LogScanRequest(selector: selector, range: range, order: .any, needsMetadata: false)
        try scan(request, context: context) { (entries) throws(QueryError) in
            for entry in entries {
                let slot = slots[entry.stream] ?? volumes.count
                if slot == volumes.count {
                    volumes.append(LogVolume(stream: entry.stream))
                    slots[entry.stream] = slot
                }
                volumes[slot].entries += 1
                volumes[slot].bytes += entry.line.utf8.count
            }
            return true
        }
        return volumes
    }
}
