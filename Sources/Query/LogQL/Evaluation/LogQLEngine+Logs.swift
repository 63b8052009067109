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
        var duplicates = DuplicateFilter(context)
        var request = plan.request(query.range, order: query.direction.scanOrder)
        request.rows = RowPrefilter.filtering(RowProgram(plan.stages, observing: .all), context: context)
        try source.scan(request, context: context) { (entries) throws(QueryError) in
            try context.proceed()
            for entry in entries {
                if let last = result.last, Self.distance(last.timestamp, entry.timestamp) < query.interval { continue }
                guard try duplicates.isNew(entry) else { continue }
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

/// Tells entries that repeat another one of the same time; entries come in order of time.
///
/// Of a time with several entries 128 bits of each are kept, keyed anew in each process: no sender can make two entries look alike.
private struct DuplicateFilter {
    private struct Fingerprint: Hashable {
        let first, second: Int

        init(_ entry: LogEntry) {
            first = Self.hash(entry, 1)
            second = Self.hash(entry, 2)
        }

        private static func hash(_ entry: LogEntry, _ salt: UInt8) -> Int {
            var hasher = Hasher()
            hasher.combine(salt)
            hasher.combine(entry.line)
            hasher.combine(entry.stream)
            hasher.combine(entry.metadata)
            return hasher.finalize()
        }
    }

    private let context: QueryContext
    private var last: LogEntry?
    /// Of the entries of the last one's time, once there are two.
    private var seen: Set<Fingerprint> = []

    /// Bytes to charge for one of them.
    private static let cost = 48

    init(_ context: QueryContext) { self.context = context }

    mutating func isNew(_ entry: LogEntry) throws(QueryError) -> Bool {
        guard let last, last.timestamp == entry.timestamp else {
            last = entry
            if !seen.isEmpty {
                context.release(bytes: seen.count * Self.cost)
                seen = []
            }
            return true
        }
        if seen.isEmpty { try insert(last) }
        return try insert(entry)
    }

    @discardableResult
    private mutating func insert(_ entry: LogEntry) throws(QueryError) -> Bool {
        guard seen.insert(Fingerprint(entry)).inserted else { return false }
        try context.charge(bytes: Self.cost)
        return true
    }
}
