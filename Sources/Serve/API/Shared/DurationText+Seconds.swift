package import Settings

/// Durations that may be decimal seconds as well.
extension DurationText {
    /// Decimal seconds, which may be negative, or Prometheus's form (rule P-4).
    package static func secondsOrPrometheus(_ text: String) -> Int64? {
        if let seconds = DecimalText.double(text) { return nanoseconds(seconds: seconds) }
        return prometheus(text)
    }

    /// Decimal seconds, Go's form or Prometheus's (rule L-5).
    package static func loki(_ text: String) -> Int64? {
        if let seconds = DecimalText.double(text) { return nanoseconds(seconds: seconds) }
        return go(text) ?? prometheus(text)
    }

    private static func nanoseconds(seconds: Double) -> Int64? {
        let value = (seconds * 1e9).rounded()
        guard value > -9.223372036854775e18, value < 9.223372036854775e18 else { return nil }
        return Int64(value)
    }
}
