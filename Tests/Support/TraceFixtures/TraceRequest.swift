import Core
package import QueryModel
import Telemetry

/// `ExportTraceServiceRequest`s that say what given spans say, written from the field numbers of contract §8.4.
package enum TraceRequest {
    /// Neighbours that share their resource object, or resource and scope, are sent in one group.
    package static func protobuf(_ spans: [TraceSpan]) -> [UInt8] {
        var request = ProtobufWriter()
        var rest = spans[...]
        while let first = rest.first {
            let group = rest.prefix { $0.resource === first.resource }
            rest = rest.dropFirst(group.count)
            request.field(1, bytes: resourceSpans(group, first.resource))
        }
        return request.bytes
    }

    private static func resourceSpans(_ spans: ArraySlice<TraceSpan>, _ resource: TelemetryResource) -> [UInt8] {
        var message = ProtobufWriter()
        message.attributes(1, resource.attributes)
        message.unlessZero(2, UInt64(resource.droppedAttributesCount))
        var group = ProtobufWriter()
        group.field(1, bytes: message.bytes)
        var rest = spans
        while let first = rest.first {
            let shared = rest.prefix { $0.scope === first.scope }
            rest = rest.dropFirst(shared.count)
            group.field(2, bytes: scopeSpans(shared, first.scope))
        }
        group.unlessEmpty(3, resource.schemaURL)
        return group.bytes
    }

    private static func scopeSpans(_ spans: ArraySlice<TraceSpan>, _ scope: TelemetryScope) -> [UInt8] {
        var message = ProtobufWriter()
        message.unlessEmpty(1, scope.name)
        message.unlessEmpty(2, scope.version)
        message.attributes(3, scope.attributes)
        message.unlessZero(4, UInt64(scope.droppedAttributesCount))
        var group = ProtobufWriter()
        group.field(1, bytes: message.bytes)
        for span in spans { group.field(2, bytes: self.span(span)) }
        group.unlessEmpty(3, scope.schemaURL)
        return group.bytes
    }

    private static func span(_ span: TraceSpan) -> [UInt8] {
        var message = ProtobufWriter()
        message.field(1, bytes: bytes(span.traceID))
        message.field(2, bytes: bytes(span.spanID))
        message.unlessEmpty(3, span.traceState)
        if !span.parentSpanID.isZero { message.field(4, bytes: bytes(span.parentSpanID)) }
        message.unlessEmpty(5, span.name)
        message.unlessZero(6, UInt64(bitPattern: Int64(span.kind)))
        message.field(7, fixed64: UInt64(span.start.nanoseconds))
        message.field(8, fixed64: UInt64(span.end.nanoseconds))
        message.attributes(9, span.attributes)
        message.unlessZero(10, UInt64(span.droppedAttributesCount))
        for event in span.events { message.field(11, bytes: self.event(event)) }
        message.unlessZero(12, UInt64(span.droppedEventsCount))
        for link in span.links { message.field(13, bytes: self.link(link)) }
        message.unlessZero(14, UInt64(span.droppedLinksCount))
        var status = ProtobufWriter()
        status.unlessEmpty(2, span.statusMessage)
        status.unlessZero(3, UInt64(bitPattern: Int64(span.statusCode)))
        if !status.bytes.isEmpty { message.field(15, bytes: status.bytes) }
        if span.flags != 0 { message.field(16, fixed32: span.flags) }
        return message.bytes
    }

    private static func event(_ event: TraceSpan.Event) -> [UInt8] {
        var message = ProtobufWriter()
        message.field(1, fixed64: UInt64(event.time.nanoseconds))
        message.unlessEmpty(2, event.name)
        message.attributes(3, event.attributes)
        message.unlessZero(4, UInt64(event.droppedAttributesCount))
        return message.bytes
    }

    private static func link(_ link: TraceSpan.Link) -> [UInt8] {
        var message = ProtobufWriter()
        message.field(1, bytes: bytes(link.traceID))
        message.field(2, bytes: bytes(link.spanID))
        message.unlessEmpty(3, link.traceState)
        message.attributes(4, link.attributes)
        message.unlessZero(5, UInt64(link.droppedAttributesCount))
        if link.flags != 0 { message.field(6, fixed32: link.flags) }
        return message.bytes
    }

    private static func bytes(_ id: TraceID) -> [UInt8] { bigEndian(id.high) + bigEndian(id.low) }

    private static func bytes(_ id: SpanID) -> [UInt8] { bigEndian(id.word) }

    private static func bigEndian(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }
}

extension ProtobufWriter {
    fileprivate mutating func unlessEmpty(_ number: UInt64, _ text: String) {
        if !text.isEmpty { field(number, bytes: Array(text.utf8)) }
    }

    fileprivate mutating func unlessZero(_ number: UInt64, _ value: UInt64) {
        if value != 0 { field(number, varint: value) }
    }

    fileprivate mutating func field(_ number: UInt64, fixed32 value: UInt32) {
        varint(number << 3 | 5)
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    fileprivate mutating func attributes(_ number: UInt64, _ attributes: [Attribute]) {
        for attribute in attributes {
            var message = ProtobufWriter()
            message.field(1, bytes: Array(attribute.key.utf8))
            message.field(2, bytes: Self.value(attribute.value))
            field(number, bytes: message.bytes)
        }
    }

    private static func value(_ value: AttributeValue) -> [UInt8] {
        var message = ProtobufWriter()
        switch value {
        case .empty: break
        case .string(let text): message.field(1, bytes: Array(text.utf8))
        case .bool(let flag): message.field(2, varint: flag ? 1 : 0)
        case .int(let integer): message.field(3, varint: UInt64(bitPattern: integer))
        case .double(let double): message.field(4, fixed64: double.bitPattern)
        case .array(let elements):
            var list = ProtobufWriter()
            for element in elements { list.field(1, bytes: Self.value(element)) }
            message.field(5, bytes: list.bytes)
        case .map(let members):
            var list = ProtobufWriter()
            list.attributes(1, members)
            message.field(6, bytes: list.bytes)
        case .bytes(let bytes): message.field(7, bytes: bytes)
        }
        return message.bytes
    }
}
