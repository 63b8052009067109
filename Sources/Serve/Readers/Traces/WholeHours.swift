internal import Core
internal import QueryModel

/// A range cut at the hours of UTC: what summaries can answer, and what is left over at both ends.
struct WholeHours {
    let before: TimeRange
    /// Begins and ends at an hour, or without a bound.
    let hours: TimeRange
    let after: TimeRange

    /// - Parameter step: that of the answer, counted from the start of the range.
    /// - Returns: nil if there is no whole hour, or a step begins within one.
    init?(_ range: TimeRange, step: Int64?) {
        let first = range.start.advanced(by: range.start == .min ? 0 : Timestamp.hour - 1).startOfHour
        let last = range.end.startOfHour
        guard first < last else { return nil }
        if let step {
            guard step % Timestamp.hour == 0, first == range.start, range.start != .min else { return nil }
        }
        before = TimeRange(start: range.start, end: first)
        hours = TimeRange(start: first, end: last)
        after = TimeRange(start: last, end: range.end)
    }
}
