/// A point in time in UTC: nanoseconds since the Unix epoch, from 1677 to 2262.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Milliseconds since the epoch, clamped to what nanoseconds can say.
    package init(milliseconds: Int64) {
        let (value, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : value
    }

    /// Whole milliseconds since the epoch, rounded towards the past.
    package var milliseconds: Int64 {
        let quotient = nanoseconds / 1_000_000
        return nanoseconds % 1_000_000 < 0 ? quotient - 1 : quotient
    }

    package static let min = Timestamp(nanoseconds: .min)
    package static let max = Timestamp(nanoseconds: .max)

    @inlinable
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The timestamp `duration` nanoseconds later, clamped to the representable range.
    package func advanced(by duration: Int64) -> Timestamp {
        let (value, overflow) = nanoseconds.addingReportingOverflow(duration)
        return Timestamp(nanoseconds: overflow ? (duration < 0 ? .min : .max) : value)
    }
}

/// A half-open interval of time: `start` is inside, `end` is not.
package struct TimeRange: Hashable, Sendable {
    package var start: Timestamp
    package var end: Timestamp

    package init(start: Timestamp, end: Timestamp) {
        self.start = start
        self.end = end
    }

    /// From the earliest to the latest representable timestamp.
    package static let everything = TimeRange(start: .min, end: .max)

    package var isEmpty: Bool { end <= start }

    package func contains(_ timestamp: Timestamp) -> Bool { start <= timestamp && timestamp < end }

    /// Whether the closed interval from `first` to `last` has a time in common with this range.
    package func overlaps(first: Timestamp, last: Timestamp) -> Bool {
        first < end && start <= last
    }
}
