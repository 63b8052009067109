import Core
import QueryModel

/// A span compared by all that it says, so that a repeated one is found. A NaN equals itself here, and the order of attributes does not
/// count: of very large sets it depends on what else was stored with them.
struct SpanContent: Hashable {
    let span: TraceSpan

    func hash(into hasher: inout Hasher) {
        hasher.combine(span.spanID)
        hasher.combine(span.start)
        hasher.combine(span.end)
        hasher.combine(span.name)
        hasher.combine(
            span.attributes.reduce(0) { sum, attribute in
                var one = Hasher()
                one.combine(attribute)
                return sum ^ one.finalize()
            })
    }

    static func == (left: SpanContent, right: SpanContent) -> Bool {
        let (a, b) = (left.span, right.span)
        return a.spanID == b.spanID && a.parentSpanID == b.parentSpanID && a.start == b.start && a.end == b.end
            && a.name == b.name && a.kind == b.kind && a.traceState == b.traceState && a.flags == b.flags
            && a.statusCode == b.statusCode && a.statusMessage == b.statusMessage
            && a.droppedAttributesCount == b.droppedAttributesCount && a.droppedEventsCount == b.droppedEventsCount
            && a.droppedLinksCount == b.droppedLinksCount && isSame(a.attributes, b.attributes)
            && a.events.elementsEqual(b.events, by: isSame) && a.links.elementsEqual(b.links, by: isSame)
            && isSame(a.resource, b.resource) && isSame(a.scope, b.scope)
    }

    private static func isSame(_ a: TraceSpan.Event, _ b: TraceSpan.Event) -> Bool {
        a.time == b.time && a.name == b.name && a.droppedAttributesCount == b.droppedAttributesCount
            && isSame(a.attributes, b.attributes)
    }

    private static func isSame(_ a: TraceSpan.Link, _ b: TraceSpan.Link) -> Bool {
        a.traceID == b.traceID && a.spanID == b.spanID && a.traceState == b.traceState && a.flags == b.flags
            && a.droppedAttributesCount == b.droppedAttributesCount && isSame(a.attributes, b.attributes)
    }

    private static func isSame(_ a: TelemetryResource, _ b: TelemetryResource) -> Bool {
        a === b
            || a.serviceName == b.serviceName && a.schemaURL == b.schemaURL
                && a.droppedAttributesCount == b.droppedAttributesCount && isSame(a.attributes, b.attributes)
    }

    private static func isSame(_ a: TelemetryScope, _ b: TelemetryScope) -> Bool {
        a === b
            || a.name == b.name && a.version == b.version && a.schemaURL == b.schemaURL
                && a.droppedAttributesCount == b.droppedAttributesCount && isSame(a.attributes, b.attributes)
    }

    private static func isSame(_ a: [Attribute], _ b: [Attribute]) -> Bool {
        guard a.count == b.count else { return false }
        func areEqual(_ a: [Attribute], _ b: [Attribute]) -> Bool {
            a.elementsEqual(b) { $0.key == $1.key && isSame($0.value, $1.value) }
        }
        return areEqual(a, b) || areEqual(a.sorted { $0.key < $1.key }, b.sorted { $0.key < $1.key })
    }

    private static func isSame(_ a: AttributeValue, _ b: AttributeValue) -> Bool {
        switch (a, b) {
        case (.double(let a), .double(let b)): a == b || (a.isNaN && b.isNaN)
        case (.array(let a), .array(let b)): a.elementsEqual(b, by: isSame)
        case (.map(let a), .map(let b)): isSame(a, b)
        default: a == b
        }
    }
}
