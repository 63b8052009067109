internal import Core
internal import QueryModel

/// A range cut at the hours of UTC: what summaries can answer, and what is left over at both ends.
struct WholeHours {
    static let hour: Int64 = 3_600_000_000_000

    let before: TimeRange
    /// Begins and ends at an hour, or without a bound.
    let hours: TimeRange
    let after: TimeRange

    /// - Parameter step: that of the answer, counted from the start of the range.
    /// - Returns: nil if there is no whole hour, or a step begins within one.
    init?(_ range: TimeRange, step: Int64?) {
        let first = Self.start(of: range.start.advanced(by: range.start == .min ? 0 : Self.hour - 1))
        let last = range.end == .max ? .max : Self.start(of: range.end)
        guard first < last else { return nil }
        if let step {
            guard step % Self.hour == 0, first == range.start, range.start != .min else { return nil }
        }
        before = TimeRange(start: range.start, end: first)
        hours = TimeRange(start: first, end: last)
        after = TimeRange(start: last, end: range.end)
    }

    /// The hour that a moment lies in; without a bound there is none.
    static func start(of time: Timestamp) -> Timestamp {
        if time == .min || time == .max { return time }
        let rest = time.nanoseconds % hour
        return time.advanced(by: rest < 0 ? -(rest + hour) : -rest)
    }
}
