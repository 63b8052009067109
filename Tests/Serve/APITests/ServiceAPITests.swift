import Core
import HTTP
import JSON
import QueryModel
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

@testable import API

/// What services do, by their calls, errors and durations, and who calls whom.
struct ServiceAPITests {
    private static let second: Int64 = 1_000_000_000
    /// 2023-11-14T22:00:00Z
    private static let hour: Int64 = 1_699_999_200 * second

    private static func span(
        _ trace: UInt64, _ id: UInt64, _ service: String?, _ name: String = "GET /", kind: Int32 = 2, at: Int64,
        duration: Int64, parent: UInt64 = 0, isError: Bool = false
    ) -> TraceSpan {
        var span = TraceSpan.make(
            trace: trace, span: id, parent: parent, service: service, name: name, kind: kind,
            start: hour + at * second, duration: duration)
        span.statusCode = isError ? 2 : 0
        return span
    }

    private static let spans = [
        span(1, 1, "shop", at: 0, duration: 1_000),
        span(1, 2, "shop", "call", kind: 3, at: 1, duration: 100, parent: 1),
        span(1, 3, "back", at: 2, duration: 7, parent: 2, isError: true),
        span(2, 1, "shop", at: 3_600, duration: 3_000, isError: true),
        span(2, 2, nil, "x", kind: 0, at: 3_600, duration: -5, parent: 1),
    ]

    private let client = TraceClient(Self.spans)

    private func text(_ target: String) -> String {
        let response = client.get(target)
        #expect(response.status == 200)
        return response.text
    }

    @Test func `services have calls, errors, a rate and durations`() {
        // Two hours: the end is outside.
        let range = "start=1699999200&end=1700006400"
        #expect(
            text("/api/v1/services/stats?\(range)&service=back&service=none") == """
                {"tables":[{"table":"otel_traces","start":1699999200000000000,"end":1700006400000000000}],"services":[\
                {"service":"back","calls":1,"errors":1,"rate":0.0001388888888888889,\
                "durations":{"min":7,"max":7,"mean":7,"p50":7,"p95":7,"p99":7}}]}
                """)
        #expect(
            text("/api/v1/services/stats?durations=false") == """
                {"tables":[{"table":"otel_traces"}],"services":[\
                {"service":"OTLPResourceNoServiceName","calls":1,"errors":0},{"service":"back","calls":1,"errors":1},\
                {"service":"shop","calls":3,"errors":1}]}
                """)
    }

    @Test func `quantiles are within the histogram's error and what was measured, and never negative`() throws {
        let services = try client.get("/varve/api/v1/services/stats").json()["services"]
        #expect(services?[0]?["durations"]?["min"] == .int(0))
        #expect(services?[0]?["durations"]?["p50"] == .int(0))
        let shop = services?[2]?["durations"]
        #expect(shop?["min"] == .int(100))
        #expect(shop?["max"] == .int(3_000))
        #expect(shop?["mean"] == .int(1_366))
        #expect(shop?["p99"] == .int(2_992))
        guard case .int(let median)? = shop?["p50"] else {
            Issue.record("no median")
            return
        }
        #expect(abs(Double(median) - 1_000) <= 1_000 * ExponentialHistogram.relativeError + 1)
    }

    @Test func `groups are operations and kinds, and steps are from the start on`() {
        #expect(
            text(
                "/api/v1/services/stats?service=shop&group=operation,kind&durations=0&start=1699999200&end=1700006400&step=1h"
            )
                == """
                {"tables":[{"table":"otel_traces","start":1699999200000000000,"end":1700006400000000000}],\
                "start":1699999200000000000,"step":3600000000000,"services":[\
                {"service":"shop","operation":"GET /","kind":"server","calls":2,"errors":1,"rate":0.0002777777777777778,\
                "points":[[1699999200000000000,1,0],[1700002800000000000,1,1]]},\
                {"service":"shop","operation":"call","kind":"client","calls":1,"errors":0,"rate":0.0001388888888888889,\
                "points":[[1699999200000000000,1,0]]}]}
                """)
        #expect(
            text(
                "/api/v1/services/stats?operation=x&group=operation&group=kind&start=1699999200&end=1700006400&step=90m"
            )
            .contains(
                #""operation":"x","kind":"unspecified","calls":1,"errors":0,"rate":0.0001388888888888889"#))
    }

    @Test func `points have quantiles unless durations are not wanted`() {
        #expect(
            text("/api/v1/services/stats?service=back&start=1699999200&end=1699999300&step=1m").contains(
                #""points":[[1699999200000000000,1,1,7,7,7]]"#))
    }

    @Test func `dependencies have calls, errors and quantiles`() throws {
        let answer = try client.get("/api/v1/services/dependencies").json()
        #expect(answer["tables"]?[0]?["table"] == .string("otel_traces"))
        let calls = answer["dependencies"]?.elements ?? []
        #expect(calls.map { $0["parent"] } == [.string("shop"), .string("shop")])
        #expect(calls.map { $0["child"] } == [.string("OTLPResourceNoServiceName"), .string("back")])
        #expect(calls.map { $0["errors"] } == [.int(0), .int(1)])
        #expect(calls.map { $0["calls"] } == [.int(1), .int(1)])
        #expect(calls.map { $0["durations"]?["p99"] } == [.int(0), .int(7)])
        func count(_ query: String) throws -> Int {
            try client.get("/api/v1/services/dependencies?\(query)").json()["dependencies"]?.elements.count ?? -1
        }
        #expect(try count("service=back") == 1)
        #expect(try count("service=shop&service=x") == 2)
        #expect(try count("service=x") == 0)
        #expect(try count("start=1700002000") == 1)
        #expect(try count("source=raw") == 2)
    }

    @Test func `an explanation is added if it is wanted`() throws {
        for path in ["services/stats", "services/dependencies", "traces"] {
            let json = try client.get("/api/v1/\(path)?explain=true").json()
            #expect(json["explain"]?["partitionsConsidered"] == .int(0))
        }
    }

    @Test(arguments: [
        ("stats?step=1s", 400, "step: the start of the first is needed too"),
        ("stats?start=1&end=99999999&step=1ms", 400, "step: the range has more than 11000 steps"),
        ("stats?start=1&step=x", 400, "step: \"x\" is not a duration such as 1h or 30s"),
        ("stats?start=1&step=-1s", 400, "step: \"-1s\" is not a duration such as 1h or 30s"),
        ("stats?start=2&end=1", 400, "start must not be after end"),
        ("stats?group=service", 400, "group: \"service\" is neither operation nor kind"),
        ("stats?kind=x", 400, "kind: \"x\" is none of server, client, producer, consumer, internal and unspecified"),
        ("stats?durations=maybe", 400, "durations: \"maybe\" is neither true nor false"),
        ("stats?source=disk", 400, "source: \"disk\" is none of auto, raw and rollup"),
        ("dependencies?source=disk", 400, "source: \"disk\" is none of auto, raw and rollup"),
        ("dependencies?start=x", 400, "start: \"x\" is neither a time of RFC 3339 nor a number since 1970"),
        ("stats?source=rollup", 422, "no summaries of spans are kept here; only the spans themselves can answer"),
        ("nothing", 404, "not found: /api/v1/services/nothing"),
    ])
    func `a bad parameter is told by its name`(query: String, status: Int, message: String) throws {
        let response = client.get("/api/v1/services/\(query)")
        #expect(response.status == status)
        #expect(
            try response.json()
                == .object([("error", .object([("code", .int(Int64(status))), ("message", .string(message))]))]))
    }

    @Test func `the description of the API is served`() throws {
        let response = client.get("/varve/api/v1/openapi.json")
        #expect(response.status == 200)
        let document = try response.json()
        #expect(document["openapi"] == .string("3.0.3"))
        guard case .object(let paths)? = document["paths"] else {
            Issue.record("no paths")
            return
        }
        let search = TraceSearch(source: MemoryTraceSource([]))
        let groups = [
            RecordAPI(search: search, records: NoRecords()).routes, AttributeAPI(source: NoAttributes()).routes,
            ServiceAPI(statistics: search, dependencies: search, now: { TraceClient.now }).routes,
        ]
        let routes = groups.flatMap(\.routes).map { route in
            route.pattern.segments.map { segment in
                switch segment {
                case .literal(let text): "/\(text)"
                case .one(let name), .many(let name): "/{\(name)}"
                }
            }.joined()
        }
        #expect(Set(paths.map(\.key)) == Set(routes))
    }
}

private struct NoAttributes: AttributeSource {
    func attributeNames(_ query: AttributeNamesQuery, context: QueryContext) -> Completions<AttributeName> {
        Completions(found: [], isComplete: true)
    }

    func attributeValues(_ query: AttributeValuesQuery, context: QueryContext) -> Completions<AttributeValueText> {
        Completions(found: [], isComplete: true)
    }
}
