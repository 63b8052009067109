package import Core
package import QueryModel
import Randomness

/// Random traces whose spans use every field and every kind of value, and queries that some of them satisfy.
package struct RandomTraces: RandomNumberGenerator {
    /// Whether some spans have more attributes than one set has subcolumns for.
    package var hasWideSets = true
    private var random: SeededRandom
    private var nextSpan: UInt64 = 1
    private var resources: [TelemetryResource] = []
    private var scopes: [TelemetryScope] = []

    /// 2023-11-14T22:00:00Z.
    package static let start: Int64 = 1_699_999_200_000_000_000
    package static let hour: Int64 = 3_600_000_000_000

    /// - Parameter seed: repeats the run.
    package init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        for number in 0..<6 {
            let service: String? = number == 0 ? nil : number == 1 ? "" : "svc-\(number % 4)"
            let others = attributes(limit: 4)
            resources.append(
                TelemetryResource(
                    serviceName: service,
                    attributes: others + (service.map { [Attribute(key: "service.name", value: .string($0))] } ?? []),
                    droppedAttributesCount: UInt32(below(2)), schemaURL: oneIn(2) ? "https://a.test/\(number)" : ""))
            scopes.append(
                TelemetryScope(
                    name: number == 0 ? "" : "lib-\(number)", version: oneIn(2) ? "1.\(number)" : "",
                    attributes: attributes(limit: 3), droppedAttributesCount: UInt32(below(2)),
                    schemaURL: oneIn(3) ? "https://b.test" : ""))
        }
    }

    package mutating func next() -> UInt64 { random.next() }

    package mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    package mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    package mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    // MARK: Spans

    /// Spans of `traces` traces; a trace lasts some seconds, or hours; all have span ids of their own.
    package mutating func spans(traces: Int) -> [TraceSpan] {
        (0..<traces).flatMap { _ -> [TraceSpan] in
            let id = TraceID(high: oneIn(3) ? 0 : next(), low: next() | 1)
            let begin = Self.start + Int64(pick([0, 0, 1, 2, 7, 40])) * Self.hour + Int64(below(600)) * 1_000_000_000
            let length = oneIn(4) ? 3 * Self.hour : 5_000_000_000
            var parents = [SpanID(word: 0)]
            return (0..<(1 + below(7))).map { _ in
                var span = span(start: begin + Int64.random(in: 0..<length, using: &self) / 1000 * 1000)
                span.traceID = id
                span.parentSpanID = pick(parents)
                parents.append(span.spanID)
                return span
            }
        }
    }

    /// As `spans`, in any order, with what senders do wrong: spans sent twice, parents that are not there, circles of parents, spans
    /// that share an id, and starts that many spans and traces share.
    package mutating func awkwardSpans(traces: Int) -> [TraceSpan] {
        var all = spans(traces: traces)
        for index in all.indices {
            switch below(12) {
            case 0: all[index].parentSpanID = SpanID(word: next() | 1)
            case 1: all[index].parentSpanID = all[index].spanID
            case 2:
                // Of this trace or another one, before or after it.
                all[index].parentSpanID = pick(all).spanID
            case 3:
                let length = all[index].end.nanoseconds - all[index].start.nanoseconds
                all[index].start = Timestamp(nanoseconds: Self.start + Int64(below(3)) * 1_000_000_000)
                all[index].end = all[index].start.advanced(by: length)
            case 4:
                let other = pick(all)
                if other.traceID == all[index].traceID || oneIn(2) { all[index].spanID = other.spanID }
            case 5: all.append(all[index])
            case 6:
                var alike = all[index]
                alike.attributes = attributes(limit: 3)
                all.append(alike)
            default: break
            }
        }
        return all.shuffled(using: &self)
    }

    private mutating func span(start: Int64) -> TraceSpan {
        var span = TraceSpan(resource: pick(resources), scope: pick(scopes))
        span.spanID = SpanID(word: nextSpan)
        nextSpan += 1
        span.traceState = pick(["", "", "vendor=1", "é=2"])
        span.name = pick(["GET /", "GET /", "checkout", "", "ünïcode 🛒", String(repeating: "long ", count: 200)])
        span.kind = pick([0, 1, 2, 2, 3, 4, 5, 77, -1])
        span.start = Timestamp(nanoseconds: start)
        // Some end before they start, or last for days.
        span.end = span.start.advanced(by: pick([0, 1, 500, 1_000_000, 250_000_000, -7, 100 * Self.hour]))
        span.attributes = hasWideSets && oneIn(25) ? wideSet() : attributes(limit: 8)
        span.droppedAttributesCount = pick([0, 0, 1, .max])
        span.events = (0..<(oneIn(2) ? 0 : below(4))).map { _ in event(start) }
        span.droppedEventsCount = pick([0, 0, 2])
        span.links = (0..<(oneIn(2) ? 0 : below(3))).map { _ in link() }
        span.droppedLinksCount = pick([0, 0, 3])
        span.statusCode = pick([0, 0, 1, 2, 9])
        span.statusMessage = pick(["", "", "deadline exceeded"])
        span.flags = pick([0, 1, 0x301, .max])
        return span
    }

    private mutating func event(_ start: Int64) -> TraceSpan.Event {
        TraceSpan.Event(
            time: Timestamp(nanoseconds: oneIn(6) ? Int64(below(5)) : start + Int64(below(1_000_000)) - 1000),
            name: pick(["", "exception", "log"]),
            attributes: hasWideSets && oneIn(60) ? wideSet() : attributes(limit: 3),
            droppedAttributesCount: UInt32(below(2)))
    }

    private mutating func link() -> TraceSpan.Link {
        TraceSpan.Link(
            traceID: TraceID(high: next(), low: next()), spanID: SpanID(word: next()), traceState: pick(["", "x=y"]),
            attributes: attributes(limit: 3), droppedAttributesCount: UInt32(below(2)), flags: pick([0, 0x101]))
    }

    // MARK: Attributes

    private static let keys = [
        "http.method", "http.status", "a", "b", "", "error", "span.kind", "scope.name", "scope.a", "resource.a", "é",
        "otel.status_code",
    ]

    package mutating func attributes(limit: Int) -> [Attribute] {
        var keys: [String] = []
        for _ in 0..<below(limit + 1) {
            let key = pick(Self.keys)
            if !keys.contains(key) { keys.append(key) }
        }
        return keys.map { Attribute(key: $0, value: value()) }
    }

    private mutating func wideSet() -> [Attribute] {
        let first = below(1500)
        return (first..<(first + 200 + below(150))).map { Attribute(key: "wide.\($0)", value: value()) }.shuffled(
            using: &self)
    }

    package mutating func value(depth: Int = 0) -> AttributeValue {
        switch below(depth < 3 ? 10 : 7) {
        case 0: return .empty
        case 1: return .bool(oneIn(2))
        case 2: return .int(pick([0, 1, 3, 200, -5, .min, .max]))
        case 3: return .double(pick([0, -0.0, 3, 0.5, 1e300, -2.25, .nan, .infinity, 3e-9]))
        case 4: return .bytes((0..<below(5)).map { _ in UInt8(truncatingIfNeeded: next()) })
        case 7, 8: return .array((0..<below(3)).map { _ in value(depth: depth + 1) })
        case 9: return .map(pick([[], ["x"], ["y", "x"]]).map { Attribute(key: $0, value: value(depth: depth + 1)) })
        default: return .string(pick(["", "GET", "POST", "200", "3", "true", "\"q\"\n", "né"]))
        }
    }

    // MARK: Queries

    /// A query made of what one of the spans is, and now and then of what it is not.
    package mutating func query(about spans: [TraceSpan], limit: Int = 20) -> TraceQuery {
        let span = pick(spans)
        var query = TraceQuery(range: .everything, limit: limit)
        if oneIn(3) { query.service = oneIn(6) ? pick(["", "svc", "svc-1"]) : span.resource.serviceName }
        if oneIn(4) { query.operation = oneIn(6) ? "GET" : span.name }
        if oneIn(5) { query.kind = oneIn(6) ? 3 : span.kind }
        let duration = span.end.nanoseconds - span.start.nanoseconds
        if oneIn(4) { query.minDuration = duration + Int64(pick([0, 0, -1, 1])) }
        if oneIn(5) { query.maxDuration = duration + Int64(pick([0, 0, -1, 1])) }
        for _ in 0..<below(3) { query.tags.append(tag(of: span)) }
        if oneIn(3) {
            let from = span.start.nanoseconds - Int64(pick([0, 1, Int(Self.hour)]))
            let length = Int64(pick([1, 1_000_000_000, Int(Self.hour), 5 * Int(Self.hour)]))
            query.range = TimeRange(
                start: Timestamp(nanoseconds: from), end: Timestamp(nanoseconds: from + length))
        }
        return query
    }

    /// A tag of every kind that rule J-9 knows.
    package mutating func tag(of span: TraceSpan) -> (key: String, value: String) {
        let status = ["unset", "ok", "error"]
        let code = status.indices.contains(Int(span.statusCode)) ? status[Int(span.statusCode)] : "unset"
        let kinds = ["", "internal", "server", "client", "producer", "consumer"]
        let kind = kinds.indices.contains(Int(span.kind)) ? kinds[Int(span.kind)] : ""
        let candidates: [(key: String, value: String)] = [
            ("error", "true"), ("error", "false"), ("span.kind", kind), ("span.status", code),
            ("otel.status_code", code.uppercased()), ("otel.status_description", span.statusMessage),
            ("scope.name", span.scope.name), ("otel.scope.name", span.scope.name),
            ("scope.version", span.scope.version), ("otel.scope.version", span.scope.version),
            ("w3c.tracestate", span.traceState), ("service.name", span.resource.serviceName ?? ""),
            ("resource.service.name", span.resource.serviceName ?? ""), ("nowhere", "x"),
        ]
        if oneIn(3) { return pick(candidates) }
        let sets: [(prefix: String, attributes: [Attribute])] = [
            ("", span.attributes), ("", span.attributes), ("", span.events.flatMap(\.attributes)),
            ("", span.scope.attributes), ("scope.", span.scope.attributes), ("", span.resource.attributes),
            ("resource.", span.resource.attributes), ("", span.links.flatMap(\.attributes)),
        ]
        let (prefix, attributes) = pick(sets)
        guard !attributes.isEmpty else { return pick(candidates) }
        let attribute = pick(attributes)
        return (prefix + attribute.key, oneIn(8) ? pick(["true", "3.0", "", "other"]) : spelling(attribute.value))
    }

    /// A double may be asked for in any decimal spelling.
    private mutating func spelling(_ value: AttributeValue) -> String {
        if case .double(3) = value { return pick(["3", "3.0", "3e0", "+3", "30e-1"]) }
        if case .double(0.5) = value { return pick(["0.5", ".5", "5E-1", "0.50"]) }
        return value.text
    }
}
