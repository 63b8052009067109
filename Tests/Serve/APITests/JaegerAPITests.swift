import Core
import HTTP
import JSON
import QueryModel
import Testing
import TraceFixtures

/// The legacy API's routes, parameters and errors (J-1 to J-51, smoke tests J-S1 to J-S7).
struct JaegerAPITests {
    private static let empty = #"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#
    private static let micros: Int64 = 1_700_000_000_000_000

    private static let spans: [TraceSpan] = [
        span(1, 1, "front", "GET /", 2, secondsAgo: 60, [Attribute(key: "http.status_code", value: .int(500))]),
        span(1, 2, "back/end", "query", 3, secondsAgo: 59, parent: 1),
        span(1, 3, "back/end", "query", 2, secondsAgo: 58, parent: 2),
        span(2, 1, "front", "GET /b", 2, secondsAgo: 30),
        span(3, 1, "front", "GET /", 0, secondsAgo: 50 * 3_600),
    ]

    private static func span(
        _ trace: UInt64, _ span: UInt64, _ service: String, _ name: String, _ kind: Int32, secondsAgo: Int64,
        parent: UInt64 = 0, _ attributes: [Attribute] = []
    ) -> TraceSpan {
        .make(
            trace: trace, span: span, parent: parent, service: service, name: name, kind: kind,
            start: TraceClient.now.nanoseconds - secondsAgo * 1_000_000_000, duration: Int64(span) * 100_000_000,
            attributes: attributes)
    }

    private let client = TraceClient(Self.spans)

    /// The low halves of the ids of the traces found.
    private func found(_ target: String) throws -> [String] {
        let response = client.get(target)
        #expect(response.status == 200, "\(target): \(response.text)")
        return try response.json()["data"]?.elements.map {
            guard case .string(let id) = $0["traceID"] else { return "" }
            return String(id.suffix(1))
        } ?? []
    }

    @Test(arguments: [
        "/api/services", "/api/services/none/operations", "/api/operations?service=none", "/api/traces?service=none",
        "/api/dependencies?endTs=1700000000000&lookback=86400000", "/jaeger/api/services",
    ])
    func `J-S1, J-S7, J-1, J-3 an empty database is a success in the envelope (G-14)`(target: String) {
        let response = TraceClient().get(target)
        #expect(response.status == 200)
        #expect(response.text == Self.empty)
        #expect(response.headers.contains { $0 == ("Content-Type", "application/json") })
    }

    @Test func `J-5 services are listed, sorted and once`() {
        #expect(
            client.get("/api/services").text
                == #"{"data":["back/end","front"],"total":2,"limit":0,"offset":0,"errors":null}"#)
    }

    @Test(arguments: ["/api/services/back%2Fend/operations", "/api/services/back/end/operations"])
    func `J-S2, J-6 a service's slashes may be encoded or not`(target: String) {
        #expect(client.get(target).text == #"{"data":["query"],"total":1,"limit":0,"offset":0,"errors":null}"#)
    }

    @Test func `J-7 operations have kinds`() {
        #expect(
            client.get("/api/operations?service=back%2Fend").text
                == #"{"data":[{"name":"query","spanKind":"server"},{"name":"query","spanKind":"client"}],"total":2,"limit":0,"offset":0,"errors":null}"#
        )
        #expect(
            client.get("/api/operations?service=back%2Fend&spanKind=client").text
                == #"{"data":[{"name":"query","spanKind":"client"}],"total":1,"limit":0,"offset":0,"errors":null}"#)
        #expect(
            client.get("/api/operations?service=front&spanKind=unspecified").text
                == #"{"data":[{"name":"GET /","spanKind":""}],"total":1,"limit":0,"offset":0,"errors":null}"#)
    }

    @Test(arguments: [
        ("service=front", ["2", "1"]), ("service=front&operation=GET%20/", ["1"]),
        ("service=front&operation=", ["2", "1"]),
        ("service=front&limit=1", ["2"]), ("service=front&limit=0", ["2", "1"]),
        ("service=front&limit=99999999999999999999", ["2", "1"]),
        ("service=front&start=0", ["2", "1", "3"]), ("service=front&start=0&lookback=1h", ["2", "1", "3"]),
        ("service=front&start=-99999999999999999999&end=99999999999999999999", ["2", "1", "3"]),
        ("service=front&start=\(micros - 60_000_000)&end=\(micros - 60_000_000)", ["1"]),
        ("service=front&start=\(micros - 59_999_999)&end=\(micros)", ["2"]),
        ("service=front&start=\(micros)&end=0", []),
        ("service=back/end&minDuration=250ms", ["1"]), ("service=back/end&minDuration=0.3s&maxDuration=300ms", ["1"]),
        ("service=back/end&minDuration=301ms", []), ("service=back/end&maxDuration=199999us", []),
        ("service=front&tags=%7B%22http.status_code%22:%22500%22%7D", ["1"]),
        ("service=front&tags=%7B%22http.status_code%22:%22500%22,%22x%22:%22y%22%7D", []),
        ("service=front&tag=http.status_code:500&tag=span.kind:server", ["1"]),
        ("service=back/end&spanKind=client", ["1"]), ("service=back/end&spanKind=producer", []),
        ("service=front&tags=%7B%7D", ["2", "1"]),
        ("service=front&tag=a:b:c", []), ("service=back/end&tag=http.status_code:500", []),
    ])
    func `J-8 to J-10 a search finds, newest first`(query: String, traces: [String]) throws {
        #expect(try found("/api/traces?\(query)") == traces)
    }

    @Test func `J-8 a found trace is complete`() throws {
        let trace = try client.get("/api/traces?service=back/end").json()["data"]?[0]
        #expect(trace?["spans"]?.elements.count == 3)
    }

    @Test(arguments: [
        ("/api/traces", "parameter 'service' is required"), ("/api/traces?service=", "parameter 'service' is required"),
        ("/api/operations", "parameter 'service' is required"),
        ("/api/operations?service=s&spanKind=x", "unable to parse param 'spanKind': unknown kind \"x\""),
        (
            "/api/traces?service=s&tags=%7Bx",
            "malformed 'tags' parameter, cannot unmarshal JSON: unexpected character 'x' at offset 1"
        ),
        (
            "/api/traces?service=s&tags=%7B%22a%22:1%7D",
            "malformed 'tags' parameter, cannot unmarshal JSON: the value of \"a\" is not a string"
        ),
        ("/api/traces?service=s&tag=x", "malformed 'tag' parameter, expecting key:value, received: x"),
        ("/api/traces?service=s&start=x", "unable to parse param 'start': \"x\" is not an integer"),
        ("/api/traces?service=s&end=1.5", "unable to parse param 'end': \"1.5\" is not an integer"),
        ("/api/traces?service=s&limit=-1", "unable to parse param 'limit': must not be negative"),
        ("/api/traces?service=s&minDuration=5", "unable to parse param 'minDuration': invalid duration \"5\""),
        ("/api/traces?service=s&maxDuration=-5s", "unable to parse param 'maxDuration': must not be negative"),
        ("/api/traces?service=s&minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("/api/traces?traceID=xyz", "unable to parse param 'traceID': \"xyz\" is not a trace id"),
        ("/api/traces/xyz", "unable to parse param 'traceID': \"xyz\" is not a trace id"),
        (
            "/api/traces/\(String(repeating: "a", count: 33))",
            "unable to parse param 'traceID': \"\(String(repeating: "a", count: 33))\" is not a trace id"
        ),
        ("/api/traces/1?start=x", "unable to parse param 'start': \"x\" is not an integer"),
        ("/api/traces/1?raw=x", "unable to parse param 'raw': \"x\" is neither true nor false"),
        ("/api/traces?service=s&spanKind=x", "unable to parse param 'spanKind': unknown kind \"x\""),
        ("/api/dependencies?endTs=x", "unable to parse param 'endTs': \"x\" is not an integer"),
        ("/api/dependencies?lookback=-1", "unable to parse param 'lookback': must not be negative"),
    ])
    func `J-S3, J-S4, J-13 a bad parameter is 400 in the envelope`(target: String, message: String) throws {
        let response = client.get(target)
        #expect(response.status == 400)
        let json = try response.json()
        #expect(json["data"] == .null)
        #expect(json["total"] == .int(0))
        #expect(json["errors"] == .array([.object([("code", .int(400)), ("msg", .string(message))])]))
    }

    @Test func `J-S5, J-16 a trace that is not stored is 404`() {
        let response = client.get("/api/traces/ffff")
        #expect(response.status == 404)
        #expect(
            response.text
                == #"{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}"#)
    }

    @Test func `J-S6, J-14 an id may lack its leading zeros, be upper case, or base64`() {
        var span = TraceSpan.make(trace: 1, span: 1)
        span.traceID = TraceID(high: 0, low: 0x0123_4567_89AB_CDEF)
        let client = TraceClient([span])
        let reply = client.get("/api/traces/0123456789abcdef")
        #expect(reply.status == 200)
        for id in [
            "00000000000000000123456789abcdef", "123456789ABCDEF", "ASNFZ4mrze8=", "AAAAAAAAAAABI0VniavN7w==",
        ] {
            #expect(client.get("/api/traces/\(id)").body == reply.body, "\(id)")
        }
    }

    @Test func `J-12 a list of ids answers what is stored and names what is not`() throws {
        let (first, second) = (TraceID(high: 1, low: 1).hex, TraceID(high: 1, low: 2).hex)
        let response = client.get("/api/traces?traceID=\(second)&traceID=ffff&traceID=\(first)&traceID=ffff")
        #expect(response.status == 200)
        let json = try response.json()
        #expect(json["data"]?.elements.map { $0["traceID"] } == [.string(second), .string(first)])
        #expect(
            json["errors"]
                == .array([
                    .object([("msg", .string("trace not found")), ("traceID", .string("000000000000ffff"))])
                ]))
    }

    @Test func `J-15 hints of time do not hide a trace`() throws {
        #expect(try found("/api/traces/\(TraceID(high: 1, low: 1).hex)?start=1&end=2&raw=true") == ["1"])
    }

    @Test func `J-30, J-31 the dependency graph has an entry for each pair of services`() {
        #expect(
            client.get("/api/dependencies").text
                == #"{"data":[{"parent":"front","child":"back/end","callCount":1}],"total":1,"limit":0,"offset":0,"errors":null}"#
        )
        #expect(client.get("/api/dependencies?service=front").text == client.get("/api/dependencies").text)
        #expect(client.get("/api/dependencies?service=other").text == Self.empty)
        #expect(client.get("/api/dependencies?endTs=1600000000000&lookback=9223372036854775807").text == Self.empty)
    }

    @Test func `J-2 an unknown path is an error in the envelope`() {
        #expect(
            client.get("/api/nonsense").text
                == #"{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"not found: /api/nonsense"}]}"#
        )
    }

    @Test func `J-51 an uploaded OTLP file is shown as the stored trace would be`() throws {
        let stored = TraceClient(AwkwardTrace.spans)
        let file = stored.get("/api/v1/traces/\(AwkwardTrace.id.hex)").text
        let shown = client.post("/api/transform", file)
        #expect(shown.status == 200)
        #expect(try shown.json() == stored.get("/api/traces/\(AwkwardTrace.id.hex)").json())
        let snake = file.replacing("spanId", with: "span_id").replacing(
            "startTimeUnixNano", with: "start_time_unix_nano")
        #expect(client.post("/api/transform", snake).body == shown.body)
    }

    @Test(arguments: [
        ("x", "cannot unmarshal OTLP: unexpected character 'x' at offset 0"),
        (#"{"resourceSpans":1}"#, "cannot unmarshal OTLP: resourceSpans: expected an array, found a number"),
        (
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01","spanId":"02"}]}]}]}"#,
            "cannot unmarshal OTLP: resourceSpans: a span's traceId and spanId must be of 16 and 8 bytes"
        ),
    ])
    func `J-51 a bad file is 400`(body: String, message: String) throws {
        let response = client.post("/api/transform", body)
        #expect(response.status == 400)
        #expect(try response.json()["errors"]?[0]?["msg"] == .string(message))
    }

    @Test func `J-51 an empty file has no traces`() {
        #expect(client.post("/api/transform", "{}").text == Self.empty)
    }
}
