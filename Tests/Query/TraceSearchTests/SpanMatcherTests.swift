import Core
import QueryModel
import Testing
import TraceFixtures
import TraceSearch

/// Rules J-8 and J-9 as tables over one awkward span.
struct SpanMatcherTests {
    private static let scope = TelemetryScope(
        name: "lib", version: "1.2", attributes: [Attribute(key: "scoped", value: .string("yes"))],
        droppedAttributesCount: 0, schemaURL: "")

    /// Of kind client, status unset.
    private static let span: TraceSpan = {
        var span = TraceSpan.make(
            trace: 1, span: 1, name: "GET /a b", kind: 3, start: 1_000, duration: 500,
            attributes: [
                Attribute(key: "http.status_code", value: .int(500)),
                Attribute(key: "cached", value: .bool(true)),
                Attribute(key: "ratio", value: .double(3)),
                Attribute(key: "tiny", value: .double(1e-7)),
                Attribute(key: "raw", value: .bytes([0xFF, 0x00])),
                Attribute(key: "list", value: .array([.int(1), .string("a\"b"), .empty])),
                Attribute(
                    key: "map",
                    value: .map([
                        Attribute(key: "z", value: .bool(false)), Attribute(key: "a", value: .double(0.5)),
                    ])),
                Attribute(key: "nothing", value: .empty),
                Attribute(key: "nan", value: .double(.nan)),
            ],
            resource: .named("shop", [Attribute(key: "host.name", value: .string("h1"))]), scope: scope)
        span.events = [
            .init(
                time: Timestamp(nanoseconds: 1_100), name: "exception",
                attributes: [Attribute(key: "exception.type", value: .string("IOError"))], droppedAttributesCount: 0)
        ]
        span.links = [
            .init(
                traceID: TraceID(high: 1, low: 2), spanID: SpanID(word: 3), traceState: "",
                attributes: [Attribute(key: "linked", value: .string("yes"))], droppedAttributesCount: 0, flags: 0)
        ]
        span.traceState = "k=v"
        return span
    }()

    private func matches(_ key: String, _ value: String, in span: TraceSpan = Self.span) -> Bool {
        SpanMatcher(TraceQuery(tags: [(key, value)], range: .everything, limit: 1)).matches(span)
    }

    @Test(arguments: [
        ("http.status_code", "500"), ("cached", "true"), ("ratio", "3"), ("ratio", "3.0"), ("ratio", "3e0"),
        ("tiny", "1e-7"), ("tiny", "0.0000001"), ("raw", "/wA="), ("list", #"[1,"a\"b",null]"#),
        ("map", #"{"a":0.5,"z":false}"#), ("nothing", ""), ("nan", "NaN"),
        ("exception.type", "IOError"), ("scoped", "yes"), ("scope.scoped", "yes"), ("host.name", "h1"),
        ("resource.host.name", "h1"), ("service.name", "shop"), ("resource.service.name", "shop"),
        ("error", "false"), ("span.kind", "client"), ("span.status", "unset"), ("scope.name", "lib"),
        ("scope.version", "1.2"), ("otel.scope.name", "lib"), ("otel.scope.version", "1.2"), ("w3c.tracestate", "k=v"),
        ("linked", "yes"), ("span.kind", "CLIENT"), ("span.kind", "Client"), ("span.status", "Unset"), ("error", "0"),
        ("error", "F"), ("error", "False"),
    ])
    func `J-9 a tag that the span has matches`(key: String, value: String) {
        #expect(matches(key, value))
    }

    @Test(arguments: [
        ("http.status_code", "50"), ("http.status_code", "500.0"), ("cached", "True"), ("ratio", "3.5"),
        ("raw", "ff00"),
        ("absent", ""), ("absent", "x"), ("resource.scoped", "yes"), ("resource.http.status_code", "500"),
        ("scope.host.name", "h1"), ("error", "true"), ("error", "x"), ("span.kind", "server"), ("span.status", "ok"),
        ("otel.status_code", "UNSET"), ("otel.status_code", ""), ("otel.status_description", ""),
        ("event", "exception"),
        ("ratio", "0x3"), ("span.status", "0"), ("span.kind", ""), ("linked", "no"), ("resource.linked", "yes"),
    ])
    func `J-9 a tag that the span has not does not match`(key: String, value: String) {
        #expect(!matches(key, value))
    }

    @Test func `J-9 the virtual tags of a failed span follow its status`() {
        var failed = Self.span
        failed.statusCode = 2
        failed.statusMessage = "boom"
        #expect(matches("error", "true", in: failed))
        #expect(!matches("error", "false", in: failed))
        #expect(matches("span.status", "error", in: failed))
        #expect(matches("otel.status_code", "ERROR", in: failed))
        #expect(matches("otel.status_description", "boom", in: failed))
        failed.statusCode = 1
        #expect(matches("error", "false", in: failed))
        #expect(matches("span.status", "ok", in: failed))
        #expect(matches("otel.status_code", "OK", in: failed))
    }

    @Test func `J-9 another value of error is an attribute's`() {
        var span = Self.span
        span.attributes.append(Attribute(key: "error", value: .string("timeout")))
        #expect(matches("error", "timeout", in: span))
        #expect(matches("error", "false", in: span))
        #expect(!matches("error", "true", in: span))
    }

    @Test(arguments: ["true", "1", "t", "T", "TRUE", "True"])
    func `J-9 an error is what the status or an attribute says, in all words for it`(word: String) {
        var failed = Self.span
        failed.statusCode = 2
        #expect(matches("error", word, in: failed))
        for value in [AttributeValue.bool(true), .string("true"), .string("T"), .int(1), .double(1)] {
            var span = Self.span
            span.attributes.append(Attribute(key: "error", value: value))
            #expect(matches("error", word, in: span), "\(value)")
            #expect(!matches("error", "false", in: span), "\(value)")
            span = Self.span
            span.events[0].attributes.append(Attribute(key: "error", value: value))
            #expect(matches("error", word, in: span), "\(value)")
        }
        var span = Self.span
        span.attributes.append(Attribute(key: "error", value: .bool(false)))
        #expect(!matches("error", word, in: span))
        #expect(matches("error", "f", in: span))
    }

    /// What was sent under a name that has a meaning of its own is found under it.
    @Test(arguments: [
        "span.kind", "span.status", "otel.status_code", "otel.status_description", "w3c.tracestate", "scope.name",
        "otel.scope.version", "resource.name", "scope.a", "resource.service.name", "error",
    ])
    func `J-9 a reserved name hides no attribute`(key: String) {
        var span = Self.span
        span.attributes.append(Attribute(key: key, value: .string("as sent")))
        #expect(matches(key, "as sent", in: span))
        #expect(!matches(key, "as sent"))
    }

    @Test func `J-8 one span must satisfy all conditions`() {
        func matches(_ change: (inout TraceQuery) -> Void) -> Bool {
            var query = TraceQuery(
                service: "shop", operation: "GET /a b", kind: 3, tags: [("cached", "true"), ("host.name", "h1")],
                minDuration: 500, maxDuration: 500,
                range: TimeRange(start: Timestamp(nanoseconds: 1_000), end: Timestamp(nanoseconds: 1_001)), limit: 1)
            change(&query)
            return SpanMatcher(query).matches(Self.span)
        }
        #expect(matches { _ in })
        #expect(!matches { $0.service = "shop2" })
        #expect(!matches { $0.operation = "GET /a" })
        #expect(!matches { $0.kind = 2 })
        #expect(!matches { $0.tags.append(("absent", "1")) })
        #expect(!matches { $0.minDuration = 501 })
        #expect(!matches { $0.maxDuration = 499 })
        #expect(!matches { $0.range.start = Timestamp(nanoseconds: 1_001) })
        #expect(!matches { $0.range.end = Timestamp(nanoseconds: 1_000) })
    }

    @Test func `a span that ends before it starts lasts no time`() {
        var span = TraceSpan.make(trace: 1, span: 1, start: 50, duration: -20)
        #expect(span.duration == 0)
        span.start = .min
        span.end = .max
        #expect(span.duration == .max)
        span.start = .max
        span.end = .min
        #expect(span.duration == 0)
    }
}
