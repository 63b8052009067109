internal import Core
package import TableSchema

extension PartitionUnit {
    private static let hour: Int64 = 3_600_000_000_000
    private static let day: Int64 = 24 * hour

    /// The start of the partition that holds `time`, nanoseconds since the epoch; weeks begin on Mondays, months on their first.
    package func start(of time: Int64) -> Int64 {
        switch self {
        case .hour: Self.floor(time, to: Self.hour)
        case .day: Self.floor(time, to: Self.day)
        // The epoch was a Thursday.
        case .week: Self.floor(time, to: 7 * Self.day, from: -3 * Self.day)
        case .month:
            Self.monthStart(day: Int(Self.floor(time, to: Self.day) / Self.day)) &* Self.day
        }
    }

    /// The last timestamp that is a whole number of units from `origin`, and not after `time`.
    private static func floor(_ time: Int64, to unit: Int64, from origin: Int64 = 0) -> Int64 {
        let rest = (time % unit - origin) % unit
        return time &- (rest < 0 ? rest + unit : rest)
    }

    /// The first day of the month of `day`, both as days since the epoch.
    private static func monthStart(day: Int) -> Int64 { Int64(day - CivilDay(daysSinceEpoch: day).dayOfMonth + 1) }

    /// The timestamp after the last one of the partition that starts at `start`.
    package func end(ofPartitionAt start: Int64) -> Int64 {
        switch self {
        case .hour: start &+ Self.hour
        case .day: start &+ Self.day
        case .week: start &+ 7 * Self.day
        case .month: self.start(of: start &+ 32 * Self.day)
        }
    }
}

extension TimeRange {
    /// Whether the partition of `unit` that starts at `start` has a time in this range.
    package func overlaps(partitionAt start: Int64, unit: PartitionUnit) -> Bool {
        overlaps(
            first: Timestamp(nanoseconds: start),
            last: Timestamp(nanoseconds: unit.end(ofPartitionAt: start) &- 1))
    }
}
