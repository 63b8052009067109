package import Core

/// Hours of UTC, by which summaries are kept.
extension Timestamp {
    package static let hour: Int64 = 3_600_000_000_000

    /// The start of the hour; a bound that is none stays, and an hour that begins before time does begins with it.
    package var startOfHour: Timestamp {
        if self == .min || self == .max { return self }
        let rest = nanoseconds % Self.hour
        return advanced(by: rest < 0 ? -(rest + Self.hour) : -rest)
    }
}

extension TimeRange {
    /// From the start of its first hour to the end of its last.
    package var inWholeHours: TimeRange {
        guard !isEmpty else { return self }
        let last = end == .max ? .max : end.advanced(by: Timestamp.hour - 1).startOfHour
        return TimeRange(start: start.startOfHour, end: last)
    }
}
