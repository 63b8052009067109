/// A moment in the Gregorian calendar, UTC.
struct CivilMoment {
    struct Parts {
        var year = 1
        var month = 1
        var day = 1
        var hour = 0
        var minute = 0
        var second = 0
        var nanosecond = 0

        /// - Returns: nil if there is no such moment, or it does not fit.
        func nanoseconds(offsetSeconds: Int) -> Int64? {
            guard (1...12).contains(month), (1...Self.days(inMonth: month, year)).contains(day),
                (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
            else { return nil }
            let days = Self.daysSinceEpoch(year, month, day)
            let seconds = Int64(days * 86_400 + hour * 3_600 + minute * 60 + second - offsetSeconds)
            let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (sum, carry) = scaled.addingReportingOverflow(Int64(nanosecond))
            return overflow || carry ? nil : sum
        }

        private static func days(inMonth month: Int, _ year: Int) -> Int {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        }

        /// Years that begin in March put the leap day last; eras of 400 years repeat.
        static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
            let shifted = month > 2 ? year : year - 1
            let era = (shifted >= 0 ? shifted : shifted - 399) / 400
            let yearOfEra = shifted - era * 400
            let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
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
        nanosecond = fraction
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
        weekday = ((days + 4) % 7 + 7) % 7
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let marchDay = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * marchDay + 2) / 153
        day = marchDay - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        dayOfYear = days - Parts.daysSinceEpoch(year, 1, 1) + 1
    }
}
