import Core
import HTTP
import QueryModel
import Settings
import TraceSearch

/// The parameters of the plain read API as values. An empty parameter is an absent one.
struct RecordParameters {
    let http: HTTPRequest

    static let defaultLimit = 100
    static let largestLimit = 10_000

    func text(_ name: String) -> String? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        return text
    }

    func traceQuery() throws(RequestFailure) -> TraceQuery {
        let minimum = try duration("minDuration")
        let maximum = try duration("maxDuration")
        if let minimum, let maximum, maximum < minimum {
            throw .badRequest("maxDuration must not be below minDuration")
        }
        return TraceQuery(
            service: text("service"), operation: text("operation"), kind: try kind(), tags: try tags(),
            minDuration: minimum, maxDuration: maximum, range: try range(), limit: try limit(),
            condition: try condition(), order: try order())
    }

    /// `q={…}`, and the status, which every span that meets one of its conditions has.
    private func condition() throws(RequestFailure) -> TraceCondition {
        var condition = TraceCondition.span(.always)
        if let text = text("q") {
            do throws(TraceQLError) {
                condition = try TraceQLParser.parse(text)
            } catch {
                throw .badRequest("q: \(error.message)")
            }
        }
        return try status().map { condition.requiring($0) } ?? condition
    }

    private func order() throws(RequestFailure) -> TraceOrder {
        switch text("order") {
        case nil, "newest": return .newest
        case "duration": return .longest
        case .some(let name): throw .badRequest("order: \"\(name)\" is neither newest nor duration")
        }
    }

    /// All that are not empty.
    func texts(_ name: String) -> [String] { http.parameters(named: name).filter { !$0.isEmpty } }

    /// The ids of a list of traces.
    func traceIDs() throws(RequestFailure) -> [TraceID] {
        var ids: [TraceID] = []
        for text in texts("trace_id") {
            guard let id = TraceID(hex: text) else {
                throw .badRequest("trace_id: \"\(text)\" is not 1 to 32 hexadecimal digits")
            }
            ids.append(id)
        }
        guard ids.count <= Self.largestLimit else { throw .badRequest("trace_id: more than \(Self.largestLimit)") }
        return ids
    }

    func kind() throws(RequestFailure) -> Int32? {
        guard let name = text("kind") else { return nil }
        return try Self.kind(name)
    }

    func kinds() throws(RequestFailure) -> Set<Int32> {
        var kinds: Set<Int32> = []
        for name in texts("kind") { kinds.insert(try Self.kind(name)) }
        return kinds
    }

    private static func kind(_ name: String) throws(RequestFailure) -> Int32 {
        guard let kind = SpanKindName.kind(named: name) else {
            throw .badRequest(
                "kind: \"\(name)\" is none of server, client, producer, consumer, internal and unspecified")
        }
        return kind
    }

    /// `status=error`: the status itself, whatever attributes say.
    private func status() throws(RequestFailure) -> SpanCondition? {
        guard let status = text("status") else { return nil }
        guard SpanStatusName.words.contains(status) else {
            throw .badRequest("status: \"\(status)\" is none of ok, error and unset")
        }
        return .test(.field(.status), .equal([.string(status)]))
    }

    func flag(_ name: String) throws(RequestFailure) -> Bool? {
        guard let text = text(name) else { return nil }
        guard let flag = FlagText.flag(text) else {
            throw .badRequest("\(name): \"\(text)\" is neither true nor false")
        }
        return flag
    }

    /// `group=operation,kind`, or several of them.
    func grouping() throws(RequestFailure) -> SpanStatisticsQuery.Grouping {
        var grouping: SpanStatisticsQuery.Grouping = []
        for name in texts("group").flatMap({ $0.split(separator: ",") }) {
            switch name {
            case "operation": grouping.insert(.operation)
            case "kind": grouping.insert(.kind)
            default: throw .badRequest("group: \"\(name)\" is neither operation nor kind")
            }
        }
        return grouping
    }

    /// Whether spans or their hourly summaries answer.
    func table() throws(RequestFailure) -> TableChoice {
        switch text("source") {
        case nil, "auto": return .automatic
        case "raw": return .raw
        case "rollup": return .rollup
        case .some(let name): throw .badRequest("source: \"\(name)\" is none of auto, raw and rollup")
        }
    }

    /// From `start` to `end`, both inside; each may be left open.
    func range() throws(RequestFailure) -> TimeRange {
        let range = try halfOpenRange()
        return TimeRange(start: range.start, end: range.end.advanced(by: 1))
    }

    /// From `start` on, and before `end`, so that whole hours are whole hours.
    func halfOpenRange() throws(RequestFailure) -> TimeRange {
        let start = try time("start") ?? .min
        let end = try time("end") ?? .max
        guard start <= end else { throw .badRequest("start must not be after end") }
        return TimeRange(start: start, end: end)
    }

    /// RFC 3339, or a number since the epoch, whose size tells its unit: below 10¹¹ seconds, below 10¹⁴ milliseconds, below
    /// 10¹⁷ microseconds, else nanoseconds. With a decimal point it is seconds.
    private func time(_ name: String) throws(RequestFailure) -> Timestamp? {
        guard let text = text(name) else { return nil }
        if let number = DecimalText.clampedInteger(text) {
            let nanosecondsPerUnit: Int64 =
                switch number.magnitude {
                case ..<100_000_000_000: 1_000_000_000
                case ..<100_000_000_000_000: 1_000_000
                case ..<100_000_000_000_000_000: 1_000
                default: 1
                }
            let (nanoseconds, overflow) = number.multipliedReportingOverflow(by: nanosecondsPerUnit)
            return overflow ? (number < 0 ? .min : .max) : Timestamp(nanoseconds: nanoseconds)
        }
        if let seconds = DecimalText.double(text) {
            // Both bounds are exact doubles within 64 bits.
            let nanoseconds = max(-9.2e18, min(9.2e18, seconds * 1e9))
            return Timestamp(nanoseconds: Int64(nanoseconds))
        }
        // A plus sign that was not encoded arrives as a space.
        if let time = TimeText.rfc3339(text.replacing(" ", with: "+")) { return time }
        throw .badRequest("\(name): \"\(text)\" is neither a time of RFC 3339 nor a number since 1970")
    }

    /// Nanoseconds; nil if it was not given.
    func step() throws(RequestFailure) -> Int64? {
        guard let text = text("step") else { return nil }
        guard let step = DurationText.go(text), step > 0 else {
            throw .badRequest("step: \"\(text)\" is not a duration such as 1h or 30s")
        }
        return step
    }

    func limit() throws(RequestFailure) -> Int {
        guard let text = text("limit") else { return Self.defaultLimit }
        guard let limit = DecimalText.clampedInteger(text), limit > 0 else {
            throw .badRequest("limit: \"\(text)\" is not a positive number")
        }
        return Int(min(limit, Int64(Self.largestLimit)))
    }

    private func duration(_ name: String) throws(RequestFailure) -> Int64? {
        guard let text = text(name) else { return nil }
        guard let duration = DurationText.go(text), duration >= 0 else {
            throw .badRequest("\(name): \"\(text)\" is not a duration such as 1.5s or 100ms")
        }
        return duration == 0 ? nil : duration
    }

    /// `tags={"key":"value"}`, and any number of `tag=key:value`.
    private func tags() throws(RequestFailure) -> [(key: String, value: String)] {
        var tags: [(key: String, value: String)] = []
        for tag in http.parameters(named: "tag") {
            guard let colon = tag.firstIndex(of: ":") else { throw .badRequest("tag: \"\(tag)\" is not key:value") }
            tags.append((String(tag[..<colon]), String(tag[tag.index(after: colon)...])))
        }
        if let text = text("tags") {
            do throws(RequestFailure) {
                tags += try TagObject.parse(text)
            } catch {
                throw .badRequest("tags: \(error.message)")
            }
        }
        return tags
    }

    func traceID() throws(RequestFailure) -> TraceID? {
        guard let text = text("trace_id") else { return nil }
        guard let id = TraceID(hex: text) else {
            throw .badRequest("trace_id: \"\(text)\" is not 1 to 32 hexadecimal digits")
        }
        return id
    }

    /// The least severity: OTLP's number, 1 to 24, or a level's name, which is its least number.
    func severity() throws(RequestFailure) -> Int32? {
        guard let text = text("severity") else { return nil }
        if let number = Int32(text), (0...24).contains(number) { return number == 0 ? nil : number }
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
        var name = text.uppercased()
        if name == "WARNING" { name = "WARN" }
        var step: Int32 = 0
        if let digit = name.last, let value = "234".firstIndex(of: digit) {
            step = Int32("234".distance(from: "234".startIndex, to: value)) + 1
            name.removeLast()
        }
        guard let level = levels.firstIndex(of: name) else {
            throw .badRequest(
                "severity: \"\(text)\" is neither a number from 1 to 24 nor TRACE, DEBUG, INFO, WARN, ERROR, FATAL")
        }
        return Int32(level) * 4 + 1 + step
    }
}
