import API
import HTTP
import JSON
import QueryModel
import QuerySupport
import Testing

/// Prometheus's routes, parameters, forms and errors (rules P-1 to P-34, smoke tests S-1 to S-14).
struct PrometheusAPITests {
    private static func labels(_ pairs: (String, String)...) -> Labels { Labels(pairs.map { Label($0.0, $0.1) }) }

    private static let source: MemorySeriesSource = {
        var source = MemorySeriesSource([
            SampleSeries(
                labels: labels(("__name__", "up"), ("job", "b"), ("service.name", "x")), timestamps: [1000, 2500],
                values: [1, 1e-7]),
            SampleSeries(
                labels: labels(("__name__", "up"), ("job", "a")), timestamps: [1000, 2000], values: [0, .nan]),
            SampleSeries(
                labels: labels(("__name__", "sizes")), timestamps: [1000], values: [0],
                histograms: [
                    NativeHistogram(
                        schema: 0, count: 7, sum: 18.5, zeroThreshold: 0.001, zeroCount: 2, positiveOffset: 0,
                        positive: [1, 0, 2], negativeOffset: 1, negative: [2])
                ]),
        ])
        source.metricMetadata = [
            "up": [MetricMetadata(type: "gauge", help: "Is it \"up\"?", unit: "")],
            "bytes": [
                MetricMetadata(type: "counter", help: "a", unit: "bytes"),
                MetricMetadata(type: "gauge", help: "b", unit: ""),
            ],
        ]
        source.seriesExemplars = [
            (
                labels(("__name__", "up"), ("job", "a")),
                [SeriesExemplar(labels: labels(("trace_id", "ab")), value: 6, timestamp: 1_600_096_945_479)]
            )
        ]
        return source
    }()

    private let client = PrometheusClient(Self.source)

    private static func success(_ data: String) -> String { #"{"status":"success","data":\#(data)}"# }

    static let answers: [(String, String)] = [
        // S-1, P-8
        ("/query?query=1%2B1&time=4", #"{"resultType":"scalar","result":[4,"2"]}"#),
        ("/query?query=-1%2F0&time=1435781451.781", #"{"resultType":"scalar","result":[1435781451.781,"-Inf"]}"#),
        ("/query?query=time()", #"{"resultType":"scalar","result":[1700000000,"1700000000"]}"#),
        (
            "/query?query=time()&time=2015-07-01T20:10:51.07Z",
            #"{"resultType":"scalar","result":[1435781451.070,"1435781451.07"]}"#
        ),
        ("/query?query=%22foo%22&time=1", #"{"resultType":"string","result":[1,"foo"]}"#),
        ("/query?query=nope", #"{"resultType":"vector","result":[]}"#),
        (
            "/query?query=up&time=3",
            #"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[3,"NaN"]},"#
                + #"{"metric":{"__name__":"up","job":"b","service.name":"x"},"value":[3,"1e-07"]}]}"#
        ),
        // P-9
        (
            "/query?query=up%7Bjob%3D%22b%22%7D%5B5m%5D&time=3",
            #"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"b","service.name":"x"},"#
                + #""values":[[1,"1"],[2.500,"1e-07"]]}]}"#
        ),
        // P-10
        (
            "/query?query=sort_desc(up%20offset%202s)&time=3",
            #"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"b","service.name":"x"},"value":[3,"1"]},"#
                + #"{"metric":{"__name__":"up","job":"a"},"value":[3,"0"]}]}"#
        ),
        // P-12
        (
            "/query?query=sizes&time=1",
            #"{"resultType":"vector","result":[{"metric":{"__name__":"sizes"},"histogram":[1,{"count":"7","sum":"18.5","buckets":"#
                + #"[[1,"-2","-1","2"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"2","4","2"]]}]}]}"#
        ),
        (
            "/query_range?query=sizes&start=1&end=1&step=1",
            #"{"resultType":"matrix","result":[{"metric":{"__name__":"sizes"},"histograms":[[1,{"count":"7","sum":"18.5","buckets":"#
                + #"[[1,"-2","-1","2"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"2","4","2"]]}]]}]}"#
        ),
        // P-13 to P-15
        (
            "/query_range?query=up%7Bjob%3D%22a%22%7D&start=0&end=2.5&step=0.5",
            #"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"#
                + #""values":[[1,"0"],[1.500,"0"],[2,"NaN"],[2.500,"NaN"]]}]}"#
        ),
        (
            "/query_range?query=2&start=5&end=6&step=1s",
            #"{"resultType":"matrix","result":[{"metric":{},"values":[[5,"2"],[6,"2"]]}]}"#
        ),
        ("/query_range?query=nope&start=0&end=10&step=1", #"{"resultType":"matrix","result":[]}"#),
        // P-17 to P-22
        ("/labels", #"["__name__","job","service.name"]"#),
        ("/labels?match[]=up%7Bjob%3D%22a%22%7D", #"["__name__","job"]"#),
        ("/labels?start=-9223372036854775&end=9223372036854775", #"["__name__","job","service.name"]"#),
        ("/labels?start=100&end=200", "[]"),
        ("/label/__name__/values", #"["sizes","up"]"#),
        ("/label/job/values?match[]=%7B__name__%3D~%22u.*%22%7D&match[]=sizes", #"["a","b"]"#),
        ("/label/U__service_2e_name/values", #"["x"]"#),
        ("/label/service.name/values", #"["x"]"#),
        ("/label/U__a_zz_/values", "[]"),
        ("/label/nope/values", "[]"),
        (
            "/series?match[]=up",
            #"[{"__name__":"up","job":"a"},{"__name__":"up","job":"b","service.name":"x"}]"#
        ),
        // P-23
        (
            "/metadata",
            #"{"bytes":[{"type":"counter","help":"a","unit":"bytes"},{"type":"gauge","help":"b","unit":""}],"#
                + #""up":[{"type":"gauge","help":"Is it \"up\"?","unit":""}]}"#
        ),
        ("/metadata?metric=up", #"{"up":[{"type":"gauge","help":"Is it \"up\"?","unit":""}]}"#),
        ("/metadata?metric=nope", "{}"),
        ("/metadata?limit=1&limit_per_metric=1", #"{"bytes":[{"type":"counter","help":"a","unit":"bytes"}]}"#),
        ("/metadata?limit=0", "{}"),
        // P-24, P-34, S-6
        ("/query_exemplars?query=test&start=1700000000000&end=1700003600000", "[]"),
        (
            "/query_exemplars?query=rate(up[5m])%2B1",
            #"[{"seriesLabels":{"__name__":"up","job":"a"},"exemplars":"#
                + #"[{"labels":{"trace_id":"ab"},"value":"6","timestamp":1600096945.479}]}]"#
        ),
        ("/query_exemplars?query=1", "[]"),
        // P-26 to P-29
        ("/rules", #"{"groups":[]}"#), ("/alerts", #"{"alerts":[]}"#),
        ("/targets", #"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#),
        ("/targets/metadata", "[]"),
        ("/alertmanagers", #"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#),
        ("/scrape_pools", #"{"scrapePools":[]}"#),
        ("/status/config", #"{"yaml":"a: 1\n"}"#), ("/status/flags", #"{"a":"1","b":"2"}"#),
        // P-30
        ("/format_query?query=sum(up)by(job)", #""sum by (job) (up)""#),
    ]

    @Test(arguments: answers)
    func `answers as Prometheus does`(target: String, data: String) {
        let response = client.get("/api/v1" + target)
        #expect(response.status == 200)
        #expect(response.text == Self.success(data))
    }

    static let failures: [(String, Int, String, String)] = [
        ("/query?query=%2B", 400, "bad_data", #"invalid parameter "query": 1:2: parse error: unexpected end of input"#),
        ("/query", 400, "bad_data", #"invalid parameter "query": 1:1: parse error: no expression found in input"#),
        ("/query?query=1&time=x", 400, "bad_data", #"invalid parameter "time": cannot parse "x" to a valid timestamp"#),
        ("/query?query=1&limit=-1", 400, "bad_data", #"invalid parameter "limit": limit must be non-negative"#),
        (
            "/query?query=1&timeout=x", 400, "bad_data",
            #"invalid parameter "timeout": cannot parse "x" to a valid duration"#
        ),
        ("/query?query=up%2Bon(x)up&time=3", 422, "execution", ""),
        (
            "/query_exemplars?query=up&start=2&end=1", 400, "bad_data",
            #"invalid parameter "end": end timestamp must not be before start timestamp"#
        ),
        ("/query?query=up&timeout=0", 503, "timeout", "query timed out"),
        // S-3 to S-5, P-3
        (
            "/query_range?query=up%5B5m%5D&start=0&end=10&step=1", 400, "bad_data",
            #"invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector"#
        ),
        (
            "/query_range?query=1&start=0&end=11001&step=1", 400, "bad_data",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
        ),
        (
            "/query_range?query=1&start=0&end=10&step=0", 400, "bad_data",
            #"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#
        ),
        (
            "/query_range?query=1&start=0&end=10&step=x", 400, "bad_data",
            #"invalid parameter "step": cannot parse "x" to a valid duration"#
        ),
        (
            "/query_range?query=1&start=2&end=1&step=1", 400, "bad_data",
            #"invalid parameter "end": end timestamp must not be before start time"#
        ),
        (
            "/query_range?query=1&end=1&step=1", 400, "bad_data",
            #"invalid parameter "start": cannot parse "" to a valid timestamp"#
        ),
        // S-7
        ("/series", 400, "bad_data", "no match[] parameter provided"),
        (
            "/series?match[]=%7Bx%3D~%22.*%22%7D", 400, "bad_data",
            #"invalid parameter "match[]": match[] must contain at least one non-empty matcher"#
        ),
        (
            "/series?match[]=up%7B", 400, "bad_data",
            #"invalid parameter "match[]": 1:4: parse error: unexpected end of input inside braces"#
        ),
        ("/labels?start=x", 400, "bad_data", #"invalid parameter "start": cannot parse "x" to a valid timestamp"#),
        ("/metadata?limit=x", 400, "bad_data", "limit must be a number"),
        ("/admin/tsdb/nope", 404, "not_found", ""), ("/nonsense", 404, "not_found", ""),
    ]

    @Test(arguments: failures)
    func `fails as Prometheus does`(target: String, status: Int, kind: String, message: String) throws {
        let response = client.get("/api/v1" + target)
        #expect(response.status == status)
        let json = try response.json()
        #expect(json["status"] == .string("error"))
        #expect(json["errorType"] == .string(kind))
        if !message.isEmpty { #expect(json["error"] == .string(message)) }
    }

    @Test func `11,001 points are allowed`() throws {
        // S-5
        let response = client.get("/api/v1/query_range?query=1&start=0&end=11000&step=1")
        #expect(response.status == 200)
        #expect(try response.json()["data"]?["result"]?[0]?["values"]?.elements.count == 11_001)
    }

    @Test(arguments: ["query=up%5B5m%5D&time=3", "query=1%2B1"])
    func `a form is as good as a URL`(form: String) {
        // S-2, G-4
        let response = client.send(.post, "/api/v1/query", form: form)
        #expect(response.status == 200)
        #expect(response.text == client.get("/api/v1/query?" + form).text)
    }

    @Test func `a limit cuts and warns`() throws {
        // S-8, P-10
        let series = client.send(.post, "/api/v1/series", form: "match[]=%7B__name__!%3D%22%22%7D&limit=1")
        #expect(
            series.text
                == #"{"status":"success","data":[{"__name__":"sizes"}],"warnings":["results truncated due to limit"]}"#)
        let labels = client.get("/api/v1/labels?limit=2")
        #expect(
            labels.text
                == #"{"status":"success","data":["__name__","job"],"warnings":["results truncated due to limit"]}"#)
        let vector = try client.get("/api/v1/query?query=up&time=3&limit=1").json()
        #expect(vector["data"]?["result"]?.elements.count == 1)
        #expect(vector["warnings"]?[0] == .string("results truncated due to limit"))
        #expect(try client.get("/api/v1/query?query=up&time=3&limit=2").json()["warnings"] == nil)
    }

    @Test func `annotations come with their place, and at most ten of a kind`() throws {
        // P-1
        let one = try client.get("/api/v1/query?query=1%20%2B%20rate(up%5B5m%5D)&time=3").json()
        #expect(
            one["infos"]?[0]
                == .string(
                    "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:10)"
                ))
        let many = (2...14).map { "quantile(\($0),up)" }.joined(separator: "%20or%20")
        let warnings = try client.get("/api/v1/query?query=\(many)&time=3").json()["warnings"]?.elements
        #expect(warnings?.count == 11)
        #expect(warnings?.last == .string("3 more warning annotations omitted"))
    }

    @Test func `statistics follow the result`() throws {
        // P-6
        let response = client.get("/api/v1/query_range?query=up&start=1&end=2&step=1&stats=all")
        #expect(response.text.contains(#"]}],"stats":{"timings":{"evalTotalTime":"#))
        let samples = try response.json()["data"]?["stats"]?["samples"]
        #expect(samples?["totalQueryableSamples"] == .int(4))
        #expect(samples?["totalQueryableSamplesPerStep"]?[1] == .array([.int(2), .int(2)]))
        #expect(!client.get("/api/v1/query?query=up").text.contains("stats"))
    }

    @Test func `the build says a version that clients know, and no features`() throws {
        // S-11, P-25
        let data = try #require(try client.get("/api/v1/status/buildinfo").json()["data"])
        #expect(data["version"] == .string("3.5.0"))
        #expect(data["features"] == nil)
        for name in ["revision", "branch", "buildUser", "buildDate", "goVersion"] {
            guard case .string = data[name] else {
                Issue.record("\(name) is no string")
                continue
            }
        }
    }

    @Test func `runtime and storage say what clients show`() throws {
        // P-29
        let runtime = try #require(try client.get("/api/v1/status/runtimeinfo").json()["data"])
        #expect(runtime["startTime"] == .string("2023-11-14T22:13:20Z"))
        #expect(runtime["reloadConfigSuccess"] == .bool(true))
        let storage = try #require(try client.get("/api/v1/status/tsdb").json()["data"])
        #expect(storage["headStats"]?["numSeries"] == .int(0))
        #expect(storage["seriesCountByMetricName"] == .array([]))
    }

    @Test func `methods other than a route's are refused`() {
        // S-12 to S-14, G-8
        #expect(client.send(.options, "/api/v1/query").status == 204)
        #expect(client.send(.put, "/api/v1/query").status == 405)
        #expect(client.send(.post, "/api/v1/label/job/values").status == 405)
        #expect(client.send(.post, "/api/v1/admin/tsdb/snapshot").status == 403)
        #expect(client.get("/prometheus/api/v1/query?query=1").status == 200)
    }

    @Test func `a query that takes too much memory is refused`() throws {
        let small = PrometheusClient(Self.source, limits: QueryLimits(memory: 10_000))
        let response = small.get("/api/v1/query_range?query=up&start=0&end=10000&step=1")
        #expect(response.status == 422)
        let huge = client.get("/api/v1/query?query=sum_over_time(vector(1)[100y:1ms])")
        #expect(huge.status == 422)
    }

    @Test func `the text of an answer counts for its query's memory`() throws {
        // Ten series of one sample take little memory, but their labels are long.
        let series = (0..<10).map { number in
            let labels = Labels([
                Label("__name__", "long"), Label("text", "\(number)" + String(repeating: "x", count: 50_000)),
            ])
            return SampleSeries(labels: labels, timestamps: [1_000], values: [1])
        }
        let target = "/api/v1/query?query=long&time=1"
        #expect(PrometheusClient(MemorySeriesSource(series)).get(target).status == 200)
        let small = PrometheusClient(MemorySeriesSource(series), limits: QueryLimits(memory: 300_000))
        let response = small.get(target)
        #expect(response.status == 422)
        #expect(try response.json()["errorType"] == .string("execution"))
    }

    @Test func `a query's tree is shown node by node`() throws {
        // P-30
        let target =
            "/api/v1/parse_query?query=sum%20by%20(a)(rate(up%5B5m%5D%20offset%201m))%20%2F%20on(a)%20group_left(b)%20c%7Bd!%3D%22e%22%7D"
        let data = try #require(try client.get(target).json()["data"])
        #expect(data["type"] == .string("binaryExpr"))
        #expect(data["matching"]?["card"] == .string("many-to-one"))
        #expect(data["matching"]?["include"] == .array([.string("b")]))
        let sum = data["lhs"]
        #expect(sum?["op"] == .string("sum"))
        #expect(sum?["grouping"] == .array([.string("a")]))
        let call = sum?["expr"]
        #expect(call?["func"]?["argTypes"] == .array([.string("matrix")]))
        #expect(call?["args"]?[0]?["range"] == .int(300_000))
        #expect(call?["args"]?[0]?["offset"] == .int(60_000))
        #expect(data["rhs"]?["matchers"]?[0]?["type"] == .string("!="))
    }
}
