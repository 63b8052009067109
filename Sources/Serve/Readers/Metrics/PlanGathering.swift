internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// The rows of one stream that a plan wants, in the order in which they were stored: runs of rows of blocks, and single rows of
/// memtables.
struct PlanRuns {
    struct Run {
        let rows: PlanRows
        /// Of a block.
        let range: Range<Int>
        /// Of a memtable: which rows; `range` counts in it then.
        let order: [UInt32]?

        @inline(__always)
        func row(_ i: Int) -> Int { order.map { Int($0[i]) } ?? i }
    }

    private(set) var runs: [Run] = []

    mutating func removeAll() { runs.removeAll(keepingCapacity: true) }

    /// Appends those rows of a block, which ascend in time, that lie between two times in milliseconds.
    mutating func append(_ rows: PlanRows, _ range: Range<Int>, from start: Int64, through end: Int64) {
        let first = SampleLoader.partition(range, rows.timestamps) { $0 >= start }
        let last = SampleLoader.partition(first..<range.upperBound, rows.timestamps) { $0 > end }
        if first < last { runs.append(Run(rows: rows, range: first..<last, order: nil)) }
    }

    /// Appends those rows of a memtable that lie between two times in milliseconds.
    mutating func append(
        _ rows: PlanRows, _ range: Range<Int>, of order: [UInt32], from start: Int64, through end: Int64
    ) {
        let kept = order[range].filter { (start...end).contains(rows.timestamp(Int($0))) }
        if !kept.isEmpty { runs.append(Run(rows: rows, range: 0..<kept.count, order: kept)) }
    }
}

/// The samples of one series, which are those of a run where there is only one, and else copied together.
struct PlanSamples {
    private(set) var timestamps: [Int64] = []
    private(set) var values: [Double] = []
    /// Of histograms: all observations.
    private(set) var totals: [Int64] = []

    mutating func removeAll() {
        timestamps.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        totals.removeAll(keepingCapacity: true)
    }

    static func ascend(_ timestamps: Span<Int64>) -> Bool {
        // Without a branch: a difference below one is negative, less one.
        var signs: Int64 = 0
        for i in 1..<max(timestamps.count, 1) { signs |= timestamps[i] &- timestamps[i &- 1] &- 1 }
        return signs >= 0
    }

    // MARK: Numbers

    /// Stale points become markers; those without a value are left out.
    mutating func append(numbers run: PlanRuns.Run) {
        let points = run.rows.points
        if run.order == nil, points.flags == nil, points.types == nil {
            timestamps.append(contentsOf: run.rows.timestamps[run.range])
            values.append(contentsOf: points.values[run.range])
            return
        }
        for i in run.range {
            let row = run.row(i)
            let isStale = points.isStale(row)
            if !isStale, let types = points.types, types[row] == MetricTable.ValueType.none { continue }
            timestamps.append(run.rows.timestamp(row))
            values.append(isStale ? Staleness.marker : points.values[row])
        }
    }

    /// The counts or sums of a histogram's points.
    ///
    /// - Returns: false if a point is stale, or has none.
    mutating func append(_ role: SampleRoles, ofHistogram run: PlanRuns.Run) -> Bool {
        guard let distribution = run.rows.points.distribution else { return false }
        for i in run.range {
            let row = run.row(i)
            guard !run.rows.points.isStale(row), let inner = distribution.inner(row) else { return false }
            if role == .count {
                values.append(NativeHistogram.count(distribution.counts[inner]))
            } else if let sum = distribution.sum(inner) {
                values.append(sum)
            } else {
                continue
            }
            timestamps.append(run.rows.timestamp(row))
        }
        return true
    }

    // MARK: Buckets

    /// A run of a histogram's points of one layout.
    struct Buckets {
        /// The first of its points, all of which follow each other, in the distribution.
        let first: Int
        let bounds: BucketBounds
    }

    /// What all points of a run have in common; nil if one is stale, has no value, or buckets of its own.
    static func buckets(_ run: PlanRuns.Run, _ directory: SeriesDirectory) -> Buckets? {
        let points = run.rows.points
        guard let distribution = points.distribution, let column = distribution.bounds,
            let buckets = distribution.buckets, case .integers = buckets.elements,
            let first = distribution.inner(run.row(run.range.lowerBound))
        else { return nil }
        let code = column.codes[first]
        let bounds = directory.bounds(column.dictionary.span(Int(code)))
        let width = bounds.bounds.count + 1
        let offsets = buckets.offsets
        for i in run.range {
            let row = run.row(i)
            guard !points.isStale(row), let inner = distribution.inner(row), column.codes[inner] == code else {
                return nil
            }
            if run.order == nil, inner - first != i - run.range.lowerBound { return nil }
            let length = Int(offsets[inner + 1]) - Int(offsets[inner])
            guard length == width || width == 1 && length == 0 else { return nil }
        }
        return Buckets(first: first, bounds: bounds)
    }

    /// Appends a run of a histogram's points but for the counts of their buckets, which are answered: of rows that follow each other
    /// as they lie in memory, of others copied.
    mutating func append(buckets run: PlanRuns.Run, _ first: Int) -> Buffer<Int64> {
        guard let distribution = run.rows.points.distribution, let buckets = distribution.buckets,
            case .integers(let elements) = buckets.elements
        else { return .empty }
        guard let order = run.order else {
            let points = first..<(first + run.range.count)
            timestamps.append(contentsOf: run.rows.timestamps[run.range])
            totals.append(contentsOf: distribution.counts[points])
            return elements[Int(buckets.offsets[points.lowerBound])..<Int(buckets.offsets[points.upperBound])]
        }
        var counts: [Int64] = []
        for row in order[run.range] {
            guard let inner = distribution.inner(Int(row)) else { continue }
            timestamps.append(run.rows.timestamp(Int(row)))
            totals.append(distribution.counts[inner])
            counts.append(contentsOf: elements[buckets.range(inner)])
        }
        return Buffer(counts)
    }
}
