import Core
import QueryModel
import Testing
import TraceFixtures

@testable import TraceSearch

/// What conditions mean, over one span.
struct SpanConditionTests {
    private static let span: TraceSpan = {
        var span = TraceSpan.make(
            trace: 1, span: 2, parent: 3, service: "shop", name: "GET /x", kind: 2, start: 1_000, duration: 500,
            attributes: [
                Attribute(key: "code", value: .int(500)), Attribute(key: "text", value: .string("500")),
                Attribute(key: "ratio", value: .double(0.5)), Attribute(key: "on", value: .bool(true)),
                Attribute(key: "list", value: .array([.string("a"), .int(7), .array([.string("deep")])])),
                Attribute(key: "both", value: .string("span")), Attribute(key: "nothing", value: .empty),
            ], resource: .named("shop", [Attribute(key: "both", value: .string("resource"))]),
            scope: TelemetryScope(
                name: "lib", version: "1", attributes: [Attribute(key: "s", value: .string("t"))],
                droppedAttributesCount: 0, schemaURL: ""))
        func event(_ name: String, _ offset: Int64, _ type: String) -> TraceSpan.Event {
            .init(
                time: Timestamp(nanoseconds: 1_000 + offset), name: name,
                attributes: [Attribute(key: "type", value: .string(type))], droppedAttributesCount: 0)
        }
        span.events = [event("exception", 10, "IO"), event("log", 400, "Debug")]
        span.links = [
            .init(
                traceID: TraceID(high: 0, low: 0xAB), spanID: SpanID(word: 0xCD), traceState: "",
                attributes: [Attribute(key: "l", value: .int(1))], droppedAttributesCount: 0, flags: 0)
        ]
        return span
    }()

    private func holds(_ text: String) throws -> Bool {
        guard case .span(let condition) = try TraceQLParser.parse(text) else { return false }
        return condition.holds(Self.span)
    }

    @Test(arguments: [
        "{.code = 500}", "{.code = 500.0}", "{.code = 5e2}", "{.code = `500`}", "{.code != 499}", "{.code > 499.5}",
        "{.code >= 500}", "{.code < 500.5}", "{.code > `9`}", "{.text = 500}", "{.text = `500`}", "{.ratio = 0.5}",
        "{.ratio = `.5`}", "{.ratio < 1}", "{.on = true}", "{.on = `true`}", "{.on != false}", "{.list = `a`}",
        "{.list = 7}", "{.list =~ `[ab]`}", "{.list > 6}", #"{.list = `["a",7,["deep"]]`}"#, "{.both = `span`}",
        "{.both = `resource`}", "{resource.both = `resource`}", "{span.both = `span`}", "{.both != `other`}",
        "{.nothing != nil}", "{.absent = nil}", "{!(.absent = 1)}", "{.text < `abc`}", "{.text = 500 && .code = 500}",
        "{event.type = `IO`}", "{event.type = `IO` && event:name = `log`}", "{link.l = 1}", "{link:traceID = `ab`}",
        "{link:spanID = `00cd`}", "{instrumentation.s = `t`}", "{instrumentation:name = `lib`}", "{name = `GET /x`}",
        "{name =~ `GET.*`}", "{name > `GET`}", "{kind = server}", "{kind =~ `s.*`}", "{status = unset}",
        "{status != error}", "{duration = 500ns}", "{duration >= 500ns && duration < 501ns}", "{span:id = `2`}",
        "{span:parentID = `3`}", "{event:timeSinceStart > 300ns}", "{statusMessage = nil}",
        "{resource.service.name = `shop`}",
    ])
    func `a condition that the span meets holds`(text: String) throws { #expect(try holds(text)) }

    @Test(arguments: [
        "{.code = 499}", "{.code != 500}", "{.code < 500}", "{.text > 499}", "{.text > `6`}", "{.on > 0}",
        "{.on = 1}", "{.list = `b`}", "{.list = `deep`}", "{.list != 7}", "{resource.both = `span`}",
        "{.both != `span`}",
        "{.absent != 1}", "{.absent !~ `x`}", "{!(.code = 500)}", "{.nothing = nil}", "{.type = `IO`}", "{.l = 1}",
        "{.s = `t`}",
        "{event.code = 500}", "{name =~ `GET`}", "{kind = client}", "{kind != server}", "{status = ok}",
        "{duration > 500ns}", "{statusMessage != nil}", "{statusMessage = ``}", "{event:name = `other`}",
        "{span.service.name = `shop`}",
    ])
    func `a condition that the span does not meet does not hold`(text: String) throws { #expect(try !holds(text)) }

    @Test func `one event meets all of what some asks`() {
        func some(_ name: String, _ type: String) -> Bool {
            SpanCondition.some(
                .event,
                .all([
                    .test(.field(.eventName), .equal([.string(name)])),
                    .test(.attribute("type", in: .event), .equal([.text(type)])),
                ])
            ).holds(Self.span)
        }
        #expect(some("exception", "IO"))
        #expect(some("log", "Debug"))
        #expect(!some("exception", "Debug"))
        let isEarly = SpanCondition.test(.field(.eventTimeSinceStart), .ordered(.less, .integer(100)))
        #expect(SpanCondition.not(.some(.event, .not(isEarly))).holds(Self.span) == false)
        #expect(
            SpanCondition.not(.some(.link, .not(.test(.attribute("l", in: .link), .equal([.integer(1)]))))).holds(
                Self.span))
        #expect(!SpanCondition.some(.link, .test(.attribute("l", in: .event), .exists)).holds(Self.span))
    }

    @Test func `typed constants take values of their type alone`() {
        func equals(_ key: String, _ constant: Constant) -> Bool {
            SpanCondition.test(.attribute(key, in: .span), .equal([constant])).holds(Self.span)
        }
        #expect(equals("code", .integer(500)))
        #expect(!equals("text", .integer(500)))
        #expect(!equals("code", .string("500")))
        #expect(equals("text", .string("500")))
        #expect(!equals("code", .double(500)))
        #expect(equals("ratio", .double(0.5)))
        #expect(equals("on", .bool(true)))
        #expect(!equals("on", .bool(false)))
    }

    @Test(arguments: [
        (Int64.max, 0x1p63, Number.Ordering.less), (.min, -0x1p63, .equal), (.min, -0x1.8p63, .greater),
        (9_007_199_254_740_993, 9_007_199_254_740_992, .greater), (3, 3, .equal), (3, 3.5, .less), (-3, -3.5, .greater),
        (0, -0.0, .equal), (5, .infinity, .less), (5, -.infinity, .greater),
    ])
    func `integers are compared with doubles exactly`(integer: Int64, double: Double, order: Number.Ordering) {
        #expect(Number.integer(integer).compare(.double(double)) == order)
        #expect(Number.double(double).compare(.integer(integer)) != order || order == .equal)
        #expect(Number.integer(integer).compare(.double(.nan)) == nil)
    }

    // MARK: Traces

    @Test func `conditions that several spans meet are a trace's`() throws {
        let condition = try TraceQLParser.parse("({.a=1} || {.b=1}) && {.c=1}")
        #expect(condition.leaves.count == 3)
        for met in 0..<8 as Range<UInt64> {
            #expect(condition.holds(met) == ((met & 1 != 0 || met & 2 != 0) && met & 4 != 0), "\(met)")
        }
        let status = SpanCondition.test(.field(.status), .equal([.string("ok")]))
        #expect(
            condition.requiring(status).leaves.allSatisfy {
                if case .all(let parts) = $0 { parts[0] == status } else { false }
            })
    }
}
