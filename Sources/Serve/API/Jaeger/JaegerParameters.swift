import Core
import HTTP
import QueryModel
import Settings
import TraceSearch

/// The parameters of the legacy API as values (§6.4 of the contract); errors have the words of J-13.
struct JaegerParameters {
    let http: HTTPRequest

    /// What a search finds when it does not say how much.
    static let defaultLimit = 100
    /// More traces than any client shows; the query's byte budget may end a search before.
    static let largestLimit = 10_000
    private static let defaultLookback: Int64 = 48 * 3_600_000_000_000

    /// The parameter, unless it is absent or empty.
    func text(_ name: String) -> String? {
        guard let text = http.parameter(name), !text.isEmpty else { return nil }
        return text
    }

    func service() throws(RequestFailure) -> String {
        guard let service = text("service") else { throw .badRequest("parameter 'service' is required") }
        return service
    }

    func searchQuery(now: Timestamp) throws(RequestFailure) -> TraceQuery {
        let end = try timestamp("end", nanosecondsPerUnit: 1_000) ?? now
        let start = try timestamp("start", nanosecondsPerUnit: 1_000) ?? now.advanced(by: -Self.defaultLookback)
        let limit = try integer("limit").map { Int(clamping: $0) } ?? Self.defaultLimit
        guard limit >= 0 else { throw .unparsable("limit", "must not be negative") }
        let tags = try tags()
        let minimum = try duration("minDuration")
        let maximum = try duration("maxDuration")
        if let minimum, let maximum, maximum < minimum {
            throw .badRequest("'maxDuration' should be greater than 'minDuration'")
        }
        return TraceQuery(
            service: try service(), operation: text("operation"), kind: try spanKind(), tags: tags,
            minDuration: minimum, maxDuration: maximum,
            // Clients see microseconds, and the last one belongs to the range (J-8).
            range: TimeRange(start: start, end: end.advanced(by: 1_000)),
            limit: limit == 0 ? Self.defaultLimit : min(limit, Self.largestLimit))
    }

    /// The range of a search that names none.
    func defaultRange(now: Timestamp) -> TimeRange {
        TimeRange(start: now.advanced(by: -Self.defaultLookback), end: now.advanced(by: 1_000))
    }

    /// Milliseconds back from `endTs`, which is outside: whole hours are whole hours (J-30, J-32).
    func rangeBack(from now: Timestamp, lookback usual: Int64) throws(RequestFailure) -> TimeRange {
        let end = try timestamp("endTs", nanosecondsPerUnit: 1_000_000) ?? now
        let lookback = try integer("lookback") ?? usual
        guard lookback >= 0 else { throw .unparsable("lookback", "must not be negative") }
        let (nanoseconds, overflow) = lookback.multipliedReportingOverflow(by: 1_000_000)
        return TimeRange(start: end.advanced(by: overflow ? -.max : -nanoseconds), end: end)
    }

    func spanKind() throws(RequestFailure) -> Int32? {
        guard let name = text("spanKind") else { return nil }
        return try Self.kind(name)
    }

    /// Any number of kinds; server if there is none (J-32).
    func spanKinds() throws(RequestFailure) -> Set<Int32> {
        var kinds: Set<Int32> = []
        for name in http.parameters(named: "spanKind") where !name.isEmpty { kinds.insert(try Self.kind(name)) }
        return kinds.isEmpty ? [2] : kinds
    }

    private static func kind(_ name: String) throws(RequestFailure) -> Int32 {
        guard let kind = SpanKindName.kind(named: name) else {
            throw .unparsable("spanKind", "unknown kind \"\(name)\"")
        }
        return kind
    }

    /// As Go reads a truth value.
    func flag(_ name: String) throws(RequestFailure) -> Bool? {
        guard let text = text(name) else { return nil }
        guard let flag = FlagText.flag(text) else { throw .unparsable(name, "\"\(text)\" is neither true nor false") }
        return flag
    }

    /// The parameters of a single trace: they need nothing but to be readable (J-15).
    func checkHints() throws(RequestFailure) {
        _ = try integer("start")
        _ = try integer("end")
        _ = try flag("raw")
    }

    /// A trace's id: up to 32 hexadecimal digits, or base64 of 8 or 16 bytes (J-14).
    static func traceID(_ text: String) -> TraceID? {
        if let id = TraceID(hex: text) { return id }
        guard text.utf8.count <= 24, let bytes = Base64.decode(text), bytes.count == 8 || bytes.count == 16 else {
            return nil
        }
        var words: [UInt64] = [0]
        for (index, byte) in bytes.enumerated() {
            if index == 8 { words.append(0) }
            words[words.count - 1] = words[words.count - 1] << 8 | UInt64(byte)
        }
        return words.count == 2 ? TraceID(high: words[0], low: words[1]) : TraceID(high: 0, low: words[0])
    }

    static func traceID(_ text: String, parameter: String) throws(RequestFailure) -> TraceID {
        guard let id = traceID(text) else { throw .unparsable(parameter, "\"\(text)\" is not a trace id") }
        return id
    }

    // MARK: Single values

    /// A timestamp in units since the epoch; one beyond what nanoseconds can say is the nearest that they can (G-1).
    func timestamp(_ name: String, nanosecondsPerUnit: Int64) throws(RequestFailure) -> Timestamp? {
        guard let units = try integer(name) else { return nil }
        let (nanoseconds, overflow) = units.multipliedReportingOverflow(by: nanosecondsPerUnit)
        return overflow ? (units < 0 ? .min : .max) : Timestamp(nanoseconds: nanoseconds)
    }

    /// An integer; one beyond 64 bits is the nearest of 64 bits.
    func integer(_ name: String) throws(RequestFailure) -> Int64? {
        guard let text = text(name) else { return nil }
        guard let integer = DecimalText.clampedInteger(text) else {
            throw .unparsable(name, "\"\(text)\" is not an integer")
        }
        return integer
    }

    /// Zero means no bound.
    private func duration(_ name: String) throws(RequestFailure) -> Int64? {
        guard let text = text(name) else { return nil }
        guard let duration = DurationText.go(text) else { throw .unparsable(name, "invalid duration \"\(text)\"") }
        guard duration >= 0 else { throw .unparsable(name, "must not be negative") }
        return duration == 0 ? nil : duration
    }

    private func tags() throws(RequestFailure) -> [(key: String, value: String)] {
        var tags: [(key: String, value: String)] = []
        for tag in http.parameters(named: "tag") {
            guard let colon = tag.firstIndex(of: ":") else {
                throw .badRequest("malformed 'tag' parameter, expecting key:value, received: \(tag)")
            }
            tags.append((String(tag[..<colon]), String(tag[tag.index(after: colon)...])))
        }
        for text in http.parameters(named: "tags") where !text.isEmpty {
            do {
                tags += try TagObject.parse(text)
            } catch {
                throw .badRequest("malformed 'tags' parameter, cannot unmarshal JSON: \(error.message)")
            }
        }
        return tags
    }
}
