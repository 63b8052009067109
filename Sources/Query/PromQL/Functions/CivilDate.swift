/// A date of the proleptic Gregorian calendar, in UTC.
///
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years are counted from March, so that the leap day is a
/// year's last, and 400 years are one cycle of 146,097 days.
package struct CivilDate {
    /// Days since 1970-01-01, a Thursday.
    package let day: Int
    package let secondOfDay: Int
    package let year: Int
    package let month: Int
    package let dayOfMonth: Int

    /// - Returns: nil for NaN, infinities and times some billions of years away.
    package init?(seconds: Double) {
        guard abs(seconds) < 1e17 else { return nil }
        let whole = Int(seconds)
        day = whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400
        secondOfDay = whole - day * 86_400
        let shifted = day + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
    }

    private var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    var daysInMonth: Int {
        switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    var dayOfYear: Int {
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1]
        return before + dayOfMonth + (month > 2 && isLeapYear ? 1 : 0)
    }
}
