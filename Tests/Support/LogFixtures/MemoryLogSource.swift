package import Core
import Observability
import Pattern
package import QueryModel
package import Scheduling
import Synchronization

/// Log entries in memory, handed over as the protocol allows a source to do at its worst.
///
/// What a request does not ask for is not handed over, and entries that it tells will be dropped are dropped: so an evaluator that
/// asks for too little, or tells the wrong entries, gives wrong answers over this source.
package final class MemoryLogSource: LogSource {
    private let entries: [LogEntry]
    private let batchSize: Int
    private let requests = Mutex<[LogScanRequest]>([])
    private let handedOver = Mutex(0)

    /// - Parameter entries: in order of ingestion, which decides between equal times.
    package init(_ entries: [LogEntry], batchSize: Int = 7) {
        self.entries = entries.enumerated()
            .sorted { ($0.element.timestamp, $0.offset) < ($1.element.timestamp, $1.offset) }
            .map(\.element)
        self.batchSize = batchSize
    }

    /// Every scan so far.
    package var scans: [LogScanRequest] { requests.withLock { $0 } }

    /// How many entries scans have handed over, to see that a query stops early.
    package var handedOverCount: Int { handedOver.withLock { $0 } }

    package func scan(
        _ request: LogScanRequest, context: QueryContext, visit: ([LogEntry]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        requests.withLock { $0.append(request) }
        var found = entries.filter { accepts($0, request) }
        if let filtering = request.rows {
            let kept = try filtering.make().kept(LogRows(found, filtering.needs, firstRow: 0))
            found = kept.map { found[Int($0)] }
        }
        // A source in no particular order is tested with the least convenient one.
        if request.order != .oldestFirst { found.reverse() }
        for index in found.indices {
            if !request.needsMetadata { found[index].metadata = [] }
            if let names = request.metadataNames { found[index].metadata.removeAll { !names.contains($0.name) } }
            if !request.needsLine { found[index].line = "" }
        }
        var position = 0
        while position < found.count {
            let batch = Array(found[position..<min(position + batchSize, found.count)])
            position += batch.count
            handedOver.withLock { $0 += batch.count }
            context.statistics.rowsRead.add(batch.count, ordering: .relaxed)
            context.statistics.bytesDecoded.add(batch.reduce(0) { $0 + $1.line.utf8.count }, ordering: .relaxed)
            guard try visit(batch) else { return }
        }
    }

    private func accepts(_ entry: LogEntry, _ request: LogScanRequest) -> Bool {
        let labels = Labels(entry.metadata + entry.stream.labels.pairs)
        return request.range.contains(entry.timestamp) && request.selector.matches(entry.stream.labels)
            && request.labels.matches(labels) && request.lines.allSatisfy { Self.accepts(entry.line, $0) }
    }

    private static func accepts(_ line: String, _ predicate: LinePredicate) -> Bool {
        switch predicate {
        case .contains(let texts): texts.contains { contains(line, $0) }
        case .lacks(let texts): !texts.contains { contains(line, $0) }
        case .matches(let patterns): patterns.contains { $0.matches(line) }
        case .mismatches(let patterns): !patterns.contains { $0.matches(line) }
        }
    }

    private static func contains(_ line: String, _ text: String) -> Bool {
        let (bytes, needle) = (Array(line.utf8), Array(text.utf8))
        guard bytes.count >= needle.count else { return false }
        return (0...bytes.count - needle.count).contains { bytes[$0..<$0 + needle.count].elementsEqual(needle) }
    }

    package func streams(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] {
        var found: Set<Labels> = []
        for entry in entries where range.contains(entry.timestamp) {
            let labels = entry.stream.labels
            if selectors.isEmpty || selectors.contains(where: { $0.matches(labels) }) { found.insert(labels) }
        }
        return Array(found)
    }
}
