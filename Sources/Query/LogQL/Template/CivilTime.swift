import Core

/// A point in time in the Gregorian calendar, UTC.
struct CivilTime {
    struct Parts {
        var year = 1
        var month = 1
        var day = 1
        var hour = 0
        var minute = 0
        var second = 0
        var nanosecond = 0

        /// - Returns: nil if there is no such time, or it does not fit.
        func nanoseconds(offsetSeconds: Int) -> Int64? {
            guard let date = CivilDay(year: year, month: month, dayOfMonth: day),
                (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
            else { return nil }
            let seconds = Int64(
                date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second - offsetSeconds)
            let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (sum, carry) = scaled.addingReportingOverflow(Int64(nanosecond))
            return overflow || carry ? nil : sum
        }
    }

    let year: Int
    let month: Int
    let day: Int
    let dayOfYear: Int
    let weekday: Int
    let hour: Int
    let minute: Int
    let second: Int
    let nanosecond: Int

    init(nanoseconds: Int64) {
        var seconds = Int(nanoseconds / 1_000_000_000)
        var fraction = Int(nanoseconds % 1_000_000_000)
        if fraction < 0 {
            fraction += 1_000_000_000
            seconds -= 1
        }
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let date = CivilDay(daysSinceEpoch: days)
        year = date.year
        month = date.month
        day = date.dayOfMonth
        dayOfYear = date.dayOfYear
        weekday = date.weekday
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
        nanosecond = fraction
    }
}
