/// A day of the proleptic Gregorian calendar, in UTC.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil and civil_from_days: years are
/// counted from March, so that the leap day is a year's last, and 400 years are an era of 146,097 days.
package struct CivilDay: Equatable, Sendable {
    /// Days since 1970-01-01, a Thursday.
    package let daysSinceEpoch: Int
    package let year: Int
    package let month: Int
    package let dayOfMonth: Int

    /// - Parameter daysSinceEpoch: at most some billions of years away.
    package init(daysSinceEpoch: Int) {
        let shifted = daysSinceEpoch + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayFromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayFromMarch + 2) / 153
        self.daysSinceEpoch = daysSinceEpoch
        dayOfMonth = dayFromMarch - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// - Returns: nil if the calendar has no such day.
    package init?(year: Int, month: Int, dayOfMonth: Int) {
        guard (1...12).contains(month), (1...Self.length(ofMonth: month, year)).contains(dayOfMonth) else { return nil }
        daysSinceEpoch = Self.days(year, month, dayOfMonth)
        self.year = year
        self.month = month
        self.dayOfMonth = dayOfMonth
    }

    package var daysInMonth: Int { Self.length(ofMonth: month, year) }

    /// From 1 on.
    package var dayOfYear: Int { daysSinceEpoch - Self.days(year, 1, 1) + 1 }

    /// Sunday is 0.
    package var weekday: Int { (daysSinceEpoch % 7 + 11) % 7 }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func days(_ year: Int, _ month: Int, _ dayOfMonth: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayFromMarch = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + dayOfMonth - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayFromMarch - 719_468
    }
}
