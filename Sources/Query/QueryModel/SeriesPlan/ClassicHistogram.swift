package import Core

/// The series of an explicit histogram's buckets, as what they have in common.
package struct ClassicHistogram: Sendable {
    /// With the metric's name, without `le`.
    package var labels: Labels
    /// Equal for equal bounds.
    package var layout: Int
    /// The value of `le` of each bucket; the last is `+Inf`.
    package var bounds: [String]
    /// The buckets whose series are wanted, ascending.
    package var wanted: [Int]

    package init(labels: Labels, layout: Int, bounds: [String], wanted: [Int]) {
        self.labels = labels
        self.layout = layout
        self.bounds = bounds
        self.wanted = wanted
    }
}

/// The observations in each bucket of a histogram's points, as they lie in memory: run by run, in each by point and bucket.
package struct BucketCounts: Sendable {
    private var runs: [Buffer<Int64>] = []
    /// By run: how many points there are up to its end.
    private var ends: [Int] = []
    /// How many buckets a point has.
    let stride: Int

    /// - Parameter stride: how many buckets a point has; positive.
    package init(stride: Int) { self.stride = stride }

    package mutating func append(_ counts: Buffer<Int64>) {
        precondition(counts.count % stride == 0, "points have all their buckets")
        runs.append(counts)
        ends.append(pointCount + counts.count / stride)
    }

    var pointCount: Int { ends.last ?? 0 }

    /// Finds points one after the other.
    struct Cursor {
        fileprivate var run = 0
        fileprivate var start = 0
    }

    /// The counts of a point, `stride` of them, which live as long as this does.
    @inline(__always)
    func counts(of point: Int, _ cursor: inout Cursor) -> UnsafePointer<Int64> {
        precondition(point < pointCount && point >= cursor.start, "points are found in their order")
        while point >= ends[cursor.run] {
            cursor.start = ends[cursor.run]
            cursor.run += 1
        }
        return unsafe runs[cursor.run].base + (point &- cursor.start) &* stride
    }

    /// The bits of all counts, and the signs of all differences between counts of one bucket at points that follow each other.
    func survey() -> (bits: Int64, signs: Int64) {
        var bits: Int64 = 0
        var signs: Int64 = 0
        var last: UnsafePointer<Int64>?
        for run in runs {
            let base = unsafe run.base
            for i in 0..<run.count { bits |= unsafe base[i] }
            for i in stride..<Swift.max(stride, run.count) { signs |= unsafe base[i] &- base[i &- stride] }
            if run.count >= stride {
                if let last = unsafe last {
                    for bucket in 0..<stride { signs |= unsafe base[bucket] &- last[bucket] }
                }
                unsafe last = base + (run.count - stride)
            }
        }
        return (bits, signs)
    }
}

/// The values of a plan's function in all windows of every bucket's series of one histogram, from the array of its points.
///
/// A bucket's series counts all observations up to its bound, so its change over a window is the sum of the changes of the
/// buckets below: for each window two points are summed up, and no series is made.
struct BucketValues {
    private let function: SeriesPlan.Function
    private var windows: WindowValues
    private let seconds: Double
    /// By bucket and step.
    private(set) var values: [Double] = []
    private var falls: [Fall] = []

    /// A bucket's series is less than at the point before, where it had `count`.
    private struct Fall {
        var point: Int
        var bucket: Int
        var count: Double
    }

    private static let mostFalls = 1 << 16

    init(_ plan: SeriesPlan) {
        function = plan.function
        windows = WindowValues(plan)
        seconds = plan.function == .rate ? Double(plan.range) / 1000 : 1
    }

    var bounds: WindowBounds { windows.bounds }

    /// - Parameters:
    ///   - timestamps: of the points, ascending strictly, milliseconds.
    ///   - counts: of as many points; none if there is only one bucket.
    ///   - totals: of each point all observations, which the last bucket's series counts.
    /// - Returns: false if counts are too large, or negative, so that this arithmetic could not hold them; nothing is evaluated then.
    mutating func evaluate(_ timestamps: Span<Int64>, _ counts: BucketCounts, totals: Span<Int64>) -> Bool {
        let width = counts.pointCount == 0 ? 0 : counts.stride - 1
        precondition(width == 0 || counts.pointCount == totals.count, "all points have counts")
        guard let mayFall = Self.mayFall(counts, width, totals) else { return false }
        windows.bounds.find(timestamps)
        let steps = bounds.grid.count
        let room = (width + 1) * steps
        if values.count != room { values = Array(repeating: GridSeries.absent, count: room) }
        switch function {
        case .rate, .increase:
            falls.removeAll(keepingCapacity: true)
            if mayFall, !findFalls(counts, width, totals) {
                eachColumn(timestamps, counts, width, totals)
            } else {
                changes(timestamps, counts, width, totals)
            }
        case .latest, .last: latest(counts, width, totals)
        default: eachColumn(timestamps, counts, width, totals)
        }
        return true
    }

    /// Whether any series may fall anywhere: hardly ever one does, so buckets are looked at first, which is one pass over memory.
    ///
    /// - Returns: nil if some count is negative or reaches 2^53, or if a thousand buckets might.
    private static func mayFall(_ counts: BucketCounts, _ width: Int, _ totals: Span<Int64>) -> Bool? {
        var (bits, signs) = counts.survey()
        for point in 0..<totals.count {
            bits |= totals[point]
            if point > 0 { signs |= totals[point] &- totals[point - 1] }
        }
        guard bits >= 0, bits < 1 << 53, width <= 1024 else { return nil }
        return signs < 0
    }

    /// - Returns: false if there are too many to be held.
    private mutating func findFalls(_ counts: BucketCounts, _ width: Int, _ totals: Span<Int64>) -> Bool {
        var (behind, ahead) = (BucketCounts.Cursor(), BucketCounts.Cursor())
        for point in 0..<totals.count where point > 0 {
            var (before, now): (Int64, Int64) = (0, 0)
            if width > 0 {
                let (old, new) = unsafe (counts.counts(of: point - 1, &behind), counts.counts(of: point, &ahead))
                // Where no bucket has less than before, no sum of buckets has.
                var signs = totals[point] &- totals[point - 1]
                for bucket in 0..<width { signs |= unsafe new[bucket] &- old[bucket] }
                if signs >= 0 { continue }
                for bucket in 0..<width {
                    before &+= unsafe old[bucket]
                    now &+= unsafe new[bucket]
                    note(point, bucket, before, now)
                }
            }
            note(point, width, totals[point - 1], totals[point])
            if falls.count > Self.mostFalls { return false }
        }
        return true
    }

    private mutating func note(_ point: Int, _ bucket: Int, _ before: Int64, _ now: Int64) {
        // As numbers of samples, large counts are rounded.
        if Double(now) < Double(before) { falls.append(Fall(point: point, bucket: bucket, count: Double(before))) }
    }

    private mutating func changes(
        _ timestamps: Span<Int64>, _ counts: BucketCounts, _ width: Int, _ totals: Span<Int64>
    ) {
        let steps = bounds.grid.count
        let windows = windows.bounds
        let (falls, seconds) = (falls, seconds)
        var values = values.mutableSpan
        // Of one window, by bucket.
        var firsts = Array(repeating: 0.0, count: width + 1)
        var deltas = firsts
        var nextFall = 0
        var (behind, ahead) = (BucketCounts.Cursor(), BucketCounts.Cursor())
        for step in 0..<steps {
            let (lower, upper) = (Int(windows.lower[step]), Int(windows.upper[step]))
            guard upper - lower >= 2 else {
                for bucket in 0...width { values[bucket * steps + step] = GridSeries.absent }
                continue
            }
            let last = upper - 1
            if width > 0 {
                let (old, new) = unsafe (counts.counts(of: lower, &behind), counts.counts(of: last, &ahead))
                var (before, now): (Int64, Int64) = (0, 0)
                for bucket in 0..<width {
                    before &+= unsafe old[bucket]
                    now &+= unsafe new[bucket]
                    firsts[bucket] = Double(before)
                    deltas[bucket] = Double(now) - firsts[bucket]
                }
            }
            firsts[width] = Double(totals[lower])
            deltas[width] = Double(totals[last]) - firsts[width]
            while nextFall < falls.count, falls[nextFall].point <= lower { nextFall += 1 }
            var fall = nextFall
            while fall < falls.count, falls[fall].point < upper {
                deltas[falls[fall].bucket] += falls[fall].count
                fall += 1
            }
            let extrapolation = Extrapolation(
                first: timestamps[lower], last: timestamps[last], intervals: last - lower, end: windows.grid[step],
                range: windows.range, seconds: seconds)
            for bucket in 0...width {
                let factor = extrapolation.factor(delta: deltas[bucket], first: firsts[bucket])
                values[bucket &* steps &+ step] = deltas[bucket] * factor
            }
        }
        withExtendedLifetime(counts) {}
    }

    private mutating func latest(_ counts: BucketCounts, _ width: Int, _ totals: Span<Int64>) {
        let steps = bounds.grid.count
        let windows = windows.bounds
        var values = values.mutableSpan
        var cursor = BucketCounts.Cursor()
        for step in 0..<steps {
            let (lower, upper) = (Int(windows.lower[step]), Int(windows.upper[step]))
            guard lower < upper else {
                for bucket in 0...width { values[bucket * steps + step] = GridSeries.absent }
                continue
            }
            if width > 0 {
                let point = unsafe counts.counts(of: upper - 1, &cursor)
                var sum: Int64 = 0
                for bucket in 0..<width {
                    sum &+= unsafe point[bucket]
                    values[bucket * steps + step] = Double(sum)
                }
            }
            values[width * steps + step] = Double(totals[upper - 1])
        }
        withExtendedLifetime(counts) {}
    }

    /// Functions that know no buckets get each bucket's series in turn.
    private mutating func eachColumn(
        _ timestamps: Span<Int64>, _ counts: BucketCounts, _ width: Int, _ totals: Span<Int64>
    ) {
        let steps = bounds.grid.count
        var sums = Array(repeating: Int64(0), count: totals.count)
        var column = Array(repeating: 0.0, count: totals.count)
        var row = Array(repeating: 0.0, count: steps)
        for bucket in 0...width {
            var cursor = BucketCounts.Cursor()
            for point in 0..<totals.count {
                if bucket < width { sums[point] &+= unsafe counts.counts(of: point, &cursor)[bucket] }
                column[point] = Double(bucket < width ? sums[point] : totals[point])
            }
            windows.evaluateInBounds(timestamps, column.span, into: &row)
            for step in 0..<steps { values[bucket * steps + step] = row[step] }
        }
        withExtendedLifetime(counts) {}
    }
}
