/// Which samples lie in each window of a plan: two indices that move over ascending timestamps.
struct WindowBounds {
    let grid: TimeGrid
    let range: Int64
    /// By step: the first sample in the window, and the one after the last.
    private(set) var lower: [Int32]
    private(set) var upper: [Int32]

    init(_ plan: SeriesPlan) {
        grid = plan.grid
        range = plan.range
        lower = Array(repeating: 0, count: grid.count)
        upper = lower
    }

    /// - Parameter timestamps: ascending, milliseconds.
    mutating func find(_ timestamps: Span<Int64>) {
        Self.find(timestamps, grid, range, &lower, &upper)
    }

    private static func find(
        _ timestamps: Span<Int64>, _ grid: TimeGrid, _ range: Int64, _ lower: inout [Int32], _ upper: inout [Int32]
    ) {
        var lower = lower.mutableSpan
        var upper = upper.mutableSpan
        let count = timestamps.count
        var first = 0
        var next = 0
        var end = grid.start
        for step in 0..<lower.count {
            while next < count, timestamps[next] <= end { next &+= 1 }
            let start = end &- range
            while first < next, timestamps[first] <= start { first &+= 1 }
            lower[step] = Int32(truncatingIfNeeded: first)
            upper[step] = Int32(truncatingIfNeeded: next)
            end &+= grid.step
        }
    }
}

/// How the change between a window's first and last sample is extrapolated to the window's ends (§3.5).
///
/// The samples are taken to go on beyond both, up to the window's end if that is about as near as the next sample would be,
/// otherwise for half an interval; but a counter not to before it was zero.
struct Extrapolation {
    /// Seconds: between the first and the last sample, from the window's start to the first, from the last to the window's end.
    private let sampled: Double
    private let toStart: Double
    private let toEnd: Double
    /// What divides the factor.
    private let seconds: Double
    /// Where zero is no bound.
    let factor: Double

    /// - Parameters:
    ///   - intervals: one less than the window has samples; positive.
    ///   - seconds: of the window if a change per second is wanted, else 1.
    @inline(__always)
    init(first: Int64, last: Int64, intervals: Int, end: Int64, range: Int64, seconds: Double) {
        let sampled = Double(last &- first) / 1000
        let average = sampled / Double(intervals)
        let threshold = average * 1.1
        var toStart = Double(first &- (end &- range)) / 1000
        var toEnd = Double(end &- last) / 1000
        if toStart >= threshold { toStart = average / 2 }
        if toEnd >= threshold { toEnd = average / 2 }
        self.sampled = sampled
        self.toStart = toStart
        self.toEnd = toEnd
        self.seconds = seconds
        factor = (sampled + toStart + toEnd) / sampled / seconds
    }

    /// The factor of a counter's change.
    @inline(__always)
    func factor(delta: Double, first: Double) -> Double {
        guard delta > 0, first >= 0 else { return factor }
        // Mostly zero is far away, which products tell sooner than a quotient; the margin is far beyond their rounding.
        let distance = first * sampled
        if distance > toStart * delta * 1.000_000_001, distance.isFinite { return factor }
        let toStart = Swift.min(toStart, sampled * (first / delta))
        return (sampled + toStart + toEnd) / sampled / seconds
    }
}
