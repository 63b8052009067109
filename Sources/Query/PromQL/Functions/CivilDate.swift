package import Core

/// A time as a day of the calendar and the second of that day, in UTC.
package struct CivilDate {
    package let day: CivilDay
    package let secondOfDay: Int

    /// - Returns: nil for NaN, infinities and times some billions of years away.
    package init?(seconds: Double) {
        guard abs(seconds) < 1e17 else { return nil }
        let whole = Int(seconds)
        let days = whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400
        day = CivilDay(daysSinceEpoch: days)
        secondOfDay = whole - days * 86_400
    }
}
