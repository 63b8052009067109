import Core
import QueryModel
import Readers
import Scheduling
import Testing

/// Points as they were sent.
struct MetricPointTests {
    private func points(
        _ store: MetricStore, name: String? = nil, service: String? = nil, in range: TimeRange = .everything,
        limit: Int = 100
    ) throws -> [MetricPoint] {
        try store.reader.metricPoints(
            name: name, service: service, in: range, limit: limit, context: store.context())
    }

    @Test func `every field of every kind comes back as it was sent`() throws {
        let exemplar = MetricRequest.Exemplar(
            time: second(-1), value: .int(7), traceID: TraceID(high: 1, low: 2), spanID: SpanID(word: 3),
            attributes: attributes(["k": "v"]))
        var metric = MetricRequest.Metric.counter("m.int", unit: "By")
        metric.description = "words"
        metric.metadata = attributes(["prometheus.type": "counter"])
        var first = MetricRequest.Point(
            metric: metric, resource: attributes(["service.name": "cart", "x": "y"]),
            attributes: [Attribute(key: "a", value: .map([Attribute(key: "b", value: .array([.int(1), .empty]))]))],
            time: second(1), start: second(0), value: .int(.max - 1), flags: 6, exemplars: [exemplar])
        first.resourceSchemaURL = "https://example.org/schema"
        let values: [(MetricRequest.Metric, MetricRequest.Value)] = [
            (.gauge("m.none"), .none), (.gauge("m.double"), .double(-0.0)),
            (
                .histogram("m.histogram"),
                .histogram(count: .max, sum: nil, min: 0.5, max: 9, bounds: [1, 2], counts: [1, 2, .max])
            ),
            (
                .exponential("m.exponential", isDelta: true),
                .exponential(
                    count: 5, sum: 1.5, scale: -3, zeroCount: 2, zeroThreshold: 0.25, positiveOffset: -7, positive: [1],
                    negativeOffset: 8, negative: [2, 0])
            ),
            (.summary("m.summary"), .summary(count: 3, sum: 4, quantiles: [(0, 1), (1, 2)])),
        ]
        let others = values.enumerated().map { index, item in
            MetricRequest.Point(metric: item.0, time: second(0) - Int64(index), value: item.1)
        }
        let store = try MetricStore()
        try store.ingest([first] + others)
        for _ in 0..<2 {
            let found = try points(store)
            try #require(
                found.map(\.name) == ["m.int", "m.none", "m.double", "m.histogram", "m.exponential", "m.summary"])
            checkHeader(found[0])
            check(found.map(\.value))
            #expect(found.map(\.kind) == [.sum, .gauge, .gauge, .histogram, .exponentialHistogram, .summary])
            #expect(found[4].temporality == 1)
            try store.flush()
        }
    }

    private func checkHeader(_ point: MetricPoint) {
        #expect(point.description == "words" && point.unit == "By" && point.temporality == 2 && point.isMonotonic)
        #expect(point.metadata == attributes(["prometheus.type": "counter"]))
        #expect(point.time.nanoseconds == second(1) && point.startTime.nanoseconds == second(0) && point.flags == 6)
        #expect(
            point.attributes == [
                Attribute(key: "a", value: .map([Attribute(key: "b", value: .array([.int(1), .empty]))]))
            ])
        #expect(point.resource.serviceName == "cart" && point.resource.schemaURL == "https://example.org/schema")
        #expect(point.resource.attributes == attributes(["service.name": "cart", "x": "y"]))
        #expect(point.scope.name == "library" && point.scope.version == "1.2")
        #expect(point.exemplars.count == 1)
        guard let exemplar = point.exemplars.first, case .int(7) = exemplar.value else {
            Issue.record("the exemplar is an integer")
            return
        }
        #expect(exemplar.time.nanoseconds == second(-1) && exemplar.attributes == attributes(["k": "v"]))
        #expect(exemplar.traceID == TraceID(high: 1, low: 2) && exemplar.spanID == SpanID(word: 3))
    }

    private func check(_ values: [MetricPoint.Value]) {
        guard case .int(let integer) = values[0], case .none = values[1], case .double(let double) = values[2],
            case .histogram(let count, let sum, let min, let max, let bounds, let counts) = values[3],
            case .exponentialHistogram(
                let total, let all, let low, _, let scale, let zeros, let threshold, let positiveOffset, let positive,
                let negativeOffset, let negative) = values[4],
            case .summary(let events, let amount, let quantiles) = values[5]
        else {
            Issue.record("a value has the wrong kind")
            return
        }
        #expect(integer == .max - 1 && double == 0 && double.sign == .minus)
        #expect(count == .max && sum == nil && min == 0.5 && max == 9 && bounds == [1, 2] && counts == [1, 2, .max])
        #expect(total == 5 && all == 1.5 && low == nil && scale == -3 && zeros == 2 && threshold == 0.25)
        #expect(positiveOffset == -7 && positive == [1] && negativeOffset == 8 && negative == [2, 0])
        #expect(events == 3 && amount == 4 && quantiles.map(\.quantile) == [0, 1] && quantiles.map(\.value) == [1, 2])
    }

    @Test func `the newest come first, as many as wanted, of the name, service and range`() throws {
        let store = try MetricStore()
        for batch in 0..<3 {
            let times = (0..<20).map { second(Double($0 * 3 + batch)) }
            try store.ingest(
                times.flatMap { time in
                    ["one", "two"].map { service in
                        MetricRequest.Point(
                            metric: .gauge(service), resource: attributes(["service.name": service]), time: time,
                            value: .int(time))
                    }
                })
            if batch < 2 { try store.flush() }
        }
        let newest = try points(store, name: "one", limit: 4)
        #expect(newest.map(\.time.nanoseconds) == [59, 58, 57, 56].map { second($0) })
        let range = between(second(10), second(13))
        let some = try points(store, service: "two", in: range)
        #expect(some.map(\.time.nanoseconds) == [12, 11, 10].map { second($0) })
        #expect(some.allSatisfy { $0.name == "two" })
        #expect(try points(store, limit: 1000).count == 120)
        #expect(try points(store, name: "three").isEmpty)
        #expect(try points(store, limit: 0).isEmpty)
    }

    @Test func `a query over its budget, or cancelled, ends with that error`() throws {
        let store = try MetricStore()
        try store.ingest(
            (0..<100).map { MetricRequest.Point(metric: .gauge("g"), time: second(Double($0)), value: .int(1)) })
        for _ in 0..<2 {
            #expect(throws: QueryError.interrupted(.overBudget(bytes: 1000))) {
                try store.reader.series(
                    matching: selector("g"), in: .everything, context: store.context(byteLimit: 1000))
            }
            let cancelled = store.context()
            cancelled.cancel()
            #expect(throws: QueryError.interrupted(.cancelled)) {
                try store.reader.series(matching: selector("g"), in: .everything, context: cancelled)
            }
            try store.flush()
        }
    }
}
