package import Core

/// The timestamps at which a metric query is evaluated: `start`, `start + step`, …, in nanoseconds.
///
/// Entries have nanoseconds and windows compare them exactly (rule L-17), so milliseconds would not do.
package struct StepGrid: Hashable, Sendable {
    package let start: Int64
    /// Positive, also for a single timestamp.
    package let step: Int64
    /// At least one.
    package let count: Int

    package init(at timestamp: Timestamp) {
        start = timestamp.nanoseconds
        step = 1
        count = 1
    }

    /// From `start` to `end`, which belongs to the grid if a step falls on it.
    ///
    /// - Returns: nil if `step` is not positive, `end` lies before `start`, or the distance does not fit 64 bits.
    package init?(from start: Timestamp, through end: Timestamp, step: Int64) {
        let (distance, overflow) = end.nanoseconds.subtractingReportingOverflow(start.nanoseconds)
        guard step > 0, !overflow, distance >= 0 else { return nil }
        self.start = start.nanoseconds
        self.step = step
        count = Int(distance / step) + 1
    }

    private init(start: Int64, step: Int64, count: Int) {
        self.start = start
        self.step = step
        self.count = count
    }

    /// Some of the timestamps, at least one.
    func part(_ indices: Range<Int>) -> StepGrid {
        precondition(!indices.isEmpty && indices.lowerBound >= 0 && indices.upperBound <= count)
        return StepGrid(start: self[indices.lowerBound].nanoseconds, step: step, count: indices.count)
    }

    package subscript(index: Int) -> Timestamp { Timestamp(nanoseconds: start + Int64(index) * step) }

    package var end: Timestamp { self[count - 1] }
}

/// The windows `(t - range, t]` of a grid's timestamps `t`, all moved `offset` into the past.
struct StepWindows: Sendable {
    let grid: StepGrid
    let range: Int64
    let offset: Int64

    /// All timestamps that lie in some window, and those between windows.
    var coverage: TimeRange {
        let past = Timestamp(nanoseconds: Self.saturating(0, minus: offset)).nanoseconds
        let first = Timestamp(nanoseconds: grid.start).advanced(by: past).advanced(by: -range).advanced(by: 1)
        return TimeRange(start: first, end: grid.end.advanced(by: past).advanced(by: 1))
    }

    private static func saturating(_ left: Int64, minus right: Int64) -> Int64 {
        let (value, overflow) = left.subtractingReportingOverflow(right)
        return overflow ? (right < 0 ? .max : .min) : value
    }

    /// The steps whose windows hold the timestamp; possibly none.
    func steps(holding timestamp: Timestamp) -> Range<Int> {
        let (shifted, overflow) = timestamp.nanoseconds.addingReportingOverflow(offset)
        let (sinceStart, overflow2) = shifted.subtractingReportingOverflow(grid.start)
        let (untilEnd, overflow3) = sinceStart.addingReportingOverflow(range)
        if overflow || overflow2 || overflow3 { return slowSteps(holding: timestamp) }
        // The first step with t >= timestamp, and the first with t >= timestamp + range.
        let first = min(max(Self.ceiling(sinceStart, grid.step), 0), Int64(grid.count))
        let end = min(max(Self.ceiling(untilEnd, grid.step), first), Int64(grid.count))
        return Int(first)..<Int(end)
    }

    /// The steps whose windows hold the timestamp, and the timestamps around it that the same windows hold.
    func segment(around timestamp: Timestamp) -> (steps: Range<Int>, timestamps: ClosedRange<Int64>) {
        let (step, range) = (Int128(grid.step), Int128(self.range))
        let shift = Int128(offset) - Int128(grid.start)
        let position = Int128(timestamp.nanoseconds) + shift
        let first = Self.ceiling(position, step) * step
        let end = Self.ceiling(position + range, step) * step - range
        let least = max(first, end) - step + 1 - shift
        let most = min(first, end) - shift
        return (steps(holding: timestamp), Int64(clamping: least)...Int64(clamping: most))
    }

    /// Exact in 128 bits, which three 64-bit terms cannot overflow.
    private func slowSteps(holding timestamp: Timestamp) -> Range<Int> {
        let sinceStart = Int128(timestamp.nanoseconds) + Int128(offset) - Int128(grid.start)
        let first = min(max(Self.ceiling(sinceStart, Int128(grid.step)), 0), Int128(grid.count))
        let end = min(max(Self.ceiling(sinceStart + Int128(range), Int128(grid.step)), first), Int128(grid.count))
        return Int(first)..<Int(end)
    }

    private static func ceiling<Integer: FixedWidthInteger>(_ value: Integer, _ divisor: Integer) -> Integer {
        value <= 0 ? value / divisor : (value - 1) / divisor + 1
    }
}
