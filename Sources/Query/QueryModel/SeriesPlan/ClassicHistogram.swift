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

    init(_ plan: SeriesPlan) {
        function = plan.function
        windows = WindowValues(plan)
        seconds = plan.function == .rate ? Double(plan.range) / 1000 : 1
    }

    var bounds: WindowBounds { windows.bounds }

    /// - Parameters:
    ///   - timestamps: of the points, ascending strictly, milliseconds.
    ///   - counts: of each point the observations in each of `stride` buckets, of which `width` have an upper bound.
    ///   - totals: of each point all observations, which the last bucket's series counts.
    /// - Returns: false if counts are too large, or negative, so that this arithmetic could not hold them; nothing is evaluated then.
    mutating func evaluate(
        _ timestamps: Span<Int64>, counts: Span<Int64>, width: Int, stride: Int, totals: Span<Int64>
    ) -> Bool {
        guard let mayFall = Self.mayFall(counts, width, stride, totals) else { return false }
        windows.bounds.find(timestamps)
        let steps = bounds.grid.count
        let room = (width + 1) * steps
        if values.count != room { values = Array(repeating: GridSeries.absent, count: room) }
        switch function {
        case .rate, .increase:
            falls.removeAll(keepingCapacity: true)
            if mayFall { findFalls(counts, width, stride, totals) }
            changes(timestamps, counts, width, stride, totals)
        case .latest, .last: latest(counts, width, stride, totals)
        default: eachColumn(timestamps, counts, width, stride, totals)
        }
        return true
    }

    /// Whether any series may fall anywhere: hardly ever one does, so buckets are looked at first, which is one pass over memory.
    ///
    /// - Returns: nil if some count is negative or reaches 2^53, or if a thousand buckets might.
    private static func mayFall(
        _ counts: Span<Int64>, _ width: Int, _ stride: Int, _ totals: Span<Int64>
    ) -> Bool? {
        var signs: Int64 = 0
        var bits: Int64 = 0
        unsafe counts.withUnsafeBufferPointer { counts in
            for i in 0..<Swift.min(stride, counts.count) { bits |= unsafe counts[i] }
            for i in Swift.min(stride, counts.count)..<counts.count {
                signs |= unsafe counts[i] &- counts[i &- stride]
                bits |= unsafe counts[i]
            }
        }
        for point in 0..<totals.count {
            bits |= totals[point]
            if point > 0 { signs |= totals[point] &- totals[point - 1] }
        }
        guard bits >= 0, bits < 1 << 53, width <= 1024 else { return nil }
        return signs < 0
    }

    private mutating func findFalls(_ counts: Span<Int64>, _ width: Int, _ stride: Int, _ totals: Span<Int64>) {
        for point in 0..<totals.count where point > 0 {
            var (before, now): (Int64, Int64) = (0, 0)
            for bucket in 0..<width {
                before &+= counts[(point - 1) * stride + bucket]
                now &+= counts[point * stride + bucket]
                note(point, bucket, before, now)
            }
            note(point, width, totals[point - 1], totals[point])
        }
    }

    private mutating func note(_ point: Int, _ bucket: Int, _ before: Int64, _ now: Int64) {
        // As numbers of samples, large counts are rounded.
        if Double(now) < Double(before) { falls.append(Fall(point: point, bucket: bucket, count: Double(before))) }
    }

    private mutating func changes(
        _ timestamps: Span<Int64>, _ counts: Span<Int64>, _ width: Int, _ stride: Int, _ totals: Span<Int64>
    ) {
        let steps = bounds.grid.count
        let windows = windows.bounds
        let (falls, seconds) = (falls, seconds)
        var values = values.mutableSpan
        var nextFall = 0
        for step in 0..<steps {
            let (lower, upper) = (Int(windows.lower[step]), Int(windows.upper[step]))
            guard upper - lower >= 2 else {
                for bucket in 0...width { values[bucket * steps + step] = GridSeries.absent }
                continue
            }
            let last = upper - 1
            let extrapolation = Extrapolation(
                first: timestamps[lower], last: timestamps[last], intervals: last - lower, end: windows.grid[step],
                range: windows.range, seconds: seconds)
            while nextFall < falls.count, falls[nextFall].point <= lower { nextFall += 1 }
            let hasFalls = nextFall < falls.count && falls[nextFall].point < upper
            var (before, now): (Int64, Int64) = (0, 0)
            for bucket in 0...width {
                if bucket < width {
                    before &+= counts[lower &* stride &+ bucket]
                    now &+= counts[last &* stride &+ bucket]
                } else {
                    (before, now) = (totals[lower], totals[last])
                }
                let first = Double(before)
                var delta = Double(now) - first
                if hasFalls {
                    var fall = nextFall
                    while fall < falls.count, falls[fall].point < upper {
                        if falls[fall].bucket == bucket { delta += falls[fall].count }
                        fall += 1
                    }
                }
                values[bucket &* steps &+ step] = delta * extrapolation.factor(delta: delta, first: first)
            }
        }
    }

    private mutating func latest(_ counts: Span<Int64>, _ width: Int, _ stride: Int, _ totals: Span<Int64>) {
        let steps = bounds.grid.count
        let windows = windows.bounds
        var values = values.mutableSpan
        for step in 0..<steps {
            let (lower, upper) = (Int(windows.lower[step]), Int(windows.upper[step]))
            var sum: Int64 = 0
            for bucket in 0..<width {
                if lower < upper { sum &+= counts[(upper - 1) * stride + bucket] }
                values[bucket * steps + step] = lower < upper ? Double(sum) : GridSeries.absent
            }
            values[width * steps + step] = lower < upper ? Double(totals[upper - 1]) : GridSeries.absent
        }
    }

    /// Functions that know no buckets get each bucket's series in turn.
    private mutating func eachColumn(
        _ timestamps: Span<Int64>, _ counts: Span<Int64>, _ width: Int, _ stride: Int, _ points: Span<Int64>
    ) {
        let steps = bounds.grid.count
        var sums = Array(repeating: Int64(0), count: points.count)
        var column = Array(repeating: 0.0, count: points.count)
        var row = Array(repeating: 0.0, count: steps)
        for bucket in 0...width {
            for point in 0..<points.count {
                if bucket < width { sums[point] &+= counts[point * stride + bucket] }
                column[point] = Double(bucket < width ? sums[point] : points[point])
            }
            windows.evaluateInBounds(timestamps, column.span, into: &row)
            for step in 0..<steps { values[bucket * steps + step] = row[step] }
        }
    }
}
