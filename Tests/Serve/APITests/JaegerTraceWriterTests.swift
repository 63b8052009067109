import Core
import HTTP
import JSON
import QueryModel
import Testing
import TraceFixtures

/// How the legacy API shows spans, against JSON written by hand after J-17 to J-22 and §6.7.
struct JaegerTraceWriterTests {
    @Test func `the awkward trace is shown by the rules`() throws {
        let response = TraceClient(AwkwardTrace.spans).get("/api/traces/\(AwkwardTrace.id.hex)")
        let expected = #"""
            {"data":[{"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spans":[
            {"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"051581bf3cb55c13","flags":1,
             "operationName":"GET /é/\"x\"","references":[],"startTime":1706678909209712,"duration":1,
             "tags":[{"key":"otel.scope.name","type":"string","value":"lib"},
              {"key":"otel.scope.version","type":"string","value":"2"},
              {"key":"string","type":"string","value":"a\nb"},
              {"key":"bool","type":"bool","value":false},
              {"key":"int","type":"int64","value":9007199254740991},
              {"key":"big","type":"int64","value":"-9007199254740992"},
              {"key":"double","type":"float64","value":1.5},
              {"key":"whole","type":"float64","value":3},
              {"key":"nan","type":"string","value":"NaN"},
              {"key":"inf","type":"string","value":"-Infinity"},
              {"key":"bytes","type":"binary","value":"AQL/"},
              {"key":"empty","type":"string","value":""},
              {"key":"list","type":"string","value":"[1,\"x\",{}]"},
              {"key":"map","type":"string","value":"{\"b\":9223372036854775807,\"k\":\"Infinity\"}"},
              {"key":"span.kind","type":"string","value":"client"},
              {"key":"otel.status_code","type":"string","value":"ERROR"},
              {"key":"error","type":"bool","value":true},
              {"key":"otel.status_description","type":"string","value":"boom"},
              {"key":"w3c.tracestate","type":"string","value":"a=b"}],
             "logs":[{"timestamp":1706678909209713,"fields":[{"key":"event","type":"string","value":"exception"},
               {"key":"exception.type","type":"string","value":"E"}]},
              {"timestamp":1706678909209714,"fields":[{"key":"event","type":"string","value":"own"}]},
              {"timestamp":1706678909209715,"fields":[]}],
             "processID":"p1","warnings":null},
            {"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"0000000000000002",
             "operationName":"","references":[
              {"refType":"CHILD_OF","traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"051581bf3cb55c13"},
              {"refType":"FOLLOWS_FROM","traceID":"00000000000000ab","spanID":"0000000000000009"},
              {"refType":"CHILD_OF","traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"0000000000000007"},
              {"refType":"FOLLOWS_FROM","traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"051581bf3cb55c13"}],
             "startTime":1706678909209713,"duration":0,
             "tags":[{"key":"otel.status_code","type":"string","value":"OK"}],"logs":[],
             "processID":"p2","warnings":null}],
            "processes":{"p1":{"serviceName":"shop/α","tags":[{"key":"host.name","type":"string","value":"h"},
              {"key":"zone","type":"int64","value":7}]},
             "p2":{"serviceName":"OTLPResourceNoServiceName","tags":[]}},
            "warnings":null}],"total":1,"limit":0,"offset":0,"errors":null}
            """#
        #expect(response.status == 200)
        #expect(try response.json() == JSONValue.parse(Array(expected.utf8)))
    }

    @Test func `J-17 the id of a 64-bit trace has 16 digits everywhere`() throws {
        var span = TraceSpan.make(trace: 1, span: 5, parent: 4)
        span.traceID = TraceID(high: 0, low: 0xFEED)
        let trace = try #require(try TraceClient([span]).get("/api/traces/feed").json()["data"]?[0])
        let id = JSONValue.string("000000000000feed")
        #expect(trace["traceID"] == id)
        #expect(trace["spans"]?[0]?["traceID"] == id)
        #expect(trace["spans"]?[0]?["references"]?[0]?["traceID"] == id)
    }

    @Test func `J-21 spans with equal services and tags share a process, whatever the tags' order`() throws {
        let tags = [Attribute(key: "a", value: .double(.nan)), Attribute(key: "b", value: .int(1))]
        let trace = try #require(
            try TraceClient([
                .make(trace: 1, span: 1, start: 1, resource: .named("s", tags)),
                .make(trace: 1, span: 2, start: 2, resource: .named("s", tags.reversed())),
                .make(trace: 1, span: 3, start: 3, resource: .named("s", [])),
                .make(trace: 1, span: 4, start: 4, resource: .named("t", tags)),
            ]).get("/api/traces/\(TraceID(high: 1, low: 1).hex)").json()["data"]?[0])
        let ids = trace["spans"]?.elements.map { $0["processID"] }
        #expect(ids == [.string("p1"), .string("p1"), .string("p2"), .string("p3")])
    }

    @Test func `J-11 every span's process is there`() throws {
        let spans = (1...20).map {
            TraceSpan.make(trace: UInt64($0 % 3), span: UInt64($0), service: "s\($0 % 5)", start: Int64($0) * 1_000)
        }
        let found = try TraceClient(spans).get("/api/traces?service=s1&start=0&end=1000").json()["data"]?.elements ?? []
        #expect(found.count == 3)
        for trace in found {
            let spans = trace["spans"]?.elements ?? []
            #expect(!spans.isEmpty)
            for span in spans {
                guard case .string(let process) = span["processID"] else { Issue.record("no process"); continue }
                #expect(trace["processes"]?[process]?["serviceName"] != nil)
            }
        }
    }

    @Test func `J-4 pretty printing changes the layout alone`() throws {
        let client = TraceClient(AwkwardTrace.spans)
        let compact = client.get("/api/traces/\(AwkwardTrace.id.hex)")
        let pretty = client.get("/api/traces/\(AwkwardTrace.id.hex)?prettyPrint=true")
        #expect(try pretty.json() == compact.json())
        #expect(client.get("/api/services?prettyPrint=true").text.hasPrefix("{\n  \"data\": [\n    \"OTLPResourceNo"))
        #expect(
            TraceClient().get("/api/services?prettyPrint=true").text == """
                {
                  "data": [],
                  "total": 0,
                  "limit": 0,
                  "offset": 0,
                  "errors": null
                }

                """)
    }
}
