import API
import Core
import HTTP
import JSON
import OTLP
import QueryModel
import Scheduling
import Synchronization
import Testing
import TraceFixtures

/// The plain read API: its parameters, its errors, and OTLP/JSON of logs and metrics.
struct RecordAPITests {
    private static let resource = TelemetryResource(
        serviceName: "shop", attributes: [Attribute(key: "service.name", value: .string("shop"))],
        droppedAttributesCount: 2, schemaURL: "r")
    private static let scope = TelemetryScope(
        name: "lib", version: "1", attributes: [], droppedAttributesCount: 0, schemaURL: "s")

    @Test func `a log record is shown with all that was sent`() throws {
        var record = LogRecord(resource: Self.resource, scope: Self.scope)
        record.time = Timestamp(nanoseconds: 5)
        record.observedTime = Timestamp(nanoseconds: 6)
        record.severityNumber = 17
        record.severityText = "ERROR"
        record.body = .map([Attribute(key: "k", value: .array([.string("v"), .empty]))])
        record.attributes = [Attribute(key: "a", value: .bytes([]))]
        record.droppedAttributesCount = 1
        record.flags = 1
        record.traceID = TraceID(high: 1, low: 2)
        record.spanID = SpanID(word: 3)
        record.eventName = "e"
        let plain = LogRecord(resource: Self.resource, scope: Self.scope)
        let source = FixedRecords(logs: [record, plain])
        let response = TraceClient(records: source).get("/varve/api/v1/logs")
        let expected = #"""
            {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],
             "droppedAttributesCount":2},"schemaUrl":"r","scopeLogs":[{"scope":{"name":"lib","version":"1"},"schemaUrl":"s",
             "logRecords":[{"timeUnixNano":"5","observedTimeUnixNano":"6","severityNumber":17,"severityText":"ERROR",
             "body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"stringValue":"v"},{}]}}}]}},
             "attributes":[{"key":"a","value":{"bytesValue":""}}],"droppedAttributesCount":1,"flags":1,
             "traceId":"00000000000000010000000000000002","spanId":"0000000000000003","eventName":"e"},
             {"timeUnixNano":"0","attributes":[]}]}]}]}
            """#
        #expect(try sorted(response.json()) == sorted(JSONValue.parse(Array(expected.utf8))))
        #expect(try !OTLPJSON.transcode(logs: response.body).isEmpty)
    }

    @Test func `points of one metric are put together, and every kind is shown`() throws {
        func point(_ name: String, _ kind: MetricKind, _ value: MetricPoint.Value) -> MetricPoint {
            var point = MetricPoint(resource: Self.resource, scope: Self.scope)
            point.name = name
            point.kind = kind
            point.value = value
            point.time = Timestamp(nanoseconds: 9)
            return point
        }
        var sum = point("s", .sum, .double(.nan))
        sum.temporality = 2
        sum.isMonotonic = true
        sum.unit = "By"
        sum.startTime = Timestamp(nanoseconds: 1)
        sum.flags = 1
        sum.exemplars = [
            .init(
                time: Timestamp(nanoseconds: 8), value: .int(-1), traceID: TraceID(high: 1, low: 2),
                spanID: SpanID(word: 3), attributes: [Attribute(key: "f", value: .int(1))])
        ]
        let points = [
            point("g", .gauge, .int(.max)), sum,
            point("h", .histogram, .histogram(count: 3, sum: 1.5, min: nil, max: 1, bounds: [0.5], counts: [1, 2])),
            point("g", .gauge, .none),
            point(
                "e", .exponentialHistogram,
                .exponentialHistogram(
                    count: 2, sum: nil, min: nil, max: nil, scale: -1, zeroCount: 1, zeroThreshold: 0.25,
                    positiveOffset: -2,
                    positive: [1], negativeOffset: 0, negative: [])),
            point("q", .summary, .summary(count: 1, sum: 2, quantiles: [(0.5, .infinity)])),
        ]
        let response = TraceClient(records: FixedRecords(metrics: points)).get("/api/v1/metrics")
        let expected = #"""
            {"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],
             "droppedAttributesCount":2},"schemaUrl":"r","scopeMetrics":[{"scope":{"name":"lib","version":"1"},"schemaUrl":"s",
             "metrics":[{"name":"g","gauge":{"dataPoints":[{"attributes":[],"timeUnixNano":"9","asInt":"9223372036854775807"},
              {"attributes":[],"timeUnixNano":"9"}]}},
             {"name":"s","unit":"By","sum":{"dataPoints":[{"attributes":[],"startTimeUnixNano":"1","timeUnixNano":"9",
              "asDouble":"NaN","flags":1,"exemplars":[{"timeUnixNano":"8","asInt":"-1","spanId":"0000000000000003",
              "traceId":"00000000000000010000000000000002",
              "filteredAttributes":[{"key":"f","value":{"intValue":"1"}}]}]}],"aggregationTemporality":2,"isMonotonic":true}},
             {"name":"h","histogram":{"dataPoints":[{"attributes":[],"timeUnixNano":"9","count":"3","sum":1.5,"max":1,
              "bucketCounts":["1","2"],"explicitBounds":[0.5]}],"aggregationTemporality":0}},
             {"name":"e","exponentialHistogram":{"dataPoints":[{"attributes":[],"timeUnixNano":"9","count":"2","scale":-1,
              "zeroCount":"1","zeroThreshold":0.25,"positive":{"offset":-2,"bucketCounts":["1"]}}],"aggregationTemporality":0}},
             {"name":"q","summary":{"dataPoints":[{"attributes":[],"timeUnixNano":"9","count":"1","sum":2,
              "quantileValues":[{"quantile":0.5,"value":"Infinity"}]}]}}]}]}]}
            """#
        #expect(try sorted(response.json()) == sorted(JSONValue.parse(Array(expected.utf8))))
        #expect(try !OTLPJSON.transcode(metrics: response.body).isEmpty)
    }

    @Test func `traces are found by the parameters of a search`() throws {
        let client = TraceClient([
            .make(trace: 1, span: 1, service: "a", name: "x", start: 1_700_000_000_000_000_000, duration: 50),
            .make(trace: 2, span: 1, service: "b", start: 1_700_000_001_000_000_000),
        ])
        func count(_ query: String) throws -> Int {
            try client.get("/api/v1/traces?\(query)").json()["resourceSpans"]?.elements.count ?? -1
        }
        #expect(try count("") == 2)
        #expect(try count("service=a&operation=x&minDuration=50ns&maxDuration=50ns&tag=span.kind:server") == 1)
        #expect(try count("tags=%7B%22span.kind%22:%22client%22%7D") == 0)
        #expect(try count("limit=1") == 1)
        #expect(try count("kind=server") == 2)
        #expect(try count("kind=client") == 0)
        #expect(try count("status=unset&service=b") == 1)
        #expect(try count("status=error") == 0)
        #expect(try count("trace_id=00000000000000010000000000000002&trace_id=ff&service=none") == 1)
        let second = "1700000000"
        for digits in [second, second + "000", second + "000000", second + "000000000", second + ".0"] {
            #expect(try count("end=\(digits)") == 1, "\(digits)")
            #expect(try count("start=\(digits)&end=\(digits)") == 1, "\(digits)")
        }
        #expect(try count("start=2023-11-14T22:13:20.5Z") == 1)
        #expect(try count("start=2023-11-15T00:13:20.5+02:00") == 1)
        #expect(try count("start=-99999999999999999999&end=99999999999999999999") == 2)
    }

    @Test(arguments: [
        ("traces?start=x", "start: \"x\" is neither a time of RFC 3339 nor a number since 1970"),
        ("traces?start=2&end=1", "start must not be after end"),
        ("logs?limit=0", "limit: \"0\" is not a positive number"),
        ("metrics?limit=x", "limit: \"x\" is not a positive number"),
        ("traces?minDuration=1", "minDuration: \"1\" is not a duration such as 1.5s or 100ms"),
        ("traces?minDuration=2s&maxDuration=1s", "maxDuration must not be below minDuration"),
        ("traces?tags=x", "tags: unexpected character 'x' at offset 0"),
        ("traces?tag=x", "tag: \"x\" is not key:value"),
        ("traces/xyz", "\"xyz\" is not a trace id of 1 to 32 hexadecimal digits"),
        ("logs?trace_id=xyz", "trace_id: \"xyz\" is not 1 to 32 hexadecimal digits"),
        (
            "logs?severity=LOUD",
            "severity: \"LOUD\" is neither a number from 1 to 24 nor TRACE, DEBUG, INFO, WARN, ERROR, FATAL"
        ),
    ])
    func `a bad parameter is 400 with its name`(target: String, message: String) throws {
        let response = TraceClient().get("/api/v1/\(target)")
        #expect(response.status == 400)
        #expect(
            try response.json()
                == .object([("error", .object([("code", .int(400)), ("message", .string(message))]))]))
    }

    @Test func `the text of an answer counts against the memory of its query`() {
        var record = LogRecord(resource: Self.resource, scope: Self.scope)
        record.body = .string(String(repeating: "x", count: 1000))
        var point = MetricPoint(resource: Self.resource, scope: Self.scope)
        point.kind = .gauge
        point.description = String(repeating: "x", count: 1000)
        let points = (0..<100).map { index in
            point.name = "\(index)"
            return point
        }
        let source = FixedRecords(logs: Array(repeating: record, count: 100), metrics: points)
        for signal in ["logs", "metrics"] {
            let small = TraceClient(records: source, limits: QueryLimits(memory: 50_000)).get("/api/v1/\(signal)")
            #expect(small.status == 422)
            #expect(small.text.contains("the query needs more than 50000 bytes"))
            let client = TraceClient(records: source, limits: QueryLimits(memory: 500_000))
            #expect(client.get("/api/v1/\(signal)").status == 200)
        }
    }

    @Test func `what is not there is 404, and no data is empty`() {
        let client = TraceClient()
        #expect(client.get("/api/v1/traces/ff").status == 404)
        #expect(client.get("/api/v1/traces").text == #"{"resourceSpans":[]}"#)
        #expect(client.get("/api/v1/logs").text == #"{"resourceLogs":[]}"#)
        #expect(client.get("/api/v1/metrics").text == #"{"resourceMetrics":[]}"#)
    }

    @Test(
        arguments: [
            ("", nil), ("severity=0", nil), ("severity=9", 9), ("severity=warn", 13), ("severity=Warning", 13),
            ("severity=ERROR3", 19), ("severity=trace", 1), ("severity=FATAL4", 24),
        ] as [(String, Int32?)])
    func `severity is a number or a name`(query: String, minimum: Int32?) {
        let source = FixedRecords()
        _ = TraceClient(records: source).get("/api/v1/logs?\(query)")
        #expect(source.asked.withLock { $0.severity } == minimum)
    }

    @Test func `parameters of logs reach the source`() {
        let source = FixedRecords()
        _ = TraceClient(records: source).get(
            "/api/v1/logs?service=s&trace_id=0F&contains=a%20b&start=1&end=2&limit=99999999")
        let asked = source.asked.withLock { $0 }
        #expect(asked.service == "s")
        #expect(asked.traceID == TraceID(high: 0, low: 15))
        #expect(asked.contains == "a b")
        #expect(
            asked.range
                == TimeRange(
                    start: Timestamp(nanoseconds: 1_000_000_000), end: Timestamp(nanoseconds: 2_000_000_001)))
        #expect(asked.limit == 10_000)
    }

    /// Members by key, since their order says nothing.
    private func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(sorted))
        case .object(let members): .object(members.map { ($0.key, sorted($0.value)) }.sorted { $0.0 < $1.0 })
        default: value
        }
    }
}

/// Answers the same records whatever is asked, and notes what was.
private final class FixedRecords: RecordSource {
    struct Asked: Sendable {
        var service: String?
        var traceID: TraceID?
        var severity: Int32?
        var contains: String?
        var range = TimeRange.everything
        var limit = 0
    }

    let asked = Mutex(Asked())
    private let logs: [LogRecord]
    private let metrics: [MetricPoint]

    init(logs: [LogRecord] = [], metrics: [MetricPoint] = []) {
        self.logs = logs
        self.metrics = metrics
    }

    func logRecords(
        service: String?, traceID: TraceID?, minimumSeverity: Int32?, contains text: String?, in range: TimeRange,
        limit: Int, context: QueryContext
    ) -> [LogRecord] {
        asked.withLock {
            $0 = Asked(
                service: service, traceID: traceID, severity: minimumSeverity, contains: text, range: range,
                limit: limit)
        }
        return logs
    }

    func metricPoints(
        name: String?, service: String?, in range: TimeRange, limit: Int, context: QueryContext
    ) -> [MetricPoint] { metrics }
}
