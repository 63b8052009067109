import Core
import HTTP
import JSON
import Pattern
import QueryModel
import Testing
import TraceFixtures
import TraceSearch

@testable import API

/// `query.filter` of Jaeger's v3 search: its RFC 0005, and `expression.proto` of jaeger-idl.
struct JaegerFilterTests {
    private static func eq(_ subject: String, _ constant: String) -> String {
        #"{"op":"eq","args":[\#(subject),\#(constant)]}"#
    }

    private static let attribute = #"{"attr":{"key":"a"}}"#

    private static func a(_ test: ValueTest) -> SpanCondition { .test(.attribute("a", in: [.span, .resource]), test) }

    private static let meanings: [(text: String, meaning: SpanCondition)] = [
        (eq(attribute, #"{"scalar":{"value":"500"}}"#), a(.equal([.text("500")]))),
        (eq(#"{"scalar":{"value":"500"}}"#, attribute), a(.equal([.text("500")]))),
        (eq(attribute, #"{"scalar":{"value":"500","type":"int"}}"#), a(.equal([.integer(500)]))),
        (eq(attribute, #"{"scalar":{"value":"1.50","type":"double"}}"#), a(.equal([.double(1.5)]))),
        (eq(attribute, #"{"scalar":{"value":"T","type":"bool"}}"#), a(.equal([.bool(true)]))),
        (eq(attribute, #"{"scalar":{"value":"x","type":"string"},"list":null}"#), a(.equal([.string("x")]))),
        (
            #"{"op":"ne","args":[{"attr":{"key":"a","level":"event"}},{"scalar":{"value":"x"}}]}"#,
            .noneOf(.attribute("a", in: .event), .equal([.text("x")]))
        ),
        (#"{"op":"gt","args":[\#(attribute),{"scalar":{"value":"5"}}]}"#, a(.ordered(.greater, .text("5")))),
        (#"{"op":"gt","args":[{"scalar":{"value":"5","type":"int"}},\#(attribute)]}"#, a(.ordered(.less, .integer(5)))),
        (#"{"op":"exists","args":[\#(attribute)]}"#, a(.exists)),
        (
            #"{"op":"in","args":[\#(attribute),{"list":{"values":["500","503"],"type":"int"}}]}"#,
            a(.equal([.integer(500), .integer(503)]))
        ),
        (
            #"{"op":"not_in","args":[{"field":{"name":"kind","level":"span"}},{"list":{"values":["server"]}}]}"#,
            .noneOf(.field(.kind), .equal([.string("server")]))
        ),
        (
            eq(#"{"field":{"name":"duration","level":"span"}}"#, #"{"scalar":{"value":"2s"}}"#),
            .test(.field(.duration), .equal([.integer(2_000_000_000)]))
        ),
        (
            #"{"op":"lte","args":[{"field":{"name":"startTime","level":"span"}},{"scalar":{"value":"1970-01-01T00:00:01.5Z"}}]}"#,
            .test(.field(.startTime), .ordered(.lessOrEqual, .integer(1_500_000_000)))
        ),
        (
            eq(#"{"field":{"name":"traceID","level":"link"}}"#, #"{"scalar":{"value":"AB"}}"#),
            .test(.field(.linkTraceID), .equal([.string("000000000000000000000000000000ab")]))
        ),
        (
            #"{"op":"and","args":[{"call":{"op":"exists","args":[\#(attribute)]}},{"call":{"op":"not","args":[{"call":{"op":"exists","args":[\#(attribute)]}}]}}]}"#,
            .all([a(.exists), .not(a(.exists))])
        ),
        (
            #"{"op":"or","args":[{"call":{"op":"exists","args":[\#(attribute)]}},{"call":{"op":"exists","args":[\#(attribute)]}}]}"#,
            .any([a(.exists), a(.exists)])
        ),
        (
            #"""
            {"op":"some","args":[{"nested":{"level":"event"}},{"call":{"op":"and","args":[
             {"call":{"op":"eq","args":[{"field":{"name":"name","level":"event"}},{"scalar":{"value":"exception"}}]}},
             {"call":{"op":"gt","args":[{"field":{"name":"timeSinceStart","level":"event"}},{"scalar":{"value":"50us"}}]}}]}}]}
            """#,
            .some(
                .event,
                .all([
                    .test(.field(.eventName), .equal([.string("exception")])),
                    .test(.field(.eventTimeSinceStart), .ordered(.greater, .integer(50_000))),
                ]))
        ),
    ]

    @Test(arguments: meanings.indices)
    func `a filter means what its tree says`(index: Int) throws {
        #expect(
            try JaegerFilter.parse(Self.meanings[index].text) == Self.meanings[index].meaning,
            "\(Self.meanings[index].text)")
    }

    @Test func `a pattern matches anywhere`() throws {
        let text = #"{"op":"regex","args":[\#(Self.attribute),{"scalar":{"value":"G.T"}}]}"#
        #expect(try JaegerFilter.parse(text) == Self.a(.matches(TextPattern("G.T", wholeText: false))))
    }

    @Test(arguments: [
        ("x", "unexpected"), ("[]", "expected a call as an object"), ("{}", "a call has no op"),
        (#"{"op":"eq"}"#, #"operator "eq" has no args"#),
        (#"{"op":"xor","args":[]}"#, #"unknown filter operator "xor""#),
        (#"{"op":"eq","args":[],"x":1}"#, #"a call has no field "x""#),
        (#"{"op":"eq","op":"ne","args":[]}"#, #"a call has "op" twice"#),
        (#"{"op":"and","args":[]}"#, #"operator "and" takes at least two arguments, got 0"#),
        (#"{"op":"not","args":[]}"#, #"operator "not" takes one argument, got 0"#),
        (#"{"op":"eq","args":[{"attr":{"key":"a"}}]}"#, #"operator "eq" takes two arguments, got 1"#),
        (eq(attribute, attribute), "two references, which is not supported"),
        (eq(#"{"scalar":{"value":"1"}}"#, #"{"scalar":{"value":"1"}}"#), "two constants, which is not supported"),
        (eq(attribute, #"{"list":{"values":["1"]}}"#), "compares a reference or a constant, got a list"),
        (eq(attribute, #"{"scalar":{"value":"1"},"attr":{"key":"b"}}"#), "an argument has one of"),
        (eq(attribute, #"{"value":"1"}"#), #"unknown term "value""#),
        (eq(attribute, #"{"scalar":{"value":1}}"#), #""value" of a constant is not a string"#),
        (eq(attribute, #"{"scalar":{"value":"1","type":"uint"}}"#), #"unknown filter value type "uint""#),
        (eq(attribute, #"{"scalar":{"value":"x","type":"int"}}"#), #"the constant "x" is not an integer"#),
        (eq(attribute, #"{"scalar":{"value":"inf","type":"double"}}"#), #"the constant "inf" is not a number"#),
        (eq(#"{"attr":{}}"#, #"{"scalar":{"value":"1"}}"#), "attribute reference has no key"),
        (eq(#"{"attr":{"key":"a","level":"trace"}}"#, #"{"scalar":{"value":"1"}}"#), #"unknown filter level "trace""#),
        (eq(#"{"field":{"name":"name"}}"#, #"{"scalar":{"value":"1"}}"#), "field reference has no level"),
        (
            eq(#"{"field":{"name":"colour","level":"span"}}"#, #"{"scalar":{"value":"1"}}"#),
            #"unknown built-in field "colour" at the "span" level"#
        ),
        (eq(#"{"field":{"name":"duration","level":"span"}}"#, #"{"scalar":{"value":"banana"}}"#), "not a duration"),
        (
            eq(#"{"field":{"name":"duration","level":"span"}}"#, #"{"scalar":{"value":"5","type":"int"}}"#),
            "different kinds of value"
        ),
        (
            eq(#"{"field":{"name":"name","level":"span"}}"#, #"{"scalar":{"value":"5","type":"int"}}"#),
            "different kinds of value"
        ),
        (
            eq(#"{"field":{"name":"kind","level":"span"}}"#, #"{"scalar":{"value":"Server"}}"#),
            "not one of unspecified, internal"
        ),
        (
            #"{"op":"gt","args":[{"field":{"name":"status","level":"span"}},{"scalar":{"value":"ok"}}]}"#,
            "has no ordering for span.status"
        ),
        (
            #"{"op":"gt","args":[{"attr":{"key":"a"}},{"scalar":{"value":"true","type":"bool"}}]}"#,
            "has no ordering for a boolean constant"
        ),
        (
            #"{"op":"lt","args":[{"field":{"name":"spanID","level":"span"}},{"scalar":{"value":"1"}}]}"#,
            "has no ordering for span.spanID"
        ),
        (#"{"op":"in","args":[{"attr":{"key":"a"}},{"list":{"values":["1"]}}]}"#, "declares its element type"),
        (#"{"op":"in","args":[{"attr":{"key":"a"}},{"list":{"values":[],"type":"int"}}]}"#, "at least one element"),
        (
            #"{"op":"in","args":[{"attr":{"key":"a"}},{"scalar":{"value":"1"}}]}"#,
            "takes a list as its second argument, got a constant"
        ),
        (#"{"op":"regex","args":[{"attr":{"key":"a"}},{"scalar":{"value":"("}}]}"#, "takes a pattern in RE2 syntax"),
        (
            #"{"op":"regex","args":[{"field":{"name":"duration","level":"span"}},{"scalar":{"value":"1"}}]}"#,
            "not supported for span.duration"
        ),
        (
            #"{"op":"exists","args":[{"nested":{"level":"event"}}]}"#,
            #"a collection reference is only the first argument of "some""#
        ),
        (
            #"{"op":"some","args":[{"nested":{"level":"span"}},{"call":{"op":"exists","args":[{"attr":{"key":"a"}}]}}]}"#,
            "event or link"
        ),
        (
            #"""
            {"op":"some","args":[{"nested":{"level":"event"}},{"call":
             {"op":"some","args":[{"nested":{"level":"event"}},{"call":{"op":"exists","args":[{"attr":{"key":"a"}}]}}]}}]}
            """#, #"already quantifying over "event""#
        ),
    ])
    func `a filter that cannot be obeyed is refused`(text: String, reason: String) {
        let failure = #expect(throws: RequestFailure.self) { try JaegerFilter.parse(text) }
        #expect(failure?.status == 400)
        if reason != "unexpected" { #expect(failure?.message.contains(reason) == true, "\(failure?.message ?? "")") }
    }

    @Test func `filters nest twenty deep`() {
        func nested(_ depth: Int) -> String {
            let inner = #"{"op":"exists","args":[{"attr":{"key":"a"}}]}"#
            return String(repeating: #"{"op":"not","args":[{"call":"#, count: depth - 1) + inner
                + String(repeating: "}]}", count: depth - 1)
        }
        #expect(throws: Never.self) { try JaegerFilter.parse(nested(20)) }
        #expect(throws: RequestFailure.self) { try JaegerFilter.parse(nested(21)) }
        #expect(throws: RequestFailure.self) { try JaegerFilter.parse(nested(10_000)) }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `damaged filters are read or refused`(seed: UInt64) {
        var random = RandomTraces(seed: seed)
        for _ in 0..<1_500 {
            var text = Array(Self.meanings[random.below(Self.meanings.count)].text.utf8)
            for _ in 0..<(1 + random.below(3)) {
                let at = random.below(text.count)
                switch random.below(3) {
                case 0: text[at] = Array("{}[]\",:1a".utf8)[random.below(9)]
                case 1: text.removeSubrange(at..<min(text.count, at + 1 + random.below(12)))
                default: text.insert(contentsOf: text[at..<min(text.count, at + 20)], at: at)
                }
                if text.isEmpty { text = [0x7B] }
            }
            _ = try? JaegerFilter.parse(String(decoding: text, as: UTF8.self))
        }
    }

    // MARK: The API

    private static let window = "query.startTimeMin=2023-11-14T00:00:00Z&query.startTimeMax=2023-11-15T00:00:00Z"
    private static let filter =
        "query.filter=%7B%22op%22%3A%22eq%22%2C%22args%22%3A%5B%7B%22attr%22%3A%7B%22key%22%3A%22a%22%7D%7D%2C%7B%22scalar%22%3A%7B%22value%22%3A%221%22%7D%7D%5D%7D"

    @Test func `a search obeys its filter`() {
        let start = TraceClient.now.nanoseconds
        let client = TraceClient([
            .make(trace: 1, span: 1, start: start, attributes: [Attribute(key: "a", value: .int(1))]),
            .make(trace: 2, span: 1, start: start, attributes: [Attribute(key: "a", value: .int(2))]),
        ])
        let summaries = client.get("/api/v3/trace-summaries?\(Self.window)&\(Self.filter)")
        #expect(summaries.status == 200)
        #expect(summaries.text.contains(TraceID(high: 1, low: 1).hex))
        #expect(!summaries.text.contains(TraceID(high: 1, low: 2).hex))
        for other in [
            "serviceName=shop", "operation_name=x", "durationMin=1s", "attributes=%7B%22a%22%3A%221%22%7D",
            "spanKind=server",
        ] {
            let refused = client.get("/api/v3/traces?\(Self.window)&\(Self.filter)&query.\(other)")
            #expect(refused.status == 400)
            #expect(refused.text.contains("malformed parameter query.filter: cannot be combined with query."))
        }
        let bad = client.get("/api/v3/traces?\(Self.window)&query.filter=%7B%7D")
        #expect(bad.status == 400)
        #expect(
            bad.text == #"{"error":{"httpCode":400,"message":"malformed parameter query.filter: a call has no op"}}"#)
    }

    @Test(arguments: ["/api/v3/traces", "/api/v3/trace-summaries"])
    func `a start that is not before the end is refused`(path: String) {
        for end in ["2023-11-14T00:00:00Z", "2023-11-13T00:00:00Z"] {
            let response = TraceClient().get(
                "\(path)?query.startTimeMin=2023-11-14T00:00:00Z&query.startTimeMax=\(end)")
            #expect(response.status == 400)
            #expect(response.text.contains("query.startTimeMin must be before query.startTimeMax"))
        }
    }
}
