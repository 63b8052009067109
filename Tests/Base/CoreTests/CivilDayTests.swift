import Core
import Testing

/// Days of the calendar: by the calendar's own rule, and against dates whose days GNU date tells.
struct CivilDayTests {
    @Test func `each day follows the one before, by the rule of leap years, from year -401 to 2801`() throws {
        var expected = (year: -401, month: 1, dayOfMonth: 1, dayOfYear: 1)
        let first = try #require(CivilDay(year: -401, month: 1, dayOfMonth: 1)).daysSinceEpoch
        let last = try #require(CivilDay(year: 2801, month: 12, dayOfMonth: 31)).daysSinceEpoch
        for number in first...last {
            let day = CivilDay(daysSinceEpoch: number)
            let isLeap = expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            guard (day.year, day.month, day.dayOfMonth, day.dayOfYear) == expected,
                day.daysInMonth == lengths[expected.month - 1],
                CivilDay(year: day.year, month: day.month, dayOfMonth: day.dayOfMonth) == day
            else {
                Issue.record("day \(number): \(day) is not \(expected)")
                return
            }
            expected.dayOfMonth += 1
            expected.dayOfYear += 1
            guard expected.dayOfMonth > lengths[expected.month - 1] else { continue }
            (expected.month, expected.dayOfMonth) = (expected.month + 1, 1)
            if expected.month > 12 { (expected.year, expected.month, expected.dayOfYear) = (expected.year + 1, 1, 1) }
        }
        #expect(expected.year == 2802)
    }

    /// `date -u -d DATE +%s` by 86,400, and `+%w`.
    @Test(
        arguments: [
            (1970, 1, 1, 0, 4), (1969, 12, 31, -1, 3), (2000, 2, 29, 11_016, 2), (2026, 11, 21, 20_778, 6),
            (1677, 9, 21, -106_752, 2), (2262, 4, 11, 106_751, 5), (2026, 11, 22, 20_779, 0),
        ])
    func `dates have their days and weekdays`(year: Int, month: Int, dayOfMonth: Int, days: Int, weekday: Int) throws {
        let day = try #require(CivilDay(year: year, month: month, dayOfMonth: dayOfMonth))
        #expect(day.daysSinceEpoch == days && day.weekday == weekday)
    }

    @Test(arguments: [(2026, 0, 1), (2026, 13, 1), (2026, 1, 0), (2026, 4, 31), (2026, 2, 29), (1900, 2, 29)])
    func `what is no day of the calendar is refused`(year: Int, month: Int, dayOfMonth: Int) {
        #expect(CivilDay(year: year, month: month, dayOfMonth: dayOfMonth) == nil)
    }
}
