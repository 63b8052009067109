import Core
import HTTP
import JSON
import QueryModel
import Testing
import TraceFixtures

/// Rates, errors and latencies of services (J-32, J-34), and the paths of the deep dependency graph.
struct JaegerMetricsTests {
    private static let second: Int64 = 1_000_000_000

    /// `TraceClient.now` is at 13:20 past the hour; a span starts `secondsAgo` before it.
    private static func span(
        _ number: UInt64, _ service: String?, _ name: String, secondsAgo: Int64, kind: Int32 = 2,
        milliseconds: Int64 = 1, isError: Bool = false
    ) -> TraceSpan {
        var span = TraceSpan.make(
            trace: number, span: 1, service: service, name: name, kind: kind,
            start: TraceClient.now.nanoseconds - secondsAgo * second, duration: milliseconds * 1_000_000)
        span.statusCode = isError ? 2 : 1
        return span
    }

    private static let spans = [
        // 22:12:20 to 22:13:20 is the last minute before `now`, 22:13:20, and 22:13:00 the last whole one's end.
        span(1, "shop", "GET /", secondsAgo: 30, milliseconds: 8),
        span(2, "shop", "GET /", secondsAgo: 40, milliseconds: 4),
        span(3, "shop", "PUT /", secondsAgo: 79, milliseconds: 2, isError: true),
        span(4, "shop", "GET /", secondsAgo: 200), span(5, "shop", "GET /", secondsAgo: 19),
        span(6, "shop", "call", secondsAgo: 35, kind: 3), span(7, "back", "GET /", secondsAgo: 35),
        span(8, nil, "GET /", secondsAgo: 35), span(9, "OTLPResourceNoServiceName", "GET /", secondsAgo: 36),
    ]

    private let client = TraceClient(Self.spans)

    /// By labels: the points, as seconds of the time of day and value.
    private func series(_ target: String) throws -> [String: [String: Double]] {
        let response = client.get(target)
        #expect(response.status == 200, "\(target): \(response.text)")
        var series: [String: [String: Double]] = [:]
        for metric in try response.json()["metrics"]?.elements ?? [] {
            let labels = metric["labels"]?.elements.map { label in
                guard case .string(let name)? = label["name"], case .string(let value)? = label["value"] else {
                    return ""
                }
                return "\(name)=\(value)"
            }
            var points: [String: Double] = [:]
            for point in metric["metricPoints"]?.elements ?? [] {
                guard case .string(let time)? = point["timestamp"] else { continue }
                points[time] =
                    switch point["gaugeValue"]?["doubleValue"] {
                    case .int(let value)?: Double(value)
                    case .double(let value)?: value
                    default: nil
                    }
            }
            series[labels?.joined(separator: ",") ?? ""] = points
        }
        return series
    }

    private static let grid = "lookback=120000&step=60000&ratePer=60000"

    @Test func `J-S10, J-32 an answer is a metric family without an envelope`() {
        #expect(
            client.get("/api/metrics/calls?service=back&lookback=60000&step=60000&ratePer=60000").text == """
                {"name":"service_call_rate","type":"GAUGE","help":"calls/sec, grouped by service","metrics":[{"labels":[\
                {"name":"service_name","value":"back"}],"metricPoints":[{"gaugeValue":{"doubleValue":0.016666666666666666},\
                "timestamp":"2023-11-14T22:13:00Z"}]}]}
                """)
        #expect(
            client.get("/api/metrics/errors?service=none&groupByOperation=true").text == """
                {"name":"service_operation_error_rate","type":"GAUGE","help":"error rate, computed as a fraction of \
                errors/sec over calls/sec, grouped by service & operation","metrics":[]}
                """)
        #expect(
            client.get("/api/metrics/latencies?service=none&quantile=0.95").text == """
                {"name":"service_latencies","type":"GAUGE","help":"0.95th quantile latency, grouped by service","metrics":[]}
                """)
    }

    @Test func `J-32 a point is what was in the time before it, on the grid of steps`() throws {
        let times = ["2023-11-14T22:12:00Z", "2023-11-14T22:13:00Z"]
        // Spans 1, 2 lie between 22:12:00 and 22:13:00, 3 at 22:12:01; 4 at 22:10:00, 5 at 22:13:01.
        #expect(
            try series("/api/metrics/calls?service=shop&\(Self.grid)")
                == ["service_name=shop": [times[0]: 0, times[1]: 0.05]])
        #expect(
            try series("/api/metrics/errors?service=shop&\(Self.grid)")
                == ["service_name=shop": [times[1]: 1.0 / 3]])
        let wide = "lookback=120000&step=60000&ratePer=180000"
        #expect(
            try series("/api/metrics/calls?service=shop&\(wide)")
                == ["service_name=shop": [times[0]: 1.0 / 180, times[1]: 4.0 / 180]])
        #expect(
            try series("/api/metrics/errors?service=shop&\(wide)")
                == ["service_name=shop": [times[0]: 0, times[1]: 0.25]])
        // Rounded to whole steps, and one at least.
        #expect(
            try series("/api/metrics/calls?service=shop&lookback=120000&step=60000&ratePer=1")
                == ["service_name=shop": [times[0]: 0, times[1]: 0.05]])
    }

    @Test func `J-32 latencies are quantiles in milliseconds, within the histogram's error`() throws {
        let found = try series("/api/metrics/latencies?service=shop&quantile=0.5&\(Self.grid)")
        let value = try #require(found["service_name=shop"]?["2023-11-14T22:13:00Z"])
        #expect(abs(value - 4) <= 4 * ExponentialHistogram.relativeError)
        #expect(found["service_name=shop"]?.count == 1)
        let most = try series("/api/metrics/latencies?service=shop&quantile=1&\(Self.grid)")
        let greatest = try #require(most["service_name=shop"]?["2023-11-14T22:13:00Z"])
        #expect(abs(greatest - 8) <= 8 * ExponentialHistogram.relativeError)
    }

    @Test func `J-32 operations, kinds and several services are told apart`() throws {
        let found = try series("/api/metrics/calls?service=shop&service=back&groupByOperation=true&\(Self.grid)")
        #expect(
            Set(found.keys) == [
                "service_name=back,operation=GET /", "service_name=shop,operation=GET /",
                "service_name=shop,operation=PUT /",
            ])
        #expect(
            try Set(series("/api/metrics/calls?service=shop&spanKind=client&groupByOperation=1&\(Self.grid)").keys)
                == ["service_name=shop,operation=call"])
        #expect(
            try Set(
                series(
                    "/api/metrics/calls?service=shop&spanKind=CLIENT&spanKind=server&groupByOperation=T&\(Self.grid)"
                )
                .keys
            ).count == 3)
        let unnamed = try series("/api/metrics/calls?service=OTLPResourceNoServiceName&\(Self.grid)")
        #expect(unnamed["service_name=OTLPResourceNoServiceName"]?["2023-11-14T22:13:00Z"] == 2.0 / 60)
    }

    @Test func `J-32 sums over moving windows are those of their steps`() throws {
        // Seven steps of 10 seconds, moved over 30 of them.
        let spans: [TraceSpan] = (0..<200).map { (number: Int64) in
            Self.span(UInt64(number) + 1, "s", "o", secondsAgo: (number * 37) % 400, milliseconds: number % 9 + 1)
        }
        let answer = try TraceClient(spans).get(
            "/api/metrics/calls?service=s&lookback=300000&step=10000&ratePer=70000"
        ).json()
        let points = answer["metrics"]?[0]?["metricPoints"]?.elements ?? []
        #expect(points.count == 31)
        for (index, point) in points.enumerated() {
            let end: Int64 = TraceClient.now.nanoseconds - Int64(30 - index) * 10 * Self.second
            let start: Int64 = end - 70 * Self.second
            let count = spans.count { start <= $0.start.nanoseconds && $0.start.nanoseconds < end }
            let found = point["gaugeValue"]?["doubleValue"] ?? .null
            #expect("\(found)" == value(Double(count) / 70), "point \(index)")
        }
    }

    private func value(_ double: Double) -> String {
        double == double.rounded() ? "int(\(Int(double)))" : "double(\(double))"
    }

    @Test(arguments: [
        ("calls", "service: please provide at least one service name"), ("calls?service=", "service: please provide"),
        ("latencies?service=s", "quantile: please provide a quantile"),
        ("latencies?service=s&quantile=0", "quantile: \"0\" is not a number above 0 and not above 1"),
        ("latencies?service=s&quantile=1.01", "quantile: "), ("latencies?service=s&quantile=nan", "quantile: "),
        ("errors?service=s&endTs=x", "endTs: \"x\" is not an integer"),
        ("errors?service=s&lookback=-1", "lookback: must"),
        ("errors?service=s&step=0", "step: must be positive"), ("errors?service=s&ratePer=-5", "ratePer: must be"),
        ("errors?service=s&spanKind=server&spanKind=x", "spanKind: unknown kind \"x\""),
        ("errors?service=s&groupByOperation=yes", "groupByOperation: \"yes\" is neither true nor false"),
        ("errors?service=s&step=1&lookback=3600000", "step: the range has more than 11000 steps"),
        ("errors?service=s&lookback=9223372036854775807&step=60000", "step: the range has more"),
        ("errors?service=s&step=60000&ratePer=9223372036854775807", "step: the range has more"),
    ])
    func `J-13, J-32 a bad parameter is 400 in the envelope`(query: String, message: String) throws {
        let response = client.get("/api/metrics/\(query)")
        #expect(response.status == 400)
        guard case .string(let text)? = try response.json()["errors"]?[0]?["msg"] else {
            Issue.record("\(response.text)")
            return
        }
        let parts = message.split(separator: ":", maxSplits: 1)
        #expect(text.hasPrefix("unable to parse param '\(parts[0])':\(parts[1])"), "\(text)")
    }

    @Test(arguments: [
        "endTs=9223372036854775807&step=9223372036854775807&ratePer=1", "endTs=0&lookback=0&step=1",
        "endTs=9223372036854775807&lookback=0&step=7", "endTs=-9223372036854775808&lookback=0&step=7",
        "endTs=-1000000&lookback=60000&step=60000", "step=9223372036854775807&ratePer=9223372036854775807",
    ])
    func `J-32 enormous and ancient ranges are answered or refused`(query: String) {
        #expect([200, 400].contains(client.get("/api/metrics/calls?service=shop&\(query)").status))
    }

    @Test func `J-33 the least step is a millisecond`() {
        #expect(
            client.get("/api/metrics/minstep?service=shop").text
                == #"{"data":1,"total":0,"limit":0,"offset":0,"errors":null}"#)
    }

    @Test func `J-52 quality metrics count the spans that keep to what a trace should be`() throws {
        let sdk = TelemetryResource.named(
            "shop",
            [
                Attribute(key: "telemetry.sdk.language", value: .string("swift")),
                Attribute(key: "telemetry.sdk.version", value: .string("1.0")),
            ])
        let start = TraceClient.now.nanoseconds - 1_000_000
        let client = TraceClient([
            .make(trace: 1, span: 1, service: "shop", kind: 2, start: start, duration: 9, resource: sdk),
            // Before its parent, and without a kind.
            .make(trace: 1, span: 2, parent: 1, service: "shop", kind: 0, start: start - 1, duration: 5),
            // An orphan that ends before it starts, and shares its id.
            .make(trace: 1, span: 3, parent: 9, service: "shop", kind: 3, start: start + 1, duration: -1),
            .make(trace: 1, span: 3, parent: 1, service: "back", kind: 2, start: start + 2),
            // Too old.
            .make(trace: 2, span: 1, parent: 7, service: "shop", start: start - 3_600_000_000_000),
        ])
        let answer = try client.get("/api/quality-metrics?service=shop").json()
        func counts(_ answer: JSONValue) -> [[JSONValue?]] {
            answer["metrics"]?.elements.map { [$0["passCount"], $0["failureCount"], $0["exemptionCount"]] } ?? []
        }
        #expect(
            counts(answer) == [
                [.int(2), .int(1), .int(0)], [.int(2), .int(1), .int(0)], [.int(0), .int(1), .int(2)],
                [.int(2), .int(1), .int(0)], [.int(2), .int(1), .int(0)],
            ])
        // Of completeness 4 of 6, of consistency 4 of 7.
        #expect(answer["scores"]?.elements.map { $0["value"] } == [.int(66), .int(57)])
        let example: JSONValue = .object([
            ("traceID", .string(TraceID(high: 1, low: 1).hex)), ("spanIDs", .array([.string("0000000000000002")])),
        ])
        #expect(answer["metrics"]?[2]?["failureExamples"] == .array([example]))
        #expect(answer["clients"]?.elements.map { $0["version"] } == [.string("swift 1.0")])
        #expect(answer["clients"]?[0]?["count"] == .int(1))
        #expect(
            try counts(client.get("/api/quality-metrics?service=shop&hours=2").json())[0] == [
                .int(2), .int(2), .int(0),
            ])
        #expect(try counts(client.get("/api/quality-metrics?service=none").json())[0] == [.int(0), .int(0), .int(0)])
        for wrong in ["", "?service=shop&hours=0", "?service=shop&hours=99999999999999999999", "?service=shop&hours=x"]
        {
            let response = client.get("/api/quality-metrics\(wrong)")
            #expect(response.status == 400)
            #expect(try response.json()["errors"]?[0]?["code"] == .int(400))
        }
    }

    // MARK: Deep dependencies

    private static func call(
        _ trace: UInt64, _ span: UInt64, parent: UInt64, _ service: String, _ name: String, kind: Int32 = 2
    ) -> TraceSpan {
        .make(
            trace: trace, span: span, parent: parent, service: service, name: name, kind: kind,
            start: TraceClient.now.nanoseconds - 1_000_000 + Int64(span), duration: 5)
    }

    @Test(arguments: ["/api/deep-dependencies", "/analytics/v1/dependencies"])
    func `paths lead through a service from a trace's first span to its last`(path: String) {
        let client = TraceClient([
            Self.call(1, 1, parent: 0, "web", "GET /"), Self.call(1, 2, parent: 1, "web", "render", kind: 1),
            Self.call(1, 3, parent: 2, "web", "call", kind: 3), Self.call(1, 4, parent: 3, "shop", "list"),
            Self.call(1, 5, parent: 4, "shop", "query", kind: 3), Self.call(1, 6, parent: 5, "db", "select"),
            Self.call(1, 7, parent: 1, "auth", "check"),
            // The same path again.
            Self.call(2, 1, parent: 0, "web", "GET /"), Self.call(2, 4, parent: 1, "shop", "list"),
            Self.call(2, 6, parent: 4, "db", "select"),
            // Its own parent, and a parent that is not there.
            Self.call(3, 8, parent: 8, "shop", "loop"), Self.call(3, 9, parent: 77, "shop", "orphan"),
        ])
        func id(_ number: UInt64) -> String { TraceID(high: 1, low: number).hex }
        #expect(
            client.get("\(path)?service=shop&operation=list&start=0&end=0").text == """
                {"dependencies":[{"path":[{"service":"web","operation":"GET /"},{"service":"shop","operation":"list"},\
                {"service":"db","operation":"select"}],"attributes":[{"key":"exemplar_trace_id","value":"\(id(1))"},\
                {"key":"exemplar_trace_id","value":"\(id(2))"}]}]}
                """)
        // An operation that is no entry of its service is on the path if it was asked for.
        #expect(
            client.get("\(path)?service=web&operation=render").text.contains(
                #"{"service":"web","operation":"GET /"},{"service":"web","operation":"render"},{"service":"shop""#))
        #expect(
            client.get("\(path)?service=shop&operation=orphan").text.contains(
                #"[{"path":[{"service":"shop","operation":"orphan"}],"#))
        #expect(client.get("\(path)?service=none").text == #"{"dependencies":[]}"#)
        #expect(client.get(path).status == 400)
        #expect(client.get("\(path)?service=s&start=x").status == 400)
    }
}
