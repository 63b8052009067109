import Core
import PromQL

/// Times as servers write them.
extension Timestamp {
    /// `2026-01-02T03:04:05.678Z`, in UTC, with milliseconds unless they are zero.
    var rfc3339: String {
        let whole = milliseconds
        let seconds = whole >= 0 ? whole / 1000 : (whole - 999) / 1000
        guard let date = CivilDate(seconds: Double(seconds)) else { return "" }
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
        }
        let fraction = Int(whole - seconds * 1000)
        let second = date.secondOfDay
        return "\(padded(date.day.year, 4))-\(padded(date.day.month, 2))-\(padded(date.day.dayOfMonth, 2))"
            + "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
            + (fraction == 0 ? "Z" : ".\(padded(fraction, 3))Z")
    }
}
