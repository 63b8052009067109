import API
import HTTP
import JSON
import LogFixtures
import LogQL
import QueryModel
import Testing

/// `/query` and `/query_range` (rules L-1 to L-19, smoke tests L-S1 to L-S5), byte for byte up to the statistics.
struct LokiQueryTests {
    private static let entries = [
        LogClient.entry(30, ["app": "a", "env": "p"], "level=info n=1", ["trace_id": "f1"]),
        LogClient.entry(20, ["app": "b"], "say \"hi\""),
        LogClient.entry(10, ["app": "a", "env": "p"], "level=warn n=2", ["trace_id": "f2"]),
        LogClient.entry(10, ["app": "a", "env": "p"], "level=info n=3", nanoseconds: 1),
    ]

    private let client = LogClient(Self.entries)

    private func result(_ response: HTTPResponse) -> String {
        let text = response.text
        guard let end = text.firstRange(of: #","stats":{"summary":{"#)?.lowerBound else {
            return "\(response.status) \(text)"
        }
        return String(text[..<end])
    }

    // MARK: Smoke tests

    @Test(arguments: [HTTPMethod.get, .post])
    func `L-S1, L-16 the health check gets its two`(method: HTTPMethod) {
        let parameters = [("direction", "backward"), ("query", "vector(1)+vector(1)"), ("time", "4000000000")]
        #expect(
            result(LogClient().get("/loki/api/v1/query", parameters, method: method))
                == #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4000000000,"2"]}]"#
        )
    }

    @Test func `L-S2, L-15 an instant query for lines is refused, as text`() {
        let response = client.ask("query", [("query", #"{a="b"}"#)])
        #expect(response.status == 400)
        #expect(response.headers.contains { $0 == ("Content-Type", "text/plain; charset=utf-8") })
        #expect(
            response.text
                == "log queries are not supported as an instant query type, please change your query to a range query type"
        )
    }

    @Test func `L-S3, L-18 no data is an empty success with statistics`() throws {
        let response = LogClient().ask("query_range", [("query", #"{a="b"}"#), ("direction", "BACKWARD")])
        #expect(response.status == 200)
        #expect(result(response) == #"{"status":"success","data":{"resultType":"streams","result":[]"#)
        #expect(try response.json()["data"]?["stats"]?["summary"]?["totalLinesProcessed"] == .int(0))
    }

    @Test func `L-S5, L-9 a selector of everything is refused in Loki's words`() {
        let response = client.ask("query_range", [("query", #"{a=~".*"}"#)])
        #expect(response.status == 400)
        #expect(
            response.text
                == "parse error : queries require at least one regexp or equality matcher that does not have an "
                + #"empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will"#
        )
    }

    @Test(arguments: ["/loki/api/v1/query_range", "/loki/loki/api/v1/query_range", "/loki-ds/loki/api/v1/query_range"])
    func `every base URL answers`(path: String) {
        #expect(client.get(path, [("query", #"{app="b"}"#)]).status == 200)
    }

    // MARK: Streams

    @Test func `L-11 all labels are the stream's, and entries are grouped by them`() {
        #expect(
            result(client.ask("query_range", [("query", #"{app=~"a|b"}"#)]))
                == #"{"status":"success","data":{"resultType":"streams","result":["#
                + #"{"stream":{"app":"a","env":"p"},"values":[["1699999990000000001","level=info n=3"]]},"#
                + #"{"stream":{"app":"a","env":"p","trace_id":"f1"},"values":[["1699999970000000000","level=info n=1"]]},"#
                + #"{"stream":{"app":"a","env":"p","trace_id":"f2"},"values":[["1699999990000000000","level=warn n=2"]]},"#
                + #"{"stream":{"app":"b"},"values":[["1699999980000000000","say \"hi\""]]}]"#)
    }

    @Test func `L-12, L-S4 labels are categorized on request`() {
        #expect(
            result(client.ask("query_range", [("query", #"{app=~"a|b"} | logfmt | drop n"#)], categorized: true))
                == #"{"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],"result":["#
                + #"{"stream":{"app":"a","env":"p"},"values":["#
                + #"["1699999990000000001","level=info n=3",{"parsed":{"level":"info"}}],"#
                + #"["1699999990000000000","level=warn n=2",{"structuredMetadata":{"trace_id":"f2"},"parsed":{"level":"warn"}}],"#
                + #"["1699999970000000000","level=info n=1",{"structuredMetadata":{"trace_id":"f1"},"parsed":{"level":"info"}}]]},"#
                + #"{"stream":{"app":"b"},"values":[["1699999980000000000","say \"hi\"",{}]]}]"#)
    }

    private func lines(_ parameters: [(String, String)]) throws -> [String] {
        let response = client.ask("query_range", parameters)
        #expect(response.status == 200, "\(response.text)")
        return try response.json()["data"]?["result"]?.elements.flatMap { stream in
            stream["values"]?.elements.compactMap { entry in
                if case .string(let line)? = entry[1] { line } else { nil }
            } ?? []
        } ?? []
    }

    @Test func `L-3, L-13 the limit counts over all streams in the direction asked for`() throws {
        let query = ("query", #"{app=~"a|b"}"#)
        #expect(try lines([query, ("limit", "2")]) == ["level=info n=3", "level=warn n=2"])
        #expect(try lines([query, ("limit", "2"), ("direction", "FORWARD")]) == ["level=info n=1", "say \"hi\""])
    }

    @Test func `L-2 the start is inside the range, the end is not`() throws {
        let query = ("query", #"{app=~"a|b"}"#)
        let from20 = [query, ("start", "1699999980000000000"), ("end", "1699999990000000000")]
        #expect(try lines(from20) == ["say \"hi\""])
        #expect(try lines([query, ("since", "15s"), ("direction", "forward")]).count == 2)
        #expect(try lines([query, ("start", "1699999985"), ("end", "1700000000.5")]).count == 2)
        #expect(try lines([query, ("start", "2023-11-14T22:13:05.000Z"), ("end", "2023-11-14T22:13:11Z")]).count == 2)
    }

    @Test func `L-6 the interval thins entries out`() throws {
        let query = ("query", #"{app=~"a|b"}"#)
        #expect(try lines([query, ("interval", "15s")]).count == 2)
        #expect(try lines([query, ("interval", "0.000000001")]).count == 4)
    }

    // MARK: Metrics

    @Test func `L-14 a matrix has the points that exist, in seconds`() {
        let parameters = [
            ("query", #"sum by (app) (count_over_time({app=~"a|b"}[10s]))"#), ("start", "1699999970.5"),
            ("end", "1700000000.5"), ("step", "15000ms"),
        ]
        #expect(
            result(client.ask("query_range", parameters))
                == #"{"status":"success","data":{"resultType":"matrix","result":["#
                + #"{"metric":{"app":"a"},"values":[[1699999970.500,"1"]]},"#
                + #"{"metric":{"app":"b"},"values":[[1699999985.500,"1"]]}]"#)
    }

    @Test func `L-14, L-17 windows compare nanoseconds`() {
        let query = ("query", #"sum(count_over_time({app="a"}[10s]))"#)
        let value = { (time: String) in result(client.ask("query", [query, ("time", time)])) }
        #expect(value("1699999990000000000").hasSuffix(#"[{"metric":{},"value":[1699999990,"1"]}]"#))
        #expect(value("1699999990000000001").hasSuffix(#"[{"metric":{},"value":[1699999990,"2"]}]"#))
        #expect(value("1700000000000000000").hasSuffix(#"[{"metric":{},"value":[1700000000,"1"]}]"#))
    }

    @Test func `a number is a scalar, and over a range a series without labels`() {
        #expect(
            result(client.ask("query", [("query", "1+1"), ("time", "4")]))
                == #"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]"#)
        #expect(
            result(client.ask("query_range", [("query", "1+1"), ("start", "4"), ("end", "6"), ("step", "1")]))
                == #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[4,"2"],[5,"2"],[6,"2"]]}]"#
        )
    }

    @Test func `L-5 the step is a 250th of the range, at least a second`() throws {
        let points = { (start: String, end: String) in
            let response = client.ask("query_range", [("query", "vector(1)"), ("start", start), ("end", end)])
            return try response.json()["data"]?["result"]?[0]?["values"]?.elements.count
        }
        #expect(try points("1000", "1100") == 101)
        #expect(try points("1000", "2000") == 251)
        #expect(try points("0", "3600") == 258)
    }

    @Test func `L-19 the summary says what was read`() throws {
        let response = client.ask("query_range", [("query", #"{app="a"} |= "n""#), ("limit", "2")])
        let stats = try response.json()["data"]?["stats"]
        #expect(stats?["summary"]?["totalLinesProcessed"] == .int(3))
        #expect(stats?["summary"]?["totalBytesProcessed"] == .int(42))
        #expect(stats?["summary"]?["totalEntriesReturned"] == .int(2))
        #expect(stats?["querier"]?["store"]?["chunk"]?["decompressedLines"] == .int(0))
        #expect(stats?["ingester"]?["store"]?["dataobj"] != nil)
        #expect(stats?["cache"]?["instantMetricResult"]?["queryLengthServed"] == .int(0))
        #expect(stats?["index"]?["usedBloomFilters"] == .bool(false))
    }

    // MARK: Refusals

    private static let refusals: [(String, [(String, String)], String)] = [
        (
            "query_range", [("query", "{a=`b`}"), ("start", "5"), ("end", "5")],
            "end timestamp must not be before or equal to start time"
        ),
        ("query_range", [("query", "{a=`b`}"), ("limit", "0")], "limit must be a positive value"),
        ("query_range", [("query", "{a=`b`}"), ("limit", "-1")], "limit must be a positive value"),
        (
            "query_range", [("query", "{a=`b`}"), ("limit", "5001")],
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"
        ),
        ("query_range", [("query", "{a=`b`}"), ("direction", "up")], "invalid direction 'up'"),
        (
            "query_range", [("query", "vector(1)"), ("step", "0")],
            "zero or negative query resolution step widths are not accepted. Try a positive integer"
        ),
        (
            "query_range", [("query", "vector(1)"), ("start", "0"), ("end", "11001"), ("step", "1")],
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"
        ),
        (
            "query_range", [("query", "{a=`b`}"), ("start", "x")],
            #"could not parse 'start' parameter: cannot parse "x" to a valid timestamp"#
        ),
        ("query", [("query", "rate({a=`b`}[5m")], "parse error at line 1, col 13: missing closing ']' in duration"),
        ("query", [("query", #"{a="\d"}"#)], "parse error at line 1, col 4: invalid char escape"),
        ("query", [], "parse error at line 1, col 1: syntax error: unexpected $end"),
    ]

    @Test(arguments: refusals)
    func `L-2, L-3, L-5, L-8 bad parameters are refused in Loki's words`(
        path: String, parameters: [(String, String)], message: String
    ) {
        let response = client.ask(path, parameters)
        #expect(response.status == 400)
        #expect(response.text == message)
        #expect(response.headers.contains { $0 == ("Content-Type", "text/plain; charset=utf-8") })
    }

    @Test func `L-5 eleven thousand intervals are allowed`() {
        let parameters = [("query", "vector(1)"), ("start", "0"), ("end", "11000"), ("step", "1")]
        #expect(client.ask("query_range", parameters).status == 200)
    }

    @Test func `L-9 a series with an error fails the query, and says how to go on`() {
        let response = client.ask("query", [("query", #"sum(count_over_time({app="b"} | json [1h]))"#)])
        #expect(response.status == 400)
        #expect(response.text.hasPrefix(#"pipeline error: 'JSONParserErr' for series: '{__error__="JSONParserErr", "#))
        #expect(response.text.contains(#"__error__="""#))
    }

    @Test func `L-9 too many series are refused`() {
        let client = LogClient(Self.entries, limits: LogQLLimits(series: 2))
        let response = client.ask("query", [("query", #"count_over_time({app=~"a|b"}[1h])"#)])
        #expect(response.status == 400)
        #expect(response.text.hasPrefix("maximum number of series (2) reached for a single query; "))
    }

    @Test(arguments: ["-292273086-05-16T16:47:06Z", "-9223372036854775808", "99999999999999999999", "0", "1e3.0"])
    func `G-1 no time makes a query trap`(time: String) {
        for query in ["{app=`a`}", "rate({app=`a`}[5m] offset 5m)"] {
            _ = client.ask("query_range", [("query", query), ("start", time)])
            _ = client.ask("query_range", [("query", query), ("end", time)])
            _ = client.ask("query", [("query", query), ("time", time)])
        }
    }

    @Test func `L-32 a query is formatted, or refused as JSON`() {
        #expect(
            client.ask("format_query", [("query", "sum(rate({a=`b`}|=`x`[5m]))by(x)")]).text
                == #"{"status":"success","data":"sum by (x) (rate({a=\"b\"} |= \"x\" [5m]))"}"#)
        let response = client.ask("format_query", [("query", "{")])
        #expect(response.status == 400)
        #expect(
            response.text
                == #"{"status":"invalid-query","error":"parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"}"#
        )
    }
}
