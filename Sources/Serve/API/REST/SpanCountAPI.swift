package import Core
import HTTP
import JSON
package import QueryModel

/// How many spans each service has, and how many of them are errors, counted from the spans themselves.
///
///     GET /api/v1/services/stats?service=shop&start=…&end=…&step=1h
///
/// The answer is `{"source":"spans","start":ns,"step":ns,"services":[{"service":"shop","calls":9,"errors":1,…}]}`; with `step`,
/// each service has `points`: the start of each step that has spans, its calls and errors. Steps begin with the range.
package struct SpanCountAPI: Sendable {
    private let source: any SpanStatisticsSource
    private let now: @Sendable () -> Timestamp

    /// A query that would answer more points is refused.
    private static let mostSteps: Int64 = 11_000

    package init(source: any SpanStatisticsSource, now: @escaping @Sendable () -> Timestamp) {
        self.source = source
        self.now = now
    }

    package var routes: Routes {
        var routes = Routes(RecordAPI.dialect, roots: ["/api/v1/services"])
        routes.add([.get], "/api/v1/services/stats") { request in
            do throws(RequestFailure) { return try answer(request) } catch { return error.restResponse }
        }
        return routes
    }

    private func answer(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = RecordParameters(http: request.http)
        let range = try parameters.range()
        let step = try parameters.step()
        if let step {
            guard parameters.text("start") != nil else {
                throw .badRequest("step: the start of the first is needed too")
            }
            // The last step that can have spans: nothing is sent from the future, but for clocks that run ahead a little.
            let end = parameters.text("end") == nil ? now().advanced(by: 86_400_000_000_000) : range.end
            let (length, overflow) = end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
            guard !overflow, length / step < Self.mostSteps else {
                throw .badRequest("step: the range has more than \(Self.mostSteps) steps")
            }
        }
        let query = SpanStatisticsQuery(
            services: Set(parameters.text("service").map { [$0] } ?? []), range: range, step: step,
            wantsDurations: false)
        let counts = try asking { () throws(QueryError) in
            try source.spanStatistics(query, context: request.context)
        }.rows
        var json = JSONWriter()
        json.beginObject()
        json.key("source")
        json.string("spans")
        if let step {
            json.key("start")
            json.int(Int(range.start.nanoseconds))
            json.key("step")
            json.int(Int(step))
        }
        json.key("services")
        json.beginArray()
        var rest = counts[...]
        while let first = rest.first {
            let own = rest.prefix { $0.service == first.service }
            rest = rest.dropFirst(own.count)
            write(own, range, step, to: &json)
        }
        json.endArray()
        Explanation.write(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }

    private func write(
        _ counts: ArraySlice<SpanStatistics.Row>, _ range: TimeRange, _ step: Int64?, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.key("service")
        json.string(counts.first?.service ?? "")
        json.key("calls")
        json.int(counts.reduce(0) { $0 + $1.measures.calls })
        json.key("errors")
        json.int(counts.reduce(0) { $0 + $1.measures.errors })
        if let step {
            json.key("points")
            json.beginArray()
            for count in counts {
                json.beginArray()
                let (distance, overflow) = Int64(count.step).multipliedReportingOverflow(by: step)
                json.int(range.start.advanced(by: overflow ? .max : distance).nanoseconds)
                json.int(count.measures.calls)
                json.int(count.measures.errors)
                json.endArray()
            }
            json.endArray()
        }
        json.endObject()
    }
}
