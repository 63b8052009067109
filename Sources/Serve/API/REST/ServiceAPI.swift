internal import Authorization
package import Core
import HTTP
import JSON
package import QueryModel
import TraceSearch

/// What services do: their calls, errors and durations, and who calls whom.
///
///     GET /api/v1/services/stats?service=shop&operation=GET /&kind=server&group=operation&start=…&end=…&step=1h
///     GET /api/v1/services/dependencies?service=shop&start=…&end=…
///
/// Both answer whole hours from hourly summaries and the ends of a range from the spans, which `source` may narrow; `tables` tells which
/// table answered which part of the range. Times and durations are nanoseconds. A range ends before `end`, and steps
/// begin with it.
package struct ServiceAPI: Sendable {
    private let statistics: any SpanStatisticsSource
    private let dependencies: any DependencySource
    private let now: @Sendable () -> Timestamp

    /// A query that would answer more points is refused.
    private static let mostSteps: Int64 = 11_000

    package init(
        statistics: any SpanStatisticsSource, dependencies: any DependencySource,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.statistics = statistics
        self.dependencies = dependencies
        self.now = now
    }

    package var routes: Routes {
        var routes = Routes(RecordAPI.dialect, roots: ["/api/v1/services"], access: .needs(.query, .traces))
        routes.add(read: "/api/v1/services/stats", stats)
        routes.add(read: "/api/v1/services/dependencies", graph)
        return routes
    }

    // MARK: Statistics

    private func stats(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = try query(RecordParameters(http: request.http))
        let found = try asking { () throws(QueryError) in
            try request.context.admit(range: query.range)
            let found = try statistics.spanStatistics(query, context: request.context)
            try request.context.charge(bytes: found.footprint)
            return found
        }
        var json = JSONWriter()
        json.beginObject()
        json.key("tables")
        Explanation.write(found.tables, to: &json)
        if let step = query.step {
            json.key("start")
            json.int(query.range.start.nanoseconds)
            json.key("step")
            json.int(step)
        }
        json.key("services")
        json.beginArray()
        for group in ServiceGroup.make(found.rows) { write(group, query, to: &json) }
        json.endArray()
        Explanation.writeWarnings(request, to: &json)
        Explanation.write(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }

    private func query(_ parameters: RecordParameters) throws(RequestFailure) -> SpanStatisticsQuery {
        let range = try parameters.halfOpenRange()
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
        return SpanStatisticsQuery(
            services: TraceSpan.storedNames(of: parameters.texts("service")), operation: parameters.text("operation"),
            kinds: try parameters.kinds(), grouping: try parameters.grouping(), range: range, step: step,
            table: try parameters.table(), wantsDurations: try parameters.flag("durations") ?? true)
    }

    private func write(_ group: ServiceGroup, _ query: SpanStatisticsQuery, to json: inout JSONWriter) {
        json.beginObject()
        json.key("service")
        json.string(group.service)
        if query.grouping.contains(.operation) {
            json.key("operation")
            json.string(group.operation)
        }
        if query.grouping.contains(.kind) {
            json.key("kind")
            let name = SpanKindName.name(of: group.kind)
            json.string(name.isEmpty ? "unspecified" : name)
        }
        json.key("calls")
        json.int(group.total.calls)
        json.key("errors")
        json.int(group.total.errors)
        if let seconds = seconds(query.range) {
            json.key("rate")
            json.double(Double(group.total.calls) / seconds)
        }
        if query.wantsDurations { Self.write(group.total.shownDurations, to: &json) }
        if let step = query.step { write(group.steps, from: query.range.start, step, query, to: &json) }
        json.endObject()
    }

    /// Nil if the range has no beginning; without an end it lasts up to now.
    private func seconds(_ range: TimeRange) -> Double? {
        guard range.start > .min else { return nil }
        let end = range.end == .max ? now() : range.end
        let (length, overflow) = end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        return overflow || length <= 0 ? nil : Double(length) / 1e9
    }

    private func write(
        _ steps: [(step: Int, measures: SpanMeasures)], from start: Timestamp, _ step: Int64,
        _ query: SpanStatisticsQuery, to json: inout JSONWriter
    ) {
        json.key("points")
        json.beginArray()
        for point in steps {
            json.beginArray()
            let (distance, overflow) = Int64(point.step).multipliedReportingOverflow(by: step)
            json.int(start.advanced(by: overflow ? .max : distance).nanoseconds)
            json.int(point.measures.calls)
            json.int(point.measures.errors)
            if query.wantsDurations {
                for quantile in ShownDurations.quantiles { json.int(point.measures.shownDurations[quantile.share]) }
            }
            json.endArray()
        }
        json.endArray()
    }

    /// The member `durations`.
    private static func write(_ durations: ShownDurations, to json: inout JSONWriter) {
        json.key("durations")
        json.beginObject()
        if let bounds = durations.bounds {
            json.key("min")
            json.int(bounds.min)
            json.key("max")
            json.int(bounds.max)
            json.key("mean")
            json.int(bounds.mean)
        }
        for (name, share) in ShownDurations.quantiles {
            json.key(name)
            json.int(durations[share])
        }
        json.endObject()
    }

    // MARK: Dependencies

    private func graph(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = RecordParameters(http: request.http)
        let range = try parameters.halfOpenRange()
        let table = try parameters.table()
        let services = Set(parameters.texts("service"))
        let found = try asking { () throws(QueryError) in
            try request.context.admit(range: range)
            return try dependencies.dependencies(in: range, table: table, context: request.context)
        }
        var json = JSONWriter()
        json.beginObject()
        json.key("tables")
        Explanation.write(found.tables, to: &json)
        json.key("dependencies")
        json.beginArray()
        for call in found.named()
        where services.isEmpty || services.contains(call.parent) || services.contains(call.child) {
            json.beginObject()
            json.key("parent")
            json.string(call.parent)
            json.key("child")
            json.string(call.child)
            json.key("calls")
            json.int(call.calls)
            json.key("errors")
            json.int(call.errors)
            Self.write(ShownDurations(call.durations), to: &json)
            json.endObject()
        }
        json.endArray()
        Explanation.writeWarnings(request, to: &json)
        Explanation.write(request, to: &json)
        json.endObject()
        return .json(json.bytes)
    }
}

/// The durations of some spans as they are shown: whole nanoseconds, zero for a span that ends before it starts (rule J-18).
private struct ShownDurations {
    static let quantiles: [(name: StaticString, share: Double)] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]

    /// Known exactly, if they were summed up.
    let bounds: (min: Int64, max: Int64, mean: Int64)?
    private let histogram: ExponentialHistogram

    init(_ histogram: ExponentialHistogram) {
        self.histogram = histogram
        bounds = nil
    }

    init(_ measures: SpanMeasures) {
        histogram = measures.durations
        guard measures.calls > 0, measures.durationMin <= measures.durationMax else {
            bounds = nil
            return
        }
        bounds = (
            max(0, measures.durationMin), max(0, measures.durationMax),
            Int64(clamping: measures.durationSum / Int128(measures.calls))
        )
    }

    /// An estimate is never beyond what was measured.
    subscript(share: Double) -> Int64 {
        // At most 2^63 · 2^(1/32).
        let estimate = Int64(min(histogram.quantile(share) ?? 0, 9.2e18).rounded())
        return bounds.map { min(max(estimate, $0.min), $0.max) } ?? estimate
    }
}

extension SpanMeasures {
    fileprivate var shownDurations: ShownDurations { ShownDurations(self) }
}

/// A group of spans by the names that clients know, as a whole and by step.
private struct ServiceGroup {
    let service: String
    let operation: String
    let kind: Int32
    private(set) var total = SpanMeasures()
    private var measures: [Int: SpanMeasures] = [:]

    private struct Key: Hashable {
        let service: String
        let operation: String
        let kind: Int32
    }

    private init(_ key: Key) {
        service = key.service
        operation = key.operation
        kind = key.kind
    }

    var steps: [(step: Int, measures: SpanMeasures)] {
        measures.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Sorted.
    static func make(_ rows: [SpanStatistics.Row]) -> [ServiceGroup] {
        var groups: [Key: ServiceGroup] = [:]
        for row in rows {
            let key = Key(
                service: TraceSpan.shownName(ofService: row.service), operation: row.operation, kind: row.kind)
            groups[key, default: ServiceGroup(key)].total.merge(row.measures)
            groups[key]?.measures[row.step, default: SpanMeasures()].merge(row.measures)
        }
        return groups.values.sorted { ($0.service, $0.operation, $0.kind) < ($1.service, $1.operation, $1.kind) }
    }
}
