import Core
import QueryModel
import Readers
import Testing

/// The calls that answer without samples.
struct MetricLabelTests {
    private func filled() throws -> MetricStore {
        let store = try MetricStore()
        var counter = MetricRequest.Metric.counter("requests", unit: "{request}")
        counter.description = "How many"
        let rich = attributes(["service.name": "cart", "host.name": "h"])
        try store.ingest([
            MetricRequest.Point(
                metric: counter, resource: rich, attributes: attributes(["code": "200"]), time: second(0),
                value: .int(1)),
            MetricRequest.Point(
                metric: counter, attributes: attributes(["code": "500"]), time: second(0), value: .int(1)),
            MetricRequest.Point(
                metric: .histogram("latency", unit: "s"), time: second(0),
                value: .histogram(count: 1, sum: 1, min: nil, max: nil, bounds: [0.5], counts: [1, 0])),
        ])
        try store.flush()
        try store.ingest([
            MetricRequest.Point(
                metric: .gauge("depth"), attributes: attributes(["queue": "q"]), time: second(86_400), value: .int(1))
        ])
        return store
    }

    @Test func `P-17: names are those of what matches`() throws {
        let store = try filled()
        func names(_ selectors: [[LabelMatcher]]) throws -> [String] {
            try store.reader.labelNames(matching: selectors, in: .everything, context: store.context())
        }
        #expect(try names([]) == ["__name__", "code", "host_name", "job", "le", "queue"])
        #expect(try names([selector("requests_total")]) == ["__name__", "code", "job"])
        #expect(try names([selector("latency_seconds_sum")]) == ["__name__", "job"])
        let half = try LabelMatcher("le", .equal, "0.5")
        #expect(try names([selector("latency_seconds_bucket", half)]) == ["__name__", "job", "le"])
        let nine = try LabelMatcher("le", .equal, "9")
        #expect(try names([selector("latency_seconds_bucket", nine)]).isEmpty)
        #expect(try names([selector("depth"), selector("requests_total")]) == ["__name__", "code", "job", "queue"])
    }

    @Test func `P-18, P-19: values are those of what matches`() throws {
        let store = try filled()
        func values(_ name: String, _ selectors: [[LabelMatcher]] = []) throws -> [String] {
            try store.reader.labelValues(of: name, matching: selectors, in: .everything, context: store.context())
        }
        let all = [
            "depth", "latency_seconds_bucket", "latency_seconds_count", "latency_seconds_sum", "requests_total",
            "target_info",
        ]
        #expect(try values("__name__") == all)
        let some = try LabelMatcher("__name__", .regex, ".*seconds_(sum|count)")
        #expect(try values("__name__", [[some]]) == ["latency_seconds_count", "latency_seconds_sum"])
        #expect(try values("code", [selector("requests_total", LabelMatcher("job", .equal, "cart"))]) == ["200"])
        #expect(try values("le") == ["+Inf", "0.5"])
        #expect(try values("nowhere").isEmpty)
    }

    @Test func `P-20: label sets are whole, and each is there once`() throws {
        let store = try filled()
        let selectors = try [
            selector("latency_seconds_bucket"), [LabelMatcher("le", .equal, "0.5")], selector("target_info"),
        ]
        let sets = try store.reader.labelSets(matching: selectors, in: .everything, context: store.context())
        #expect(
            sets.sorted()
                == [
                    labels(["__name__": "latency_seconds_bucket", "job": "shop", "le": "+Inf"]),
                    labels(["__name__": "latency_seconds_bucket", "job": "shop", "le": "0.5"]),
                    labels(["__name__": "target_info", "job": "cart", "host_name": "h"]),
                ].sorted())
    }

    @Test func `P-21: a part outside of the range is not asked`() throws {
        let store = try filled()
        try store.flush()
        let names = try store.reader.labelValues(
            of: "queue", matching: [], in: between(second(-60), second(60)), context: store.context())
        #expect(names.isEmpty)
    }

    @Test func `P-23, T-11: metadata has type, help and unit by family`() throws {
        let store = try filled()
        let all = try store.reader.metadata(metric: nil, context: store.context())
        #expect(all.keys.sorted() == ["depth", "latency_seconds", "requests_total", "target_info"])
        #expect(all["requests_total"] == [MetricMetadata(type: "counter", help: "How many", unit: "")])
        #expect(all["latency_seconds"] == [MetricMetadata(type: "histogram", help: "", unit: "seconds")])
        #expect(all["depth"] == [MetricMetadata(type: "gauge", help: "", unit: "")])
        #expect(try store.reader.metadata(metric: "depth", context: store.context()).count == 1)
        #expect(try store.reader.metadata(metric: "none", context: store.context()).isEmpty)
    }

    @Test func `T-2, T-11: a delta sum has a counter's name, and an unknown type`() throws {
        let store = try MetricStore()
        try store.ingest([
            MetricRequest.Point(metric: .counter("d", isDelta: true), time: second(0), value: .int(1))
        ])
        let found = try store.reader.metadata(metric: nil, context: store.context())
        #expect(found == ["d_total": [MetricMetadata(type: "unknown", help: "", unit: "")]])
    }

    @Test func `tenants see nothing of each other`() throws {
        let store = try filled()
        let other = try #require(TenantID("other"))
        let context = store.context(other)
        #expect(try store.reader.labelNames(matching: [], in: .everything, context: context).isEmpty)
        try store.ingest([MetricRequest.Point(metric: .gauge("mine"), time: second(0), value: .int(1))], tenant: other)
        let names = try store.reader.labelValues(of: "__name__", matching: [], in: .everything, context: context)
        #expect(names == ["mine"])
    }

    @Test func `P-24, T-10: exemplars belong to the bucket that their value falls into, each once`() throws {
        func exemplar(_ time: Double, _ value: Double, _ attributes: [Attribute] = []) -> MetricRequest.Exemplar {
            MetricRequest.Exemplar(
                time: second(time), value: .double(value), traceID: TraceID(high: 0x1234, low: 0xABCD),
                spanID: SpanID(word: 5), attributes: attributes)
        }
        let long = attributes(["user": String(repeating: "x", count: 100)])
        let exemplars = [exemplar(3, 0.2), exemplar(1, 7, attributes(["user": "u"])), exemplar(2, 0.3, long)]
        // A sender repeats its exemplars.
        let points = [10.0, 20].map { time in
            MetricRequest.Point(
                metric: .histogram("latency", unit: "s"), time: second(time),
                value: .histogram(count: 3, sum: 1, min: nil, max: nil, bounds: [0.5], counts: [2, 1]),
                exemplars: exemplars)
        }
        let store = try MetricStore()
        try store.ingest(points)
        let ids = labels(["trace_id": "0000000000001234000000000000abcd", "span_id": "0000000000000005"])
        for _ in 0..<2 {
            let found = try store.reader.exemplars(
                matching: [selector("latency_seconds_bucket")], in: between(second(0), second(5)),
                context: store.context())
            try #require(found.map { $0.labels["le"] } == ["+Inf", "0.5"])
            let user = ids.setting("user", to: "u")
            #expect(found[0].exemplars == [SeriesExemplar(labels: user, value: 7, timestamp: second(1) / 1_000_000)])
            #expect(
                found[1].exemplars == [
                    SeriesExemplar(labels: ids, value: 0.3, timestamp: second(2) / 1_000_000),
                    SeriesExemplar(labels: ids, value: 0.2, timestamp: second(3) / 1_000_000),
                ])
            let counts = try store.reader.exemplars(
                matching: [selector("latency_seconds_count")], in: .everything, context: store.context())
            #expect(counts.isEmpty)
            try store.flush()
        }
    }
}
