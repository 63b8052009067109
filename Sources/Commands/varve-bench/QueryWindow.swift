/// The range of time that queries ask about, in nanoseconds since 1970.
struct QueryWindow {
    var start: Int64
    var end: Int64

    private static let nanosecondsOfHour: Int64 = 3_600_000_000_000

    /// The busiest hour: the one before the last, so that it is whole.
    var hour: QueryWindow {
        let end = max(start, end - Self.nanosecondsOfHour)
        return QueryWindow(start: max(start, end - Self.nanosecondsOfHour), end: end)
    }

    /// With ends on whole hours, as a dashboard asks.
    var wholeHours: QueryWindow {
        let hour = Self.nanosecondsOfHour
        return QueryWindow(start: start / hour * hour, end: (end + hour - 1) / hour * hour)
    }

    /// With ends on whole minutes.
    var wholeMinutes: QueryWindow {
        let minute: Int64 = 60_000_000_000
        return QueryWindow(start: start / minute * minute, end: (end + minute - 1) / minute * minute)
    }

    func moved(by nanoseconds: Int64) -> QueryWindow {
        QueryWindow(start: start + nanoseconds, end: end + nanoseconds)
    }

    var inNanoseconds: [(String, String)] { [("start", String(start)), ("end", String(end))] }
    var inMicroseconds: [(String, String)] { [("start", String(start / 1_000)), ("end", String(end / 1_000))] }
    var inSeconds: [(String, String)] {
        [("start", String(start / 1_000_000_000)), ("end", String(end / 1_000_000_000))]
    }
}
