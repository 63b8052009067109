import Core
import HTTP
import JSON
import QueryModel
import Testing
import TraceFixtures

/// The v3 API (J-40 to J-44, smoke tests J-S8 and J-S9), and the OTLP/JSON that it shares with the plain API.
struct JaegerV3APITests {
    private static let window = "query.startTimeMin=2023-11-14T00:00:00Z&query.startTimeMax=2023-11-15T00:00:00Z"

    private static let spans: [TraceSpan] = {
        let start = TraceClient.now.nanoseconds
        var failed = TraceSpan.make(
            trace: 1, span: 2, parent: 1, service: "back", kind: 3, start: start + 5, duration: 100)
        failed.statusCode = 2
        return [
            .make(trace: 1, span: 1, service: "front", name: "GET /", start: start + 10, duration: 20), failed,
            .make(trace: 1, span: 3, parent: 99, service: "back", kind: 0, start: start + 20, duration: -10),
            .make(trace: 2, span: 1, service: "front", name: "POST /", start: start - 1_000_000_000),
        ]
    }()

    private let client = TraceClient(Self.spans)

    @Test func `J-S8, J-41 services`() {
        #expect(TraceClient().get("/api/v3/services").text == #"{"services":[]}"#)
        #expect(client.get("/api/v3/services").text == #"{"services":["back","front"]}"#)
    }

    @Test func `J-42 operations print an unspecified kind as internal`() {
        #expect(
            client.get("/api/v3/operations?service=back").text
                == #"{"operations":[{"name":"GET /","spanKind":"internal"},{"name":"GET /","spanKind":"client"}]}"#)
        #expect(
            client.get("/api/v3/operations?service=back&span_kind=client").text
                == #"{"operations":[{"name":"GET /","spanKind":"client"}]}"#)
        #expect(client.get("/api/v3/operations?service=none").text == #"{"operations":[]}"#)
    }

    @Test(arguments: [
        ("/api/v3/traces/ffff", 404, "No traces found"),
        ("/api/v3/traces/xyz", 400, "malformed parameter trace_id: \"xyz\" is not a trace id"),
        ("/api/v3/traces/1?startTime=1", 400, "malformed parameter startTime: \"1\" is not a time of RFC 3339"),
        ("/api/v3/traces/1?end_time=x", 400, "malformed parameter end_time: \"x\" is not a time of RFC 3339"),
        ("/api/v3/traces/1?rawTraces=2", 400, "malformed parameter rawTraces: \"2\" is neither true nor false"),
        (
            "/api/v3/traces?\(window)&query.raw_traces=x", 400,
            "malformed parameter query.raw_traces: \"x\" is neither true nor false"
        ),
        (
            "/api/v3/trace-summaries?\(window)&query.spanKind=x", 400,
            "malformed parameter query.spanKind: unknown kind \"x\""
        ),
        ("/api/v3/operations", 400, "malformed parameter service: parameter is required"),
        ("/api/v3/operations?service=a&spanKind=b", 400, "malformed parameter spanKind: unknown kind \"b\""),
        ("/api/v3/traces?query.serviceName=a", 400, "malformed parameter query.startTimeMin: parameter is required"),
        (
            "/api/v3/trace-summaries?query.startTimeMin=2023-11-14T00:00:00Z", 400,
            "malformed parameter query.startTimeMax: parameter is required"
        ),
        (
            "/api/v3/traces?query.start_time_min=x", 400,
            "malformed parameter query.start_time_min: \"x\" is not a time of RFC 3339"
        ),
        (
            "/api/v3/traces?\(window)&query.durationMin=x", 400,
            "malformed parameter query.durationMin: invalid duration \"x\""
        ),
        (
            "/api/v3/traces?\(window)&query.searchDepth=x", 400,
            "malformed parameter query.searchDepth: \"x\" is not a number of traces"
        ),
        (
            "/api/v3/traces?\(window)&query.attributes=x", 400,
            "malformed parameter query.attributes: unexpected character 'x' at offset 0"
        ),
        ("/api/v3/nonsense", 404, "not found: /api/v3/nonsense"),
    ])
    func `J-S9, J-40 errors have their own form`(target: String, status: Int, message: String) throws {
        let response = client.get(target)
        #expect(response.status == status)
        #expect(
            try response.json()
                == .object([("error", .object([("httpCode", .int(Int64(status))), ("message", .string(message))]))]))
    }

    @Test(arguments: [
        (window, 2), ("\(window)&query.serviceName=back", 1), ("\(window)&query.service_name=front", 2),
        ("\(window)&query.operationName=POST%20/", 1), ("\(window)&query.searchDepth=1", 1),
        ("\(window)&query.num_traces=1", 1), ("\(window)&query.attributes=%7B%22error%22:%22true%22%7D", 1),
        ("\(window)&query.durationMin=90ns&query.durationMax=1ms", 1),
        ("\(window)&query.rawTraces=true", 2),
        ("query.startTimeMin=2023-11-14T22:13:20%2B00:00&query.startTimeMax=2023-11-14T22:13:20.000000005Z", 1),
        // The plus sign arrives as a space.
        ("query.startTimeMin=2023-11-14T22:13:20+00:00&query.startTimeMax=2023-11-14T23:13:20Z", 1),
        ("query.startTimeMin=2023-11-15T00:00:00Z&query.startTimeMax=2023-11-16T00:00:00Z", 0),
    ])
    func `J-44 both searches find the same traces`(query: String, count: Int) throws {
        let summaries = try client.get("/api/v3/trace-summaries?\(query)").json()["summaries"]
        #expect(summaries?.elements.count == count)
        let groups = try client.get("/api/v3/traces?\(query)").json()["result"]?["resourceSpans"]?.elements ?? []
        let spans = groups.flatMap { $0["scopeSpans"]?.elements ?? [] }.flatMap { $0["spans"]?.elements ?? [] }
        let ids = Set(
            spans.compactMap { span -> String? in
                guard case .string(let id) = span["traceId"] else { return nil }
                return id
            })
        #expect(ids.count == count)
    }

    @Test func `J-44 a summary counts spans, errors and orphans`() throws {
        let reply = client.get("/api/v3/trace-summaries?\(Self.window)&query.serviceName=back").text
        #expect(
            reply == #"{"summaries":[{"traceId":"00000000000000010000000000000001","rootServiceName":"front","#
                + #""rootOperationName":"GET /","minStartTimeUnixNano":"1700000000000000005","#
                + #""maxEndTimeUnixNano":"1700000000000000105","spanCount":3,"errorSpanCount":1,"orphanSpanCount":1,"#
                + #""services":[{"name":"back","spanCount":2,"errorSpanCount":1},{"name":"front","spanCount":1,"errorSpanCount":0}]}]}"#
        )
    }

    @Test func `J-43 the awkward trace is OTLP JSON by the rules`() throws {
        let expected = #"""
            {"result":{"resourceSpans":[
            {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop/α"}},
              {"key":"zone","value":{"intValue":"7"}},{"key":"host.name","value":{"stringValue":"h"}}]},
             "scopeSpans":[{"scope":{"name":"lib","version":"2","attributes":[{"key":"hidden","value":{"boolValue":true}}]},
             "spans":[{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13","traceState":"a=b",
              "flags":769,"name":"GET /é/\"x\"","kind":3,"startTimeUnixNano":"1706678909209712999",
              "endTimeUnixNano":"1706678909209714998","attributes":[
               {"key":"string","value":{"stringValue":"a\nb"}},{"key":"bool","value":{"boolValue":false}},
               {"key":"int","value":{"intValue":"9007199254740991"}},{"key":"big","value":{"intValue":"-9007199254740992"}},
               {"key":"double","value":{"doubleValue":1.5}},{"key":"whole","value":{"doubleValue":3}},
               {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"inf","value":{"doubleValue":"-Infinity"}},
               {"key":"bytes","value":{"bytesValue":"AQL/"}},{"key":"empty","value":{}},
               {"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"x"},
                {"kvlistValue":{"values":[]}}]}}},
               {"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":"Infinity"}},
                {"key":"b","value":{"intValue":"9223372036854775807"}}]}}}],
              "events":[{"timeUnixNano":"1706678909209713001","name":"exception",
               "attributes":[{"key":"exception.type","value":{"stringValue":"E"}}],"droppedAttributesCount":1},
               {"timeUnixNano":"1706678909209714000","name":"named",
               "attributes":[{"key":"event","value":{"stringValue":"own"}}]},
               {"timeUnixNano":"1706678909209715000","name":""}],
              "status":{"message":"boom","code":2}}]}]},
            {"resource":{"attributes":[]},"scopeSpans":[{"scope":{},"spans":[
             {"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"0000000000000002","parentSpanId":"051581bf3cb55c13",
              "flags":256,"name":"","kind":0,"startTimeUnixNano":"1706678909209713500",
              "endTimeUnixNano":"1706678909209708500","attributes":[],
              "links":[{"traceId":"000000000000000000000000000000ab","spanId":"0000000000000009"},
               {"traceId":"00000000000000000000000000000000","spanId":"0000000000000009"},
               {"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"0000000000000000"},
               {"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"0000000000000007",
                "attributes":[{"key":"opentracing.ref_type","value":{"stringValue":"child_of"}}]},
               {"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13"}],
              "status":{"code":1}}]}]}]}}
            """#
        let response = TraceClient(AwkwardTrace.spans).get("/api/v3/traces/\(AwkwardTrace.id.hex)?rawTraces=true")
        #expect(try response.json() == JSONValue.parse(Array(expected.utf8)))
    }
}
