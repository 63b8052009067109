import Core
import HTTP
import QueryModel
import Settings
import TraceSearch

/// The parameters of the v3 API as values (J-42, J-44): each name in lowerCamelCase, with its snake_case alias.
struct JaegerV3Parameters {
    let http: HTTPRequest

    /// The first of the names that is there and not empty.
    func text(_ names: String...) -> String? { first(names)?.value }

    private func first(_ names: [String]) -> (name: String, value: String)? {
        for name in names {
            if let value = http.parameter(name), !value.isEmpty { return (name, value) }
        }
        return nil
    }

    func spanKind(_ names: String...) throws(RequestFailure) -> Int32? {
        guard let (name, text) = first(names) else { return nil }
        guard let kind = SpanKindName.kind(named: text) else { throw .malformed(name, "unknown kind \"\(text)\"") }
        return kind
    }

    /// The parameters of a single trace: it is looked for everywhere and shown as it was sent, so that they need nothing but to be
    /// readable (J-43).
    func checkHints() throws(RequestFailure) {
        _ = try optionalTime("startTime", "start_time")
        _ = try optionalTime("endTime", "end_time")
        try checkFlag("rawTraces", "raw_traces")
    }

    private func checkFlag(_ names: String...) throws(RequestFailure) {
        guard let (name, text) = first(names) else { return }
        if FlagText.flag(text) == nil { throw .malformed(name, "\"\(text)\" is neither true nor false") }
    }

    func searchQuery() throws(RequestFailure) -> TraceQuery {
        let start = try requiredTime("query.startTimeMin", "query.start_time_min")
        let end = try requiredTime("query.startTimeMax", "query.start_time_max")
        guard start < end else { throw .badRequest("query.startTimeMin must be before query.startTimeMax") }
        try checkFlag("query.rawTraces", "query.raw_traces")
        let minimum = try duration("query.durationMin", "query.duration_min")
        let maximum = try duration("query.durationMax", "query.duration_max")
        if let minimum, let maximum, maximum < minimum {
            throw .malformed("query.durationMax", "must not be below query.durationMin")
        }
        return TraceQuery(
            service: text("query.serviceName", "query.service_name"),
            operation: text("query.operationName", "query.operation_name"),
            kind: try spanKind("query.spanKind", "query.span_kind"), tags: try attributes(),
            minDuration: minimum, maxDuration: maximum,
            range: TimeRange(start: start, end: end.advanced(by: 1)), limit: try limit(), condition: .span(try filter())
        )
    }

    /// The structured filter, which stands for all other conditions.
    private func filter() throws(RequestFailure) -> SpanCondition {
        guard let text = text("query.filter") else { return .always }
        let others = [
            ["query.serviceName", "query.service_name"], ["query.operationName", "query.operation_name"],
            ["query.spanKind", "query.span_kind"], ["query.durationMin", "query.duration_min"],
            ["query.durationMax", "query.duration_max"], ["query.attributes"],
        ]
        let set = others.compactMap { first($0)?.name }
        guard set.isEmpty else {
            throw .malformed("query.filter", "cannot be combined with \(set.joined(separator: ", "))")
        }
        do throws(RequestFailure) {
            return try JaegerFilter.parse(text)
        } catch {
            throw .malformed("query.filter", error.message)
        }
    }

    private func requiredTime(_ names: String...) throws(RequestFailure) -> Timestamp {
        guard let time = try time(names) else { throw .malformed(names[0], "parameter is required") }
        return time
    }

    private func optionalTime(_ names: String...) throws(RequestFailure) -> Timestamp? { try time(names) }

    private func time(_ names: [String]) throws(RequestFailure) -> Timestamp? {
        guard let (name, text) = first(names) else { return nil }
        // A plus sign that was not encoded arrives as a space.
        guard let time = TimeText.rfc3339(text.replacing(" ", with: "+")) else {
            throw .malformed(name, "\"\(text)\" is not a time of RFC 3339")
        }
        return time
    }

    private func duration(_ names: String...) throws(RequestFailure) -> Int64? {
        guard let (name, text) = first(names) else { return nil }
        guard let duration = DurationText.go(text), duration >= 0 else {
            throw .malformed(name, "invalid duration \"\(text)\"")
        }
        return duration == 0 ? nil : duration
    }

    private func attributes() throws(RequestFailure) -> [(key: String, value: String)] {
        guard let text = text("query.attributes") else { return [] }
        do {
            return try TagObject.parse(text)
        } catch {
            throw .malformed("query.attributes", error.message)
        }
    }

    private func limit() throws(RequestFailure) -> Int {
        guard
            let (name, text) = first(["query.searchDepth", "query.search_depth", "query.num_traces", "query.numTraces"])
        else { return JaegerParameters.defaultLimit }
        guard let limit = DecimalText.clampedInteger(text), limit >= 0 else {
            throw .malformed(name, "\"\(text)\" is not a number of traces")
        }
        return limit == 0 ? JaegerParameters.defaultLimit : Int(min(limit, Int64(JaegerParameters.largestLimit)))
    }
}
