import API
import HTTP
import JSON
import LogFixtures
import LogQL
import QueryModel
import Testing

/// Labels, series, volumes and what exploring clients ask (rules L-20 to L-31, smoke test L-S6), byte for byte.
struct LokiIndexTests {
    private static let entries = [
        LogClient.entry(50, ["service_name": "shop", "pod": "1", "id": "7"], "0123456789", ["trace_id": "f1"]),
        LogClient.entry(40, ["service_name": "cart", "pod": "2"], "01234"),
        LogClient.entry(30, ["service_name": "shop", "pod": "2", "id": "8"], "0123456"),
        LogClient.entry(7_200, ["service_name": "old"], "0"),
    ]

    private let client = LogClient(Self.entries)

    @Test func `lists of labels count against the memory of their query`() {
        let entries = (0..<100).map { number in
            LogClient.entry(Int64(number), ["service_name": "\(number)" + String(repeating: "x", count: 1000)], "line")
        }
        for path in ["label/service_name/values", "series"] {
            let small = LogClient(entries, queryLimits: QueryLimits(memory: 50_000)).ask(path)
            #expect(small.status == 400 && small.text.contains("the query needs more than 50000 bytes"), "\(path)")
            #expect(LogClient(entries, queryLimits: QueryLimits(memory: 500_000)).ask(path).status == 200, "\(path)")
        }
    }

    @Test(arguments: [
        ("labels", #"{"status":"success","data":[]}"#), ("label/nope/values", #"{"status":"success","data":[]}"#),
        ("series", #"{"status":"success","data":[]}"#), ("detected_labels", #"{"detectedLabels":[]}"#),
        ("detected_fields", #"{"fields":[],"limit":1000}"#),
        ("detected_field/x/values", #"{"values":[],"limit":1000}"#), ("patterns", #"{"status":"success","data":[]}"#),
        ("index/stats", #"{"streams":0,"chunks":0,"bytes":0,"entries":0}"#),
        ("index/volume", #"{"status":"success","data":{"resultType":"vector","result":[]}}"#),
        ("index/volume_range", #"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
    ])
    func `L-S6, G-14 an empty database is a success`(path: String, body: String) {
        for method in [HTTPMethod.get, .post] {
            let response = LogClient().get("/loki/api/v1/" + path, [("query", #"{a="b"}"#)], method: method)
            #expect(response.status == 200)
            #expect(response.text == body)
        }
    }

    @Test(arguments: [
        ("labels", [], #"["id","pod","service_name"]"#),
        ("label", [], #"["id","pod","service_name"]"#),
        ("labels", [("query", #"{service_name="cart"}"#)], #"["pod","service_name"]"#),
        ("label/service_name/values", [], #"["cart","shop"]"#),
        ("label/service_name/values", [("since", "3h")], #"["cart","old","shop"]"#),
        ("label/service_name/values", [("query", #"{pod="2",id=""}"#)], #"["cart"]"#),
        ("label/__stream_shard__/values", [], "[]"), ("label/trace_id/values", [], "[]"),
    ])
    func `L-20, L-21 labels and values are those of streams, sorted`(
        path: String, parameters: [(String, String)], data: String
    ) {
        #expect(client.ask(path, parameters).text == #"{"status":"success","data":\#(data)}"#)
    }

    @Test(arguments: [
        [("match[]", #"{service_name="cart"}"#)], [("match", #"{service_name="cart"}"#)],
        [("match", #"{pod="2",service_name!="shop"}"#), ("match[]", #"{pod="9"}"#)],
    ])
    func `L-22 series take either name of the parameter`(parameters: [(String, String)]) {
        #expect(
            client.ask("series", parameters).text
                == #"{"status":"success","data":[{"pod":"2","service_name":"cart"}]}"#)
    }

    @Test(arguments: [[], [("match[]", "{}")], [("match", ""), ("match", "{pod=`1`}")]])
    func `L-22 no selector, and an empty one, is every series`(parameters: [(String, String)]) {
        #expect(
            client.ask("series", parameters).text
                == #"{"status":"success","data":[{"id":"7","pod":"1","service_name":"shop"},{"id":"8","pod":"2","service_name":"shop"},{"pod":"2","service_name":"cart"}]}"#
        )
    }

    @Test(arguments: ["series", "labels", "index/stats", "index/volume"])
    func `L-22 a pipeline is refused where only a selector may stand`(path: String) {
        let name = path == "series" ? "match[]" : "query"
        let response = client.ask(path, [(name, #"{a="b"} |= "x""#)])
        #expect(response.status == 400)
        #expect(response.text == "only label matchers are supported")
    }

    @Test func `L-24 statistics count streams, entries and bytes`() {
        #expect(
            client.ask("index/stats", [("query", #"{service_name="shop"}"#)]).text
                == #"{"streams":2,"chunks":2,"bytes":17,"entries":2}"#)
    }

    private static let volumes: [([(String, String)], String)] = [
        (
            [("query", #"{service_name=~".+"}"#)],
            #"{"metric":{"service_name":"shop"},"value":[1700000000,"17"]},{"metric":{"service_name":"cart"},"value":[1700000000,"5"]}"#
        ),
        (
            [("query", #"{service_name=~".+"}"#), ("limit", "1")],
            #"{"metric":{"service_name":"shop"},"value":[1700000000,"17"]}"#
        ),
        (
            [("query", #"{service_name=~".+"}"#), ("targetLabels", "pod")],
            #"{"metric":{"pod":"2"},"value":[1700000000,"12"]},{"metric":{"pod":"1"},"value":[1700000000,"10"]}"#
        ),
        (
            [("query", #"{service_name="shop"}"#), ("aggregateBy", "labels"), ("targetLabels", "pod,id")],
            #"{"metric":{"id":""},"value":[1700000000,"17"]},{"metric":{"pod":""},"value":[1700000000,"17"]}"#
        ),
        (
            [("query", "{}"), ("aggregateBy", "labels")],
            #"{"metric":{"pod":""},"value":[1700000000,"22"]},{"metric":{"service_name":""},"value":[1700000000,"22"]},{"metric":{"id":""},"value":[1700000000,"17"]}"#
        ),
        (
            [("query", "{}"), ("limit", "1")],
            #"{"metric":{"id":"7","pod":"1","service_name":"shop"},"value":[1700000000,"10"]}"#
        ),
    ]

    @Test(arguments: volumes)
    func `L-25 volumes are grouped by the labels asked for, the largest first`(
        parameters: [(String, String)], result: String
    ) {
        #expect(
            client.ask("index/volume", parameters).text
                == #"{"status":"success","data":{"resultType":"vector","result":[\#(result)]}}"#)
    }

    @Test func `L-25 volumes over time are a matrix`() {
        let parameters = [
            ("query", #"{service_name=~".+"}"#), ("start", "1699999940"), ("end", "1700000000"), ("step", "20"),
        ]
        #expect(
            client.ask("index/volume_range", parameters).text
                == #"{"status":"success","data":{"resultType":"matrix","result":["#
                + #"{"metric":{"service_name":"shop"},"values":[[1699999940,"10"],[1699999960,"7"]]},"#
                + #"{"metric":{"service_name":"cart"},"values":[[1699999960,"5"]]}]}}"#)
    }

    @Test func `L-25 an unknown aggregation is refused`() {
        #expect(client.ask("index/volume", [("query", "{}"), ("aggregateBy", "x")]).status == 400)
    }

    @Test func `L-26 labels whose values are all ids are hidden, but for those that are known`() {
        #expect(
            client.ask("detected_labels").text
                == #"{"detectedLabels":[{"label":"pod","cardinality":2},{"label":"service_name","cardinality":2}]}"#)
    }

    private let fields = LogClient([
        LogClient.entry(
            50, ["app": "a"], #"{"took":"5ms","n":1,"ok":true,"app":"x","req":{"id-1":"q"}}"#, ["trace_id": "f1"]),
        LogClient.entry(40, ["app": "a"], #"level=info took=7ms n=1.5 size=5KB prose"#, ["trace_id": "f2"]),
    ])

    @Test func `L-27 fields come with their type, their parsers and their path`() {
        #expect(
            fields.ask("detected_fields", [("query", #"{app="a"}"#)]).text
                == #"{"fields":["#
                + #"{"label":"app_extracted","type":"string","cardinality":1,"parsers":["json"],"jsonPath":["app"]},"#
                + #"{"label":"level","type":"string","cardinality":1,"parsers":["logfmt"]},"#
                + #"{"label":"n","type":"float","cardinality":2,"parsers":["json","logfmt"],"jsonPath":["n"]},"#
                + #"{"label":"ok","type":"boolean","cardinality":1,"parsers":["json"],"jsonPath":["ok"]},"#
                + #"{"label":"req_id_1","type":"string","cardinality":1,"parsers":["json"],"jsonPath":["req","id-1"]},"#
                + #"{"label":"size","type":"bytes","cardinality":1,"parsers":["logfmt"]},"#
                + #"{"label":"took","type":"duration","cardinality":2,"parsers":["json","logfmt"],"jsonPath":["took"]},"#
                + #"{"label":"trace_id","type":"string","cardinality":2,"parsers":null}],"limit":1000}"#)
    }

    @Test func `L-27, L-28 limits bound lines, fields and values`() {
        let one = fields.ask("detected_fields", [("query", #"{app="a"}"#), ("line_limit", "1"), ("field_limit", "2")])
        #expect(
            one.text
                == #"{"fields":[{"label":"level","type":"string","cardinality":1,"parsers":["logfmt"]},"#
                + #"{"label":"n","type":"float","cardinality":1,"parsers":["logfmt"]}],"limit":2}"#)
        #expect(
            fields.ask("detected_field/took/values", [("query", #"{app="a"}"#)]).text
                == #"{"values":["5ms","7ms"],"limit":1000}"#)
        #expect(
            fields.ask("detected_field/trace_id/values", [("query", #"{app="a"} |= "level""#), ("limit", "5")]).text
                == #"{"values":["f2"],"limit":5}"#)
    }

    @Test func `L-30 what the limits say opens the start page and hides patterns`() throws {
        let limits = try client.ask("drilldown-limits").json()
        #expect(limits["limits"]?["volume_enabled"] == .bool(true))
        #expect(limits["limits"]?["max_entries_limit_per_query"] == .int(5_000))
        #expect(limits["pattern_ingester_enabled"] == .bool(false))
        #expect(limits["version"] == .string("3.5.0"))
    }

    @Test func `L-31 build information has no envelope`() throws {
        let version = try client.ask("status/buildinfo").json()["version"]
        #expect(version == .string("3.5.0"))
    }

    @Test func `G-8 unknown paths and wrong methods are answered as text`() {
        #expect(client.ask("nonsense").status == 404)
        #expect(client.ask("nonsense").text.hasPrefix("not found"))
        #expect(client.get("/loki/api/v1/labels", method: .put).status == 405)
        #expect(client.get("/loki/api/v1/rules").text == "{}\n")
    }
}
