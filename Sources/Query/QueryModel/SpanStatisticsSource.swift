package import Core
package import Scheduling

/// Which spans are counted and measured, and in which groups.
package struct SpanStatisticsQuery: Hashable, Sendable {
    /// What makes groups beside the service.
    package struct Grouping: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let operation = Grouping(rawValue: 1)
        package static let kind = Grouping(rawValue: 2)
    }

    /// Names as they are stored, so that the empty one is that of resources without a name; empty means all.
    package var services: Set<String>
    package var operation: String?
    /// OTLP's `SpanKind`; empty means all.
    package var kinds: Set<Int32>
    package var grouping: Grouping
    /// A span belongs to it if its start does.
    package var range: TimeRange
    /// Nanoseconds, positive; steps count from the start of the range. Nil: the range as a whole.
    package var step: Int64?
    package var table: TableChoice
    /// Whether durations are measured; without them only calls and errors are counted.
    package var wantsDurations: Bool

    package init(
        services: Set<String> = [], operation: String? = nil, kinds: Set<Int32> = [], grouping: Grouping = [],
        range: TimeRange, step: Int64? = nil, table: TableChoice = .automatic, wantsDurations: Bool = true
    ) {
        self.services = services
        self.operation = operation
        self.kinds = kinds
        self.grouping = grouping
        self.range = range
        self.step = step
        self.table = table
        self.wantsDurations = wantsDurations
    }

    /// The number of the step that a timestamp of the range falls into.
    package func step(of time: Timestamp) -> Int {
        guard let step else { return 0 }
        let (distance, overflow) = time.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        return overflow ? Int(clamping: UInt64(bitPattern: distance) / UInt64(step)) : Int(distance / step)
    }
}

/// What is known of a number of spans. The duration of one that ends before it starts is 0, as everywhere that durations are shown
/// (rule J-18).
package struct SpanMeasures: Hashable, Sendable {
    package var calls: Int
    /// Those whose status is an error.
    package var errors: Int
    /// Nanoseconds. It holds more than any number of spans that fits 64 bits can add up to.
    package var durationSum: Int128
    /// Greater than `durationMax` if no duration was measured.
    package var durationMin: Int64
    package var durationMax: Int64
    package var durations: ExponentialHistogram

    package init(
        calls: Int = 0, errors: Int = 0, durationSum: Int128 = 0, durationMin: Int64 = .max,
        durationMax: Int64 = .min, durations: ExponentialHistogram = ExponentialHistogram()
    ) {
        self.calls = calls
        self.errors = errors
        self.durationSum = durationSum
        self.durationMin = durationMin
        self.durationMax = durationMax
        self.durations = durations
    }

    /// One more span.
    package mutating func add(isError: Bool) {
        calls += 1
        errors += isError ? 1 : 0
    }

    /// The duration of a span that was added.
    ///
    /// - Parameter stored: end minus start.
    package mutating func add(duration stored: Int64) {
        let duration = max(0, stored)
        durationSum += Int128(duration)
        durationMin = min(durationMin, duration)
        durationMax = max(durationMax, duration)
        durations.insert(duration)
    }

    package mutating func merge(_ other: SpanMeasures) {
        calls += other.calls
        errors += other.errors
        durationSum += other.durationSum
        durationMin = min(durationMin, other.durationMin)
        durationMax = max(durationMax, other.durationMax)
        durations.merge(other.durations)
    }
}

/// The answer to a `SpanStatisticsQuery`.
package struct SpanStatistics: Hashable, Sendable {
    package struct Row: Hashable, Sendable {
        /// As stored; empty if the resource names none.
        package var service: String
        /// Empty unless operations make groups.
        package var operation: String
        /// Zero unless kinds make groups.
        package var kind: Int32
        /// The number of the step, from the start of the range on.
        package var step: Int
        package var measures: SpanMeasures

        package init(service: String, operation: String = "", kind: Int32 = 0, step: Int = 0, measures: SpanMeasures) {
            self.service = service
            self.operation = operation
            self.kind = kind
            self.step = step
            self.measures = measures
        }

        /// About how many bytes it takes in memory.
        var footprint: Int { MemoryLayout<Row>.stride + 8 * measures.durations.counts.count + 32 }
    }

    /// Groups and steps without spans are left out; sorted by service, operation, kind and step.
    package var rows: [Row]
    package var tables: [AnsweringTable]

    package init(rows: [Row], tables: [AnsweringTable]) {
        self.rows = rows.sorted {
            ($0.service, $0.operation, $0.kind, $0.step) < ($1.service, $1.operation, $1.kind, $1.step)
        }
        self.tables = tables
    }

    /// About how many bytes the rows take in memory.
    package var footprint: Int {
        rows.reduce(0) { $0 + $1.footprint }
    }
}

/// Where spans are counted and measured: every stored row counts, one that was sent twice too. What an answer lacks is told by
/// the query's warnings (`QueryContext.statistics`).
package protocol SpanStatisticsSource: Sendable {
    func spanStatistics(_ query: SpanStatisticsQuery, context: QueryContext) throws(QueryError) -> SpanStatistics
}
