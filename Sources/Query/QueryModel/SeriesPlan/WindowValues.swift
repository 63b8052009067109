/// The values of a plan's function in all windows of one series of numbers, in one pass over the samples.
struct WindowValues {
    private let function: SeriesPlan.Function
    var bounds: WindowBounds
    /// By which a change is divided: the window's seconds for `rate`.
    private let seconds: Double
    private var scratch = WindowScratch()

    init(_ plan: SeriesPlan) {
        function = plan.function
        bounds = WindowBounds(plan)
        seconds = plan.function == .rate ? Double(plan.range) / 1000 : 1
    }

    /// - Parameters:
    ///   - timestamps: ascending strictly, milliseconds.
    ///   - values: without stale markers, unless the function is `latest`.
    ///   - output: by step; absent where there is no value.
    mutating func evaluate(_ timestamps: Span<Int64>, _ values: Span<Double>, into output: inout [Double]) {
        bounds.find(timestamps)
        evaluateInBounds(timestamps, values, into: &output)
    }

    /// As `evaluate`, with the bounds that were found for these timestamps.
    mutating func evaluateInBounds(
        _ timestamps: Span<Int64>, _ values: Span<Double>, into row: inout [Double]
    ) {
        var output = row.mutableSpan
        switch function {
        case .latest, .last: each(&output) { _, upper in values[upper - 1] }
        case .first: each(&output) { lower, _ in values[lower] }
        case .count: each(&output) { lower, upper in Double(upper - lower) }
        case .present: each(&output) { _, _ in 1 }
        case .rate, .increase: changeOfCounter(timestamps, values, &output)
        case .delta: change(timestamps, values, &output)
        case .irate, .idelta: lastChange(timestamps, values, &output)
        case .changes:
            scratch.count(values) { before, value in value != before && !(value.isNaN && before.isNaN) }
            counted(&output)
        case .resets:
            scratch.count(values) { before, value in value < before }
            counted(&output)
        case .sum: sums(values, averages: false, &output)
        case .avg: sums(values, averages: true, &output)
        case .min: extremes(values, &output) { $0 < $1 }
        case .max: extremes(values, &output) { $0 > $1 }
        }
    }

    /// Fills in the value of every window that has samples.
    @inline(__always)
    private func each(_ output: inout MutableSpan<Double>, _ value: (_ lower: Int, _ upper: Int) -> Double) {
        for step in 0..<output.count {
            let (lower, upper) = (Int(bounds.lower[step]), Int(bounds.upper[step]))
            output[step] = lower < upper ? value(lower, upper) : GridSeries.absent
        }
    }

    // MARK: Changes

    private func extrapolation(_ timestamps: Span<Int64>, _ lower: Int, _ upper: Int, step: Int) -> Extrapolation {
        Extrapolation(
            first: timestamps[lower], last: timestamps[upper - 1], intervals: upper - lower - 1,
            end: bounds.grid[step], range: bounds.range, seconds: seconds)
    }

    private mutating func changeOfCounter(
        _ timestamps: Span<Int64>, _ values: Span<Double>, _ output: inout MutableSpan<Double>
    ) {
        scratch.findResets(values)
        let resets = scratch.resets.span
        // The first reset after a window's first sample, and the first behind its last.
        var nextReset = 0
        for step in 0..<output.count {
            let (lower, upper) = (Int(bounds.lower[step]), Int(bounds.upper[step]))
            guard upper - lower >= 2 else {
                output[step] = GridSeries.absent
                continue
            }
            let first = values[lower]
            var delta = values[upper - 1] - first
            while nextReset < resets.count, Int(resets[nextReset]) <= lower { nextReset &+= 1 }
            var reset = nextReset
            while reset < resets.count, Int(resets[reset]) < upper {
                delta += values[Int(resets[reset]) - 1]
                reset &+= 1
            }
            let extrapolation = extrapolation(timestamps, lower, upper, step: step)
            output[step] = delta * extrapolation.factor(delta: delta, first: first)
        }
    }

    private func change(_ timestamps: Span<Int64>, _ values: Span<Double>, _ output: inout MutableSpan<Double>) {
        for step in 0..<output.count {
            let (lower, upper) = (Int(bounds.lower[step]), Int(bounds.upper[step]))
            guard upper - lower >= 2 else {
                output[step] = GridSeries.absent
                continue
            }
            let delta = values[upper - 1] - values[lower]
            output[step] = delta * extrapolation(timestamps, lower, upper, step: step).factor
        }
    }

    private func lastChange(_ timestamps: Span<Int64>, _ values: Span<Double>, _ output: inout MutableSpan<Double>) {
        let isRate = function == .irate
        each(&output) { lower, upper in
            guard upper - lower >= 2 else { return GridSeries.absent }
            let (before, last) = (values[upper - 2], values[upper - 1])
            let delta = isRate && last < before ? last : last - before
            return isRate ? delta / (Double(timestamps[upper - 1] - timestamps[upper - 2]) / 1000) : delta
        }
    }

    private func counted(_ output: inout MutableSpan<Double>) {
        let counts = scratch.counts.span
        each(&output) { lower, upper in Double(counts[upper - 1] - counts[lower]) }
    }

    // MARK: Sums

    private mutating func sums(_ values: Span<Double>, averages: Bool, _ output: inout MutableSpan<Double>) {
        scratch.addUp(values)
        let scratch = scratch
        each(&output) { lower, upper in
            guard let (sum, rest) = scratch.sum(lower, upper) else {
                return Self.sum(values, lower, upper, averages: averages)
            }
            let count = Double(upper - lower)
            return averages ? sum / count + rest / count : sum + rest
        }
    }

    /// Sample by sample, where sums of prefixes are not exact enough.
    private static func sum(_ values: Span<Double>, _ lower: Int, _ upper: Int, averages: Bool) -> Double {
        if averages {
            var mean = CompensatedMean()
            for i in lower..<upper { mean.add(values[i]) }
            return mean.value
        }
        var sum = CompensatedSum()
        for i in lower..<upper { sum.add(values[i]) }
        return sum.value
    }

    // MARK: Extremes

    /// The samples that may still become the best one wait in order, each better than those behind it. NaN stays only where there
    /// is nothing else.
    private mutating func extremes(
        _ values: Span<Double>, _ output: inout MutableSpan<Double>, isBetter: (Double, Double) -> Bool
    ) {
        scratch.candidates.removeAll(keepingCapacity: true)
        var head = 0
        var next = 0
        for step in 0..<output.count {
            let (lower, upper) = (Int(bounds.lower[step]), Int(bounds.upper[step]))
            while next < upper {
                let value = values[next]
                if !value.isNaN {
                    while scratch.candidates.count > head,
                        isBetter(value, values[Int(scratch.candidates[scratch.candidates.count - 1])])
                    {
                        scratch.candidates.removeLast()
                    }
                    scratch.candidates.append(Int32(truncatingIfNeeded: next))
                }
                next += 1
            }
            while head < scratch.candidates.count, Int(scratch.candidates[head]) < lower { head += 1 }
            if lower == upper {
                output[step] = GridSeries.absent
            } else if head < scratch.candidates.count {
                output[step] = values[Int(scratch.candidates[head])]
            } else {
                output[step] = values[upper - 1]
            }
        }
    }
}

/// What one series is prepared with; kept between series for its memory.
struct WindowScratch {
    /// The samples that are less than the one before.
    private(set) var resets: [Int32] = []
    /// By sample: how many up to it differ, as asked, from the one before.
    private(set) var counts: [Int32] = []
    /// See `WindowValues.extremes`.
    var candidates: [Int32] = []
    /// By sample, and one more: the sum of those before it, and what it lacks.
    private var high: [Double] = []
    private var low: [Double] = []
    /// The rounding error of a sum is at most this; infinite if sums are of no use.
    private var error = Double.infinity

    mutating func findResets(_ values: Span<Double>) {
        resets.removeAll(keepingCapacity: true)
        var i = 1
        while i < values.count {
            if values[i] < values[i &- 1] { resets.append(Int32(truncatingIfNeeded: i)) }
            i &+= 1
        }
    }

    mutating func count(_ values: Span<Double>, where isCounted: (_ before: Double, _ value: Double) -> Bool) {
        counts.removeAll(keepingCapacity: true)
        var count: Int32 = 0
        for i in 0..<values.count {
            if i > 0, isCounted(values[i - 1], values[i]) { count &+= 1 }
            counts.append(count)
        }
    }

    /// Sums of prefixes as pairs of doubles: what a sum of doubles comes to, and the sum of what rounding loses on the way.
    ///
    /// Source: D. E. Knuth, "The Art of Computer Programming", 4.2.2. What is lost is at most 2^-53 of the sum each time, so that the
    /// sum of it, rounded each time, is off by less than n² 2^-106 of the greatest sum; and by nothing where all are integers below 2^53.
    mutating func addUp(_ values: Span<Double>) {
        if high.count <= values.count {
            high = Array(repeating: 0, count: values.count + 1)
            low = high
        }
        error = Self.addUp(values, &high, &low)
    }

    /// - Returns: a bound of the error of a difference of two sums.
    private static func addUp(_ values: Span<Double>, _ high: inout [Double], _ low: inout [Double]) -> Double {
        var high = high.mutableSpan
        var low = low.mutableSpan
        if addUpIntegers(values, &high, &low) { return 0 }
        var (sum, rest) = (0.0, 0.0)
        var greatest = 0.0
        for i in 0..<values.count {
            let (total, lost) = exactSum(sum, values[i])
            rest += lost
            sum = total
            high[i &+ 1] = sum
            low[i &+ 1] = rest
            greatest = sum.magnitude > greatest ? sum.magnitude : greatest
        }
        // Not a number, infinite, or too large for the bound to say anything.
        guard sum.isFinite, rest.isFinite, greatest < 1e300 else { return .infinity }
        let count = Double(values.count)
        return count * count * greatest * 0x1p-104
    }

    /// - Returns: false if not all are integers, or a sum is not exact.
    private static func addUpIntegers(
        _ values: Span<Double>, _ high: inout MutableSpan<Double>, _ low: inout MutableSpan<Double>
    ) -> Bool {
        var sum = 0.0
        var greatest = 0.0
        for i in 0..<values.count {
            let value = values[i]
            // Adding and subtracting 1.5 * 2^52 rounds numbers below 2^51 to integers.
            guard (value + 0x1.8p52) - 0x1.8p52 == value else { return false }
            sum += value
            greatest = sum.magnitude > greatest ? sum.magnitude : greatest
            high[i &+ 1] = sum
            low[i &+ 1] = 0
        }
        return greatest < 0x1p53
    }

    @inline(__always)
    private static func exactSum(_ a: Double, _ b: Double) -> (sum: Double, lost: Double) {
        let sum = a + b
        let part = sum - a
        return (sum, (a - (sum - part)) + (b - part))
    }

    /// The sum of samples as a double and what it lacks; nil if its error might reach 2^-47 of it (`SeriesPlan` promises 1e-12).
    func sum(_ lower: Int, _ upper: Int) -> (sum: Double, rest: Double)? {
        guard error < .infinity else { return nil }
        let (difference, lost) = Self.exactSum(high[upper], -high[lower])
        let rest = lost + (low[upper] - low[lower])
        let sum = difference + rest
        guard error == 0 || error < sum.magnitude * 0x1p-47 else { return nil }
        return (sum, rest - (sum - difference))
    }
}
