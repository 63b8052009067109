import Core
import QueryModel
import Readers
import Testing

/// The rules of §2.11, each on a few points, from memtables and from parts.
struct MetricReaderTests {
    typealias Point = MetricRequest.Point

    /// Ingests, and calls `body` before and after the flush.
    private func check(
        _ points: [Point], _ translation: MetricTranslation = MetricTranslation(),
        _ body: (MetricStore) throws -> Void
    ) throws {
        let store = try MetricStore(translation)
        try store.ingest(points)
        try body(store)
        try store.flush()
        try body(store)
    }

    @Test func `T-9: a sum is a series of milliseconds, and no recorded value a stale marker`() throws {
        func point(_ time: Double, _ value: MetricRequest.Value, flags: UInt32 = 0) -> Point {
            Point(
                metric: .counter("system.network.io", unit: "By"), attributes: attributes(["net.dev": "eth0"]),
                time: second(time), value: value, flags: flags)
        }
        // The last one has no value, and does not say that it lacks one.
        let points = [point(1.0005, .int(7)), point(2, .double(7.5)), point(3, .none, flags: 1), point(4, .none)]
        let name = "system_network_io_bytes_total"
        try check(points) { (store: MetricStore) throws in
            let found = try store.series(selector(name))
            try #require(found.count == 1)
            #expect(found[0].labels == labels(["__name__": name, "job": "shop", "net_dev": "eth0"] as KeyValuePairs))
            #expect(found[0].timestamps == [1_772_712_001_000, 1_772_712_002_000, 1_772_712_003_000])
            #expect(found[0].values[0...1] == [7, 7.5])
            #expect(Staleness.isMarker(found[0].values[2]))
            #expect(try store.series(selector("system_network_io_bytes")).isEmpty)
            let some = try store.series(selector(name), in: between(second(1.0006), second(3)))
            #expect(some.map(\.values) == [[7.5]])
        }
    }

    @Test func `T-4, T-5: attributes become labels, and job and instance come from the resource`() throws {
        var point = Point(metric: .gauge("load"), time: second(1), value: .double(1))
        point.resource = attributes([
            "service.name": "cart", "service.namespace": "shop", "service.instance.id": "pod-1", "host.name": "h",
        ])
        point.attributes = [
            Attribute(key: "b.x", value: .string("second")), Attribute(key: "b-x", value: .string("first")),
            Attribute(key: "job", value: .string("mine")), Attribute(key: "__name__", value: .string("other")),
            Attribute(key: "none", value: .string("")), Attribute(key: "ok", value: .bool(true)),
            Attribute(key: "ratio", value: .double(0.5)),
            Attribute(key: "list", value: .array([.int(1), .string("a")])),
        ]
        let expected = labels([
            "__name__": "load", "b_x": "first;second", "job": "shop/cart", "instance": "pod-1", "ok": "true",
            "ratio": "0.5", "list": "[1,\"a\"]",
        ])
        try check([point]) { (store: MetricStore) throws in
            #expect(try store.series(selector("load")).map(\.labels) == [expected])
        }
        // T-6, T-8.
        let promoting = MetricTranslation(promotedResourceAttributes: ["host.name"], promotesScopeMetadata: true)
        let wide = expected.setting("host_name", to: "h").setting("otel_scope_name", to: "library")
            .setting("otel_scope_version", to: "1.2")
        try check([point], promoting) { (store: MetricStore) throws in
            #expect(try store.series(selector("load")).map(\.labels) == [wide])
        }
    }

    @Test func `T-9: a histogram gives cumulative buckets, count and sum`() throws {
        func point(_ time: Double, _ counts: [UInt64], _ sum: Double?) -> Point {
            Point(
                metric: .histogram("http.server.request.duration", unit: "s"), time: second(time),
                value: .histogram(
                    count: counts.reduce(0, +), sum: sum, min: nil, max: nil, bounds: [0.005, 1, 2.5e21], counts: counts
                ))
        }
        let name = "http_server_request_duration_seconds"
        try check([point(1, [1, 2, 0, 4], 9), point(2, [2, 2, 1, 4], nil)]) { (store: MetricStore) throws in
            let buckets = try store.series(selector(name + "_bucket"))
            let byBound = Dictionary(uniqueKeysWithValues: buckets.map { ($0.labels["le"], $0.values) })
            #expect(
                byBound == ["0.005": [1, 2], "1": [3, 4], "2500000000000000000000": [3, 5], "+Inf": [7, 9]])
            #expect(try store.series(selector(name + "_count")).map(\.values) == [[7, 9]])
            #expect(try store.series(selector(name + "_sum")).map(\.values) == [[9]])
            #expect(try store.series(selector(name)).isEmpty)
            let some = try store.series(selector(name + "_bucket", LabelMatcher("le", .regex, "1|.Inf")))
            #expect(some.map(\.values) == [[7, 9], [3, 4]])
            #expect(try store.series([LabelMatcher("__name__", .regex, name + "_.*")]).count == 6)
            #expect(try store.series([LabelMatcher("job", .equal, "shop"), LabelMatcher("le", .equal, "")]).count == 2)
            let bounds = try store.reader.labelValues(
                of: "le", matching: [], in: .everything, context: store.context())
            #expect(bounds == ["+Inf", "0.005", "1", "2500000000000000000000"])
        }
    }

    @Test func `a histogram may change its bounds, and a bucket that stays goes on`() throws {
        func point(_ time: Double, _ bounds: [Double], _ counts: [UInt64]) -> Point {
            Point(
                metric: .histogram("h"), time: second(time),
                value: .histogram(
                    count: counts.reduce(0, +), sum: 1, min: nil, max: nil, bounds: bounds, counts: counts))
        }
        let stale = Point(metric: .histogram("h"), time: second(4), value: .none, flags: 1)
        let points = [point(1, [1, 2], [1, 1, 1]), point(2, [1], [5, 5]), point(3, [1, 2], [2, 2, 2]), stale]
        try check(points) { (store: MetricStore) throws in
            let found = try store.series(selector("h_bucket"))
            let byBound = Dictionary(uniqueKeysWithValues: found.map { ($0.labels["le"], $0) })
            #expect(byBound["1"]?.values.dropLast() == [1, 5, 2])
            #expect(byBound["2"]?.values.dropLast() == [2, 4])
            #expect(byBound["+Inf"]?.values.dropLast() == [3, 10, 6])
            for series in found { #expect(series.values.last.map(Staleness.isMarker) == true) }
        }
    }

    @Test func `T-9: an exponential histogram is a native one, merged to schema 8, its index shifted by one`() throws {
        func point(_ time: Double, scale: Int32, threshold: Double = 0) -> Point {
            Point(
                metric: .exponential("e"), time: second(time),
                value: .exponential(
                    count: 11, sum: 3, scale: scale, zeroCount: 1, zeroThreshold: threshold, positiveOffset: -2,
                    positive: [1, 2, 3, 4], negativeOffset: 5, negative: [0]))
        }
        let points = [point(1, scale: 3), point(2, scale: 9, threshold: 0.25), point(3, scale: -5)]
        try check(points) { (store: MetricStore) throws in
            let found = try store.series(selector("e"))
            try #require(found.count == 1 && found[0].histograms.count == 2)
            let first = found[0].histograms[0]
            #expect(first.schema == 3 && first.positiveOffset == -1 && first.positive == [1, 2, 3, 4])
            #expect(first.zeroThreshold == 1e-128 && first.zeroCount == 1 && first.count == 11 && first.sum == 3)
            let second = found[0].histograms[1]
            // Prometheus's indexes -1, 0, 1, 2 at schema 9 are 0, 0, 1, 1 at schema 8: ceil(i / 2).
            #expect(second.schema == 8 && second.positiveOffset == 0 && second.positive == [3, 7])
            #expect(second.zeroThreshold == 0.25)
        }
    }

    @Test func `T-9: a summary gives quantiles, sum and count`() throws {
        let points = [1.0, 2].map { time in
            Point(
                metric: .summary("s"), time: second(time),
                value: .summary(count: UInt64(time * 10), sum: time, quantiles: [(0.5, time + 0.5), (0.99, time + 9)]))
        }
        try check(points) { (store: MetricStore) throws in
            let found = try store.series(selector("s"))
            #expect(found.map { $0.labels["quantile"] } == ["0.5", "0.99"])
            #expect(found.map(\.values) == [[1.5, 2.5], [10, 11]])
            #expect(try store.series(selector("s_count")).map(\.values) == [[10, 20]])
            #expect(try store.series(selector("s_sum")).map(\.values) == [[1, 2]])
            let quantiles = try store.reader.labelValues(
                of: "quantile", matching: [], in: .everything, context: store.context())
            #expect(quantiles == ["0.5", "0.99"])
        }
    }

    @Test func `T-9: delta points are accumulated from 0:00 UTC on, whatever range is asked for`() throws {
        // 23:59:30, 23:59:45, and 0:00:15, 0:00:30 of the next day; sent out of order.
        let times = [-30, -15, 15, 30].map { second(43_200) + $0 * 1_000_000_000 }
        let points = [2, 0, 3, 1].map { i in
            Point(
                metric: .counter("d", isDelta: true), time: times[i], start: times[i] - 15_000_000_000,
                value: .int([2, 3, 10, 20][i]))
        }
        try check(points) { (store: MetricStore) throws in
            let all = try store.series(selector("d_total"))
            try #require(all.count == 1)
            let milliseconds = times.map { $0 / 1_000_000 }
            // A zero just after the beginning of the first interval of each day.
            #expect(all[0].values == [0, 2, 5, 0, 10, 30])
            #expect(
                all[0].timestamps == [
                    milliseconds[0] - 14_999, milliseconds[0], milliseconds[1], milliseconds[2] - 14_999,
                    milliseconds[2], milliseconds[3],
                ])
            let late = TimeRange(start: Timestamp(nanoseconds: times[3]), end: .max)
            #expect(try store.series(selector("d_total"), in: late).map(\.values) == [[30]])
            let early = between(times[1], times[2])
            #expect(try store.series(selector("d_total"), in: early).map(\.values) == [[5]])
        }
    }

    @Test func `T-9: delta histograms of both kinds are accumulated`() throws {
        func histogram(_ time: Double, _ counts: [UInt64]) -> Point {
            Point(
                metric: .histogram("dh", isDelta: true), time: second(time),
                value: .histogram(count: counts.reduce(0, +), sum: 2, min: nil, max: nil, bounds: [1], counts: counts))
        }
        func exponential(_ time: Double, _ offset: Int32) -> Point {
            Point(
                metric: .exponential("de", isDelta: true), time: second(time),
                value: .exponential(
                    count: 1, sum: 1, scale: 0, zeroCount: 0, zeroThreshold: 0, positiveOffset: offset, positive: [1],
                    negativeOffset: 0, negative: []))
        }
        let points = [histogram(2, [3, 4]), histogram(1, [1, 1]), exponential(1, 0), exponential(2, 2)]
        try check(points) { (store: MetricStore) throws in
            #expect(try store.series(selector("dh_bucket")).map(\.values) == [[2, 9], [1, 4]])
            #expect(try store.series(selector("dh_count")).map(\.values) == [[2, 9]])
            #expect(try store.series(selector("dh_sum")).map(\.values) == [[2, 4]])
            let native = try store.series(selector("de"))
            #expect(native.first?.histograms.map(\.count) == [1, 2])
            #expect(native.first?.histograms.last?.positive == [1, 0, 1])
        }
    }

    @Test func `equal label sets of several streams are one series, and one sample remains of equal times`() throws {
        // Two scopes are two streams with one label set.
        func point(_ scope: String, _ time: Double, _ value: Double) -> Point {
            Point(metric: .gauge("g"), scope: scope, time: second(time), value: .double(value))
        }
        let store = try MetricStore()
        try store.ingest([point("one", 1, 1), point("two", 2, 2), point("one", 3, 3), point("two", 3, 4)])
        let before = try store.series(selector("g"))
        try store.flush()
        let after = try store.series(selector("g"))
        try #require(before.count == 1 && after.count == 1)
        #expect(before[0].values.prefix(2) == [1, 2] && before[0].values.count == 3)
        #expect(before[0].isIdentical(to: after[0]))
        // The same stream again: what was stored last counts, in memory and in a part.
        try store.ingest([point("one", 1, 9)])
        #expect(try store.series(selector("g"))[0].values[0] == 9)
        try store.flush()
        #expect(try store.series(selector("g"))[0].values[0] == 9)
    }

    @Test func `T-7: target_info is one for each resource with more than its identity`() throws {
        let rich = attributes([
            "service.name": "cart", "service.instance.id": "1", "host.name": "h", "k8s.pod.name": "p",
        ])
        let plain = attributes(["service.name": "plain"])
        let nameless = attributes(["host.name": "h"])
        let points = [(rich, 0.0), (plain, 0), (nameless, 0), (rich, 700)].map { resource, time in
            Point(metric: .gauge("g"), resource: resource, time: second(time), value: .double(1))
        }
        let expected = labels([
            "__name__": "target_info", "job": "cart", "instance": "1", "host_name": "h", "k8s_pod_name": "p",
        ])
        try check(points) { (store: MetricStore) throws in
            let found = try store.series(selector("target_info"))
            try #require(found.count == 1)
            #expect(found[0].labels == expected)
            // From the first to the last point; 12:00 is a multiple of the interval of 150 seconds.
            let seconds = found[0].timestamps.map { ($0 - second(0) / 1_000_000) / 1000 }
            #expect(seconds == [0, 150, 300, 450, 600, 700] && found[0].values.allSatisfy { $0 == 1 })
            let some = try store.series(selector("target_info"), in: between(second(200), second(450)))
            #expect(some.map(\.timestamps.count) == [1])
            #expect(try store.series(selector("target_info", LabelMatcher("host_name", .equal, "x"))).isEmpty)
        }
    }
    @Test func `a directory that was emptied between queries changes no answer`() throws {
        let store = try MetricStore(directoryBytes: 0)
        let points = (0..<20).map { i in
            Point(
                metric: .gauge("g\(i % 5)"), resource: attributes(["service.name": "s\(i)", "host.name": "h\(i)"]),
                time: second(Double(i)), value: .double(Double(i)))
        }
        try store.ingest(points)
        for _ in 0..<2 {
            let all = try store.series([LabelMatcher("job", .regex, "s.*")])
            #expect(all.count == 40 && Set(all.map(\.labels)).count == 40)
            #expect(all.filter { $0.labels["__name__"] == "target_info" }.allSatisfy { $0.values == [1] })
            try store.flush()
        }
    }
}
