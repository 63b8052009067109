import Core
import HTTP
import LogQL
import Settings

/// The parameters of Loki's API as values (rules L-1 to L-6). An empty parameter is an absent one.
struct LokiParameters {
    let http: HTTPRequest
    let limits: LogQLLimits
    let now: Timestamp

    private static let second: Int64 = 1_000_000_000

    func text(_ name: String) -> String? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        return text
    }

    var query: String { text("query") ?? "" }

    // MARK: Time

    func time(_ name: String) throws(RequestFailure) -> Timestamp? {
        guard let text = text(name) else { return nil }
        // A plus sign that was not encoded arrives as a space.
        if let time = TimeText.loki(text.replacing(" ", with: "+")) { return time }
        throw .badRequest("could not parse '\(name)' parameter: cannot parse \"\(text)\" to a valid timestamp")
    }

    /// From `start`, or `since` before the end or now, whichever is earlier, to `end` (rule L-2).
    func range() throws(RequestFailure) -> TimeRange {
        let end = try time("end") ?? now
        if let start = try time("start") { return TimeRange(start: start, end: end) }
        var since = 3_600 * Self.second
        if let text = text("since") {
            guard let duration = DurationText.prometheus(text) ?? DurationText.go(text) else {
                throw .badRequest("could not parse 'since' parameter: cannot parse \"\(text)\" to a valid duration")
            }
            since = duration
        }
        return TimeRange(start: min(end, now).advanced(by: since == .min ? .max : -since), end: end)
    }

    /// A range that holds something.
    func forwardRange() throws(RequestFailure) -> TimeRange {
        let range = try range()
        guard !range.isEmpty else { throw .badRequest("end timestamp must not be before or equal to start time") }
        return range
    }

    /// Nanoseconds between two points (rule L-5).
    func step(over range: TimeRange) throws(RequestFailure) -> Int64 {
        let (distance, overflow) = range.end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        let length = overflow ? Int64.max : max(distance, 0)
        var step = max(1, length / Self.second / 250) * Self.second
        if let text = text("step") {
            guard let duration = DurationText.loki(text) else {
                throw .badRequest("could not parse 'step' parameter: cannot parse \"\(text)\" to a valid duration")
            }
            step = duration
        }
        guard step > 0 else {
            throw .badRequest(
                "zero or negative query resolution step widths are not accepted. Try a positive integer")
        }
        guard length / step <= Int64(limits.intervals) else {
            throw .badRequest(
                """
                exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step \
                parameter
                """)
        }
        return step
    }

    /// Nanoseconds that entries must lie apart (rule L-6).
    func interval() throws(RequestFailure) -> Int64 {
        guard let text = text("interval") else { return 0 }
        guard let duration = DurationText.loki(text), duration >= 0 else {
            throw .badRequest("interval must be >= 0, and a duration: \"\(text)\"")
        }
        return duration
    }

    // MARK: Amounts

    func limit(_ name: String = "limit", default standard: Int = 100) throws(RequestFailure) -> Int {
        guard let text = text(name) else { return standard }
        guard let value = DecimalText.clampedInteger(text) else {
            throw .badRequest("could not parse '\(name)' parameter: \"\(text)\" is not a number")
        }
        guard value > 0 else { throw .badRequest("\(name) must be a positive value") }
        return Int(clamping: value)
    }

    /// The limit of a log query (rule L-3).
    func entryLimit() throws(RequestFailure) -> Int {
        let limit = try limit()
        guard limit <= limits.entries else {
            throw .badRequest(
                """
                max entries limit per query exceeded, limit > max_entries_limit_per_query (\(limit) > \(limits.entries))
                """)
        }
        return limit
    }

    func direction() throws(RequestFailure) -> LogDirection {
        switch text("direction")?.lowercased() {
        case nil, "backward": return .backward
        case "forward": return .forward
        case let other?: throw .badRequest("invalid direction '\(other)'")
        }
    }

    /// Names in one parameter, separated by commas.
    func names(_ name: String) -> [String] {
        (text(name) ?? "").split(separator: ",").map { String($0.filter { $0 != " " }) }.filter { !$0.isEmpty }
    }

    /// Whether entries shall show which of their labels come from where (rule L-12).
    var categorizesLabels: Bool {
        let flags = http.headers.filter { $0.name.lowercased() == "x-loki-response-encoding-flags" }
        return flags.flatMap { $0.value.split(separator: ",") }.contains { flag in
            flag.filter { $0 != " " } == "categorize-labels"
        }
    }
}
