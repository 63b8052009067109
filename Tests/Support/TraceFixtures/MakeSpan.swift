package import Core
package import QueryModel

extension TelemetryResource {
    package static func named(_ service: String?, _ attributes: [Attribute] = []) -> TelemetryResource {
        TelemetryResource(
            serviceName: service,
            attributes: (service.map { [Attribute(key: "service.name", value: .string($0))] } ?? []) + attributes,
            droppedAttributesCount: 0, schemaURL: "")
    }
}

extension TelemetryScope {
    package static let plain = TelemetryScope(
        name: "", version: "", attributes: [], droppedAttributesCount: 0, schemaURL: "")
}

extension TraceSpan {
    /// A span of trace `trace` (a small number) that begins at `start` and lasts `duration` nanoseconds.
    package static func make(
        trace: UInt64, span: UInt64, parent: UInt64 = 0, service: String? = "shop", name: String = "GET /",
        kind: Int32 = 2, start: Int64 = 1_000, duration: Int64 = 10, attributes: [Attribute] = [],
        resource: TelemetryResource? = nil, scope: TelemetryScope = .plain
    ) -> TraceSpan {
        var made = TraceSpan(resource: resource ?? .named(service), scope: scope)
        made.traceID = TraceID(high: 1, low: trace)
        made.spanID = SpanID(word: span)
        made.parentSpanID = SpanID(word: parent)
        made.name = name
        made.kind = kind
        made.start = Timestamp(nanoseconds: start)
        made.end = Timestamp(nanoseconds: start + duration)
        made.attributes = attributes
        return made
    }
}
