import Core
import QueryModel
import TraceFixtures

/// One trace with everything that is hard to show.
enum AwkwardTrace {
    static let id = TraceID(hex: "5b8aa5a2d2c872e8321cf37308d69df2") ?? TraceID(high: 0, low: 0)
    private static let scope = TelemetryScope(
        name: "lib", version: "2", attributes: [Attribute(key: "hidden", value: .bool(true))],
        droppedAttributesCount: 0, schemaURL: "")

    static let spans = [root, child]

    /// A failed client span with all types of attributes.
    private static let root: TraceSpan = {
        var span = TraceSpan.make(
            trace: 1, span: 0x0515_81bf_3cb5_5c13, name: "GET /é/\"x\"", kind: 3, start: 1_706_678_909_209_712_999,
            duration: 1_999,
            attributes: [
                Attribute(key: "string", value: .string("a\nb")), Attribute(key: "bool", value: .bool(false)),
                Attribute(key: "int", value: .int(9_007_199_254_740_991)),
                Attribute(key: "big", value: .int(-9_007_199_254_740_992)),
                Attribute(key: "double", value: .double(1.5)), Attribute(key: "whole", value: .double(3)),
                Attribute(key: "nan", value: .double(.nan)), Attribute(key: "inf", value: .double(-.infinity)),
                Attribute(key: "bytes", value: .bytes([1, 2, 255])), Attribute(key: "empty", value: .empty),
                Attribute(key: "list", value: .array([.int(1), .string("x"), .map([])])),
                Attribute(
                    key: "map",
                    value: .map([
                        Attribute(key: "k", value: .double(.infinity)), Attribute(key: "b", value: .int(.max)),
                    ])),
            ],
            resource: .named(
                "shop/α",
                [
                    Attribute(key: "zone", value: .int(7)), Attribute(key: "host.name", value: .string("h")),
                ]), scope: scope)
        span.traceID = id
        span.traceState = "a=b"
        span.statusCode = 2
        span.statusMessage = "boom"
        span.flags = 0x301
        span.events = [
            .init(
                time: Timestamp(nanoseconds: 1_706_678_909_209_713_001), name: "exception",
                attributes: [Attribute(key: "exception.type", value: .string("E"))], droppedAttributesCount: 1),
            .init(
                time: Timestamp(nanoseconds: 1_706_678_909_209_714_000), name: "named",
                attributes: [Attribute(key: "event", value: .string("own"))], droppedAttributesCount: 0),
            .init(
                time: Timestamp(nanoseconds: 1_706_678_909_209_715_000), name: "", attributes: [],
                droppedAttributesCount: 0),
        ]
        return span
    }()

    /// A span that ends before it starts, with links of every kind, and a resource that names no service.
    private static let child: TraceSpan = {
        var span = TraceSpan.make(
            trace: 1, span: 2, parent: 0x0515_81bf_3cb5_5c13, name: "", kind: 0, start: 1_706_678_909_209_713_500,
            duration: -5_000, resource: .named(nil))
        span.traceID = id
        span.statusCode = 1
        span.flags = 0x100
        func link(_ trace: TraceID, _ span: UInt64, _ attributes: [Attribute] = []) -> TraceSpan.Link {
            .init(
                traceID: trace, spanID: SpanID(word: span), traceState: "", attributes: attributes,
                droppedAttributesCount: 0, flags: 0)
        }
        let childOf = [Attribute(key: "opentracing.ref_type", value: .string("child_of"))]
        span.links = [
            link(TraceID(high: 0, low: 0xAB), 9), link(TraceID(high: 0, low: 0), 9), link(id, 0), link(id, 7, childOf),
            link(id, 0x0515_81bf_3cb5_5c13),
        ]
        return span
    }()
}
