package import Core
package import QueryModel
package import Scheduling

/// A query for lines.
package struct LogQuery: Sendable {
    package var selector: LogSelector
    package var range: TimeRange
    package var limit: Int
    package var direction: LogDirection
    /// The least distance of the entries answered, in nanoseconds (rule L-6).
    package var interval: Int64

    package init(
        selector: LogSelector, range: TimeRange, limit: Int, direction: LogDirection = .backward, interval: Int64 = 0
    ) {
        self.selector = selector
        self.range = range
        self.limit = limit
        self.direction = direction
        self.interval = interval
    }
}

extension LogQLEngine {
    /// The first `limit` entries in the query's direction over all streams (rule L-13), as they leave the pipeline.
    ///
    /// An entry that equals another in time, line, stream and metadata is answered once.
    package func logs(_ query: LogQuery, context: QueryContext) throws(QueryError) -> [PipelineEntry] {
        guard query.limit > 0, !query.range.isEmpty else { return [] }
        let plan = ScanPlan(logs: query.selector)
        var result: [PipelineEntry] = []
        var duplicates = DuplicateFilter()
        let request = plan.request(query.range, order: query.direction.scanOrder)
        try source.scan(request, context: context) { (entries) throws(QueryError) in
            try context.proceed()
            for entry in entries {
                if let last = result.last, Self.distance(last.timestamp, entry.timestamp) < query.interval { continue }
                guard duplicates.isNew(entry) else { continue }
                var candidate = PipelineEntry(entry)
                guard plan.pipeline.run(&candidate) else { continue }
                try context.charge(bytes: candidate.cost)
                result.append(candidate)
                if result.count == query.limit { return false }
            }
            return true
        }
        return result
    }

    private static func distance(_ left: Timestamp, _ right: Timestamp) -> Int64 {
        let (distance, overflow) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return overflow || distance == .min ? .max : abs(distance)
    }
}

extension PipelineEntry {
    /// Bytes to charge for keeping it.
    fileprivate var cost: Int { 256 + line.utf8.count + 64 * (metadata.count + parsed.count) }
}

/// Tells entries that repeat another one of the same timestamp; entries come in order of time.
private struct DuplicateFilter {
    private struct Key: Hashable {
        var line: String
        var stream: LogStream
        var metadata: [Label]

        init(_ entry: LogEntry) {
            line = entry.line
            stream = entry.stream
            metadata = entry.metadata
        }
    }

    private var timestamp: Timestamp?
    private var first: LogEntry?
    /// Of the timestamp's entries, once there are two.
    private var seen: Set<Key> = []

    mutating func isNew(_ entry: LogEntry) -> Bool {
        guard entry.timestamp == timestamp, let first else {
            timestamp = entry.timestamp
            self.first = entry
            seen.removeAll(keepingCapacity: true)
            return true
        }
        if seen.isEmpty { seen.insert(Key(first)) }
        return seen.insert(Key(entry)).inserted
    }
}
