import Core
import HTTP
import JSON
import QueryModel
import TraceSearch

/// Rates, errors and latencies of services, as the Monitor tab of Jaeger's UI asks for them (rules J-32 to J-34).
///
/// Points lie on the multiples of `step` since 1970 from `endTs - lookback` to `endTs`. A point says what was in the `ratePer`
/// before it, which counts in whole steps, at least one. Where nothing was called a rate is zero, and there is no point of the
/// other two.
struct JaegerSpanMetrics: Sendable {
    enum Family: CaseIterable, Sendable { case latencies, calls, errors }

    private let source: any SpanStatisticsSource
    private let now: @Sendable () -> Timestamp

    init(source: any SpanStatisticsSource, now: @escaping @Sendable () -> Timestamp) {
        self.source = source
        self.now = now
    }

    /// Every millisecond may have a point of its own.
    static let smallestStep = 1

    func answer(_ family: Family, _ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let query = try SpanMetricsQuery(request.http, family, now: now())
        let statistics = try asking { () throws(QueryError) in
            let wanted = query.statistics(family)
            try request.context.admit(range: wanted.range)
            let found = try source.spanStatistics(wanted, context: request.context)
            try request.context.charge(bytes: found.footprint)
            return found
        }
        let series = MetricSeries.make(statistics.rows)
        var json = JSONWriter()
        json.beginObject()
        json.key("name")
        json.string(Self.name(family, query))
        json.key("type")
        json.string("GAUGE")
        json.key("help")
        json.string(Self.help(family, query))
        json.key("metrics")
        json.beginArray()
        for one in series {
            try asking { () throws(QueryError) in
                try request.context.proceed()
                try request.context.charge(bytes: query.points * Self.pointSize)
            }
            write(one, family, query, to: &json)
        }
        json.endArray()
        Explanation.writeWarnings(request, to: &json)
        Explanation.write(request, tables: statistics.tables, to: &json)
        json.endObject()
        return .json(json.bytes)
    }

    /// About what the text of a point takes.
    private static let pointSize = 96

    private static func name(_ family: Family, _ query: SpanMetricsQuery) -> String {
        let subject = query.groupsByOperation ? "service_operation" : "service"
        return switch family {
        case .latencies: subject + "_latencies"
        case .calls: subject + "_call_rate"
        case .errors: subject + "_error_rate"
        }
    }

    private static func help(_ family: Family, _ query: SpanMetricsQuery) -> String {
        let groups = query.groupsByOperation ? "grouped by service & operation" : "grouped by service"
        switch family {
        case .latencies:
            let hundredths = Int((query.quantile * 100).rounded())
            return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)th quantile latency, \(groups)"
        case .calls: return "calls/sec, \(groups)"
        case .errors: return "error rate, computed as a fraction of errors/sec over calls/sec, \(groups)"
        }
    }

    private func write(
        _ series: MetricSeries, _ family: Family, _ query: SpanMetricsQuery, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.key("labels")
        json.beginArray()
        Self.label("service_name", series.service, to: &json)
        if query.groupsByOperation { Self.label("operation", series.operation, to: &json) }
        json.endArray()
        json.key("metricPoints")
        json.beginArray()
        var window = MeasuresWindow(width: query.window)
        for step in 0..<query.points + query.window - 1 {
            window.push(series.steps[step])
            guard step >= query.window - 1, let value = Self.value(family, window, query) else { continue }
            json.beginObject()
            json.key("gaugeValue")
            json.beginObject()
            json.key("doubleValue")
            json.double(value)
            json.endObject()
            json.key("timestamp")
            json.string(query.time(ofPoint: step - query.window + 1).rfc3339)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private static func label(_ name: StaticString, _ value: String, to json: inout JSONWriter) {
        json.beginObject()
        json.key("name")
        json.string(name.description)
        json.key("value")
        json.string(value)
        json.endObject()
    }

    /// Nil where there is none: of no calls.
    private static func value(_ family: Family, _ window: MeasuresWindow, _ query: SpanMetricsQuery) -> Double? {
        switch family {
        case .calls: return Double(window.calls) / query.windowSeconds
        case .errors: return window.calls == 0 ? nil : Double(window.errors) / Double(window.calls)
        case .latencies: return window.durations.quantile(query.quantile).map { $0 / 1e6 }
        }
    }
}

/// The parameters of `/api/metrics/…` as values.
private struct SpanMetricsQuery {
    let services: [String]
    let kinds: Set<Int32>
    let groupsByOperation: Bool
    let quantile: Double
    /// Nanoseconds.
    let step: Int64
    /// In steps.
    let window: Int
    /// Where the first step begins.
    private let start: Int64
    /// The time of the first point.
    private let first: Int64
    let points: Int

    /// More points are not drawn by any client, and each costs.
    private static let mostPoints: Int64 = 11_000
    private static let millisecond: Int64 = 1_000_000

    init(_ http: HTTPRequest, _ family: JaegerSpanMetrics.Family, now: Timestamp) throws(RequestFailure) {
        let parameters = JaegerParameters(http: http)
        services = http.parameters(named: "service").filter { !$0.isEmpty }
        if services.isEmpty { throw .unparsable("service", "please provide at least one service name") }
        kinds = try parameters.spanKinds()
        groupsByOperation = try parameters.flag("groupByOperation") ?? false
        quantile = family == .latencies ? try Self.quantile(parameters) : 0
        let range = try parameters.rangeBack(from: now, lookback: 3_600_000)
        let step = try Self.positive("step", 5_000, parameters)
        let ratePer = try Self.positive("ratePer", 600_000, parameters)
        self.step = step
        let steps = max(1, (ratePer + step / 2) / step)
        let tooMany = RequestFailure.unparsable("step", "the range has more than \(Self.mostPoints) steps")
        // The end itself is inside. A range that is shorter than a step still has a point.
        let last = Self.multiple(of: step, notAbove: range.end)
        first = min(last, Self.multiple(of: step, notAbove: range.start.advanced(by: -1)) + step)
        let (length, isLong) = last.subtractingReportingOverflow(first)
        guard !isLong, length / step < Self.mostPoints, steps <= Self.mostPoints else { throw tooMany }
        let (before, isOver) = step.multipliedReportingOverflow(by: steps)
        let (start, isBefore) = first.subtractingReportingOverflow(before)
        if isOver || isBefore { throw tooMany }
        self.start = start
        points = Int(length / step) + 1
        window = Int(steps)
    }

    /// Of a time within 146 years of 1970, so that some steps can be added and taken off.
    private static func multiple(of step: Int64, notAbove time: Timestamp) -> Int64 {
        let value = max(.min / 2, min(time.nanoseconds, .max / 2))
        let rest = value % step
        return value - (rest < 0 ? rest + step : rest)
    }

    private static func quantile(_ parameters: JaegerParameters) throws(RequestFailure) -> Double {
        guard let text = parameters.text("quantile") else {
            throw .unparsable("quantile", "please provide a quantile between 0 and 1")
        }
        guard let quantile = DecimalText.double(text), quantile > 0, quantile <= 1 else {
            throw .unparsable("quantile", "\"\(text)\" is not a number above 0 and not above 1")
        }
        return quantile
    }

    /// Milliseconds, in nanoseconds.
    private static func positive(
        _ name: String, _ usual: Int64, _ parameters: JaegerParameters
    ) throws(RequestFailure) -> Int64 {
        let value = try parameters.integer(name) ?? usual
        guard value > 0 else { throw .unparsable(name, "must be positive") }
        let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: millisecond)
        // Half of it may be added.
        return overflow ? .max / 4 : min(nanoseconds, .max / 4)
    }

    var windowSeconds: Double { Double(window) * Double(step) / 1e9 }

    func time(ofPoint point: Int) -> Timestamp { Timestamp(nanoseconds: first + Int64(point) * step) }

    func statistics(_ family: JaegerSpanMetrics.Family) -> SpanStatisticsQuery {
        SpanStatisticsQuery(
            services: TraceSpan.storedNames(of: services), kinds: kinds,
            grouping: groupsByOperation ? .operation : [],
            range: TimeRange(start: Timestamp(nanoseconds: start), end: time(ofPoint: points - 1)), step: step,
            wantsDurations: family == .latencies)
    }
}

/// What was measured of one service or operation, by the number of the step.
private struct MetricSeries {
    let service: String
    let operation: String
    private(set) var steps: [Int: SpanMeasures] = [:]

    /// By the names that clients know, sorted.
    static func make(_ rows: [SpanStatistics.Row]) -> [MetricSeries] {
        var series: [[String]: MetricSeries] = [:]
        for row in rows {
            let service = TraceSpan.shownName(ofService: row.service)
            let key = [service, row.operation]
            series[key, default: MetricSeries(service: service, operation: row.operation)]
                .steps[row.step, default: SpanMeasures()].merge(row.measures)
        }
        return series.values.sorted { ($0.service, $0.operation) < ($1.service, $1.operation) }
    }
}

/// The sum of the last `width` steps. Histograms cannot be taken off again, so that there are two stacks of partial sums: each step
/// is merged twice at most, however wide the window is.
private struct MeasuresWindow {
    private let width: Int
    /// Steps since the last turn, in order, and their sum.
    private var newer: [SpanMeasures?] = []
    private var newerSum = SpanMeasures()
    /// Sums of the steps before, each up to the turn; the last is the oldest.
    private var older: [SpanMeasures] = []

    init(width: Int) { self.width = width }

    private(set) var calls = 0
    private(set) var errors = 0

    mutating func push(_ step: SpanMeasures?) {
        if newer.count + older.count == width { drop() }
        newer.append(step)
        if let step { newerSum.merge(step) }
        calls = newerSum.calls + (older.last?.calls ?? 0)
        errors = newerSum.errors + (older.last?.errors ?? 0)
    }

    var durations: ExponentialHistogram {
        guard let oldest = older.last, oldest.calls > 0 else { return newerSum.durations }
        var sum = newerSum.durations
        sum.merge(oldest.durations)
        return sum
    }

    private mutating func drop() {
        if older.isEmpty {
            var sum = SpanMeasures()
            for step in newer.reversed() {
                if let step { sum.merge(step) }
                older.append(sum)
            }
            newer.removeAll(keepingCapacity: true)
            newerSum = SpanMeasures()
        }
        older.removeLast()
    }
}
