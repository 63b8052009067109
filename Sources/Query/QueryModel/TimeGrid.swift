/// The timestamps at which a query is evaluated: `start`, `start + step`, … as many as `count` (rule P-13), in milliseconds.
package struct TimeGrid: Hashable, Sendable {
    package let start: Int64
    /// Positive, also for a single timestamp.
    package let step: Int64
    /// At least one.
    package let count: Int

    /// One timestamp, as an instant query has it.
    package init(at timestamp: Int64) {
        start = timestamp
        step = 1
        count = 1
    }

    /// From `start` to `end`, which belongs to the grid if a step falls on it.
    ///
    /// - Returns: nil if `step` is not positive, `end` is before `start`, or the distance does not fit 64 bits.
    package init?(from start: Int64, through end: Int64, step: Int64) {
        guard step > 0, end >= start else { return nil }
        let (distance, overflow) = end.subtractingReportingOverflow(start)
        guard !overflow else { return nil }
        self.start = start
        self.step = step
        count = Int(distance / step) + 1
    }

    private init(start: Int64, step: Int64, count: Int) {
        self.start = start
        self.step = step
        self.count = count
    }

    /// Some of the timestamps, at least one.
    package func part(_ indices: Range<Int>) -> TimeGrid {
        precondition(!indices.isEmpty && indices.lowerBound >= 0 && indices.upperBound <= count)
        return TimeGrid(start: self[indices.lowerBound], step: step, count: indices.count)
    }

    package var indices: Range<Int> { 0..<count }

    package subscript(index: Int) -> Int64 { start &+ Int64(index) &* step }

    /// The last timestamp.
    package var end: Int64 { self[count - 1] }
}
