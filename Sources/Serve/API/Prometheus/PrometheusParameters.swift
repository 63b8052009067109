import Core
import HTTP
import PromQL
import QueryModel
import Settings

/// The parameters of Prometheus's API as values (rules P-3, P-4).
struct PrometheusParameters {
    let http: HTTPRequest

    /// The most steps between the first and the last point of a range query.
    static let mostSteps: Int64 = 11_000

    func query() throws(PrometheusFailure) -> PromQLQuery {
        do {
            return try PromQLQuery(http.parameter("query") ?? "")
        } catch {
            throw .invalid("query", error.description)
        }
    }

    /// - Returns: nil if the parameter is absent or empty.
    func time(_ name: String) throws(PrometheusFailure) -> Timestamp? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        guard let time = TimeText.prometheus(text) else { throw Self.unreadable(name, text, "timestamp") }
        return time
    }

    func requiredTime(_ name: String) throws(PrometheusFailure) -> Timestamp {
        guard let time = try time(name) else { throw Self.unreadable(name, "", "timestamp") }
        return time
    }

    private static func unreadable(_ name: String, _ text: String, _ kind: String) -> PrometheusFailure {
        .invalid(name, "cannot parse \"\(text)\" to a valid \(kind)")
    }

    /// In nanoseconds; nil if the parameter is absent or empty.
    func duration(_ name: String) throws(PrometheusFailure) -> Int64? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        guard let duration = DurationText.secondsOrPrometheus(text) else {
            throw Self.unreadable(name, text, "duration")
        }
        return duration
    }

    /// From `start` through `end` by `step`.
    func grid() throws(PrometheusFailure) -> TimeGrid {
        let start = try requiredTime("start").milliseconds
        let end = try requiredTime("end").milliseconds
        guard end >= start else { throw .invalid("end", "end timestamp must not be before start time") }
        guard let step = try duration("step") else { throw Self.unreadable("step", "", "duration") }
        // Steps finer than a millisecond cannot be told apart.
        guard step >= 1_000_000 else {
            throw .invalid(
                "step", "zero or negative query resolution step widths are not accepted. Try a positive integer")
        }
        guard let grid = TimeGrid(from: start, through: end, step: step / 1_000_000),
            (end - start) / grid.step <= Self.mostSteps
        else {
            throw .badData(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                    + "Try decreasing the query resolution (?step=XX)")
        }
        return grid
    }

    /// The range of the label calls, both ends inside; each may be left open.
    func range() throws(PrometheusFailure) -> TimeRange {
        let start = try time("start") ?? .min
        let end = try time("end") ?? .max
        return TimeRange(start: start, end: end.advanced(by: 1_000_000))
    }

    /// - Returns: nil if there is no limit.
    func limit() throws(PrometheusFailure) -> Int? {
        guard let text = http.parameter("limit"), !text.isEmpty else { return nil }
        guard let limit = DecimalText.clampedInteger(text) else {
            throw .invalid("limit", "cannot parse \"\(text)\" to a valid number")
        }
        guard limit >= 0 else { throw .invalid("limit", "limit must be non-negative") }
        return limit == 0 ? nil : Int(limit)
    }

    /// A count of which every negative number means "all".
    func count(_ name: String) throws(PrometheusFailure) -> Int? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        guard let count = DecimalText.clampedInteger(text) else { throw .badData("\(name) must be a number") }
        return count < 0 ? nil : Int(count)
    }

    /// The selectors of `match[]`; they are a union (rules P-17 to P-20).
    func selectors() throws(PrometheusFailure) -> [[LabelMatcher]] {
        var selectors: [[LabelMatcher]] = []
        for text in http.parameters(named: "match[]") {
            let matchers: [LabelMatcher]
            do {
                matchers = try Parser.parseSelector(text)
            } catch {
                throw .invalid("match[]", error.description)
            }
            guard matchers.contains(where: { !$0.matchesEmpty }) else {
                throw .invalid("match[]", "match[] must contain at least one non-empty matcher")
            }
            selectors.append(matchers)
        }
        return selectors
    }

    /// The server's options, with the query's own lookback.
    func options(_ defaults: PromQLEngine.Options) throws(PrometheusFailure) -> PromQLEngine.Options {
        guard let lookback = try duration("lookback_delta") else { return defaults }
        var options = defaults
        // Zero means the default, as it does for the reference server.
        guard lookback >= 0 else { throw .invalid("lookback_delta", "lookback must not be negative") }
        if lookback >= 1_000_000 { options.lookback = min(lookback / 1_000_000, DurationLiteral.longest) }
        return options
    }
}

/// Label names in paths, which may be escaped: `U__http_2e_status` is `http.status` (rule P-18).
enum EscapedLabelName {
    static func decode(_ name: String) -> String {
        guard name.hasPrefix("U__") else { return name }
        var result = ""
        var rest = name.dropFirst(3)
        while let character = rest.first {
            rest = rest.dropFirst()
            guard character == "_" else {
                result.append(character)
                continue
            }
            if rest.first == "_" {
                rest = rest.dropFirst()
                result.append("_")
                continue
            }
            guard let end = rest.firstIndex(of: "_"), rest[..<end].utf8.count <= 6, rest.first != "+",
                let value = UInt32(rest[..<end], radix: 16), let scalar = Unicode.Scalar(value)
            else { return name }
            result.unicodeScalars.append(scalar)
            rest = rest[rest.index(after: end)...]
        }
        return result
    }
}
