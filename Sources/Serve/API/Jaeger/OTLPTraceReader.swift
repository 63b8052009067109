import Core
import JSON
import OTLP
import QueryModel
import TraceSearch

/// Reads the traces of an OTLP/JSON text, to show a file that was never stored (J-51).
///
/// The text is held against OTLP's messages by the transcoder first, so that errors name their place; what is read here is
/// known to have the right types.
enum OTLPTraceReader {
    /// Newest first, as a search answers.
    static func traces(in text: [UInt8]) throws(OTLPJSONError) -> [Trace] {
        _ = try OTLPJSON.transcode(traces: text)
        let root: JSONValue
        do {
            root = try JSONValue.parse(text, maximumDepth: OTLPJSON.maximumJSONDepth)
        } catch {
            throw OTLPJSONError(path: "", reason: "\(error)")
        }
        guard case .object = root else { throw OTLPJSONError(path: "", reason: "expected an object") }
        var spansByTrace: [TraceID: [TraceSpan]] = [:]
        for group in OTLPObject(root).objects("resourceSpans") {
            let resource = resource(group)
            for scopeGroup in group.objects("scopeSpans") {
                let scope = scope(scopeGroup)
                for object in scopeGroup.objects("spans") {
                    let span = try span(object, resource, scope)
                    spansByTrace[span.traceID, default: []].append(span)
                }
            }
        }
        return spansByTrace.compactMap { Trace(id: $0.key, spans: $0.value) }.sorted(by: Trace.isNewer)
    }

    private static func resource(_ group: OTLPObject) -> TelemetryResource {
        let object = group.object("resource")
        let attributes = object.attributes("attributes")
        var serviceName: String?
        if case .string(let name)? = attributes.last(where: { $0.key == "service.name" })?.value { serviceName = name }
        return TelemetryResource(
            serviceName: serviceName, attributes: attributes,
            droppedAttributesCount: object.count("droppedAttributesCount"), schemaURL: group.text("schemaUrl"))
    }

    private static func scope(_ group: OTLPObject) -> TelemetryScope {
        let object = group.object("scope")
        return TelemetryScope(
            name: object.text("name"), version: object.text("version"), attributes: object.attributes("attributes"),
            droppedAttributesCount: object.count("droppedAttributesCount"), schemaURL: group.text("schemaUrl"))
    }

    private static func span(
        _ object: OTLPObject, _ resource: TelemetryResource, _ scope: TelemetryScope
    ) throws(OTLPJSONError) -> TraceSpan {
        var span = TraceSpan(resource: resource, scope: scope)
        let (traceID, spanID) = (object.text("traceId"), object.text("spanId"))
        guard traceID.utf8.count == 32, spanID.utf8.count == 16, let trace = TraceID(hex: traceID),
            let id = SpanID(hex: spanID)
        else {
            throw OTLPJSONError(path: "resourceSpans", reason: "a span's traceId and spanId must be of 16 and 8 bytes")
        }
        span.traceID = trace
        span.spanID = id
        span.parentSpanID = SpanID(hex: object.text("parentSpanId")) ?? SpanID(word: 0)
        span.traceState = object.text("traceState")
        span.name = object.text("name")
        span.kind = kind(object)
        span.start = object.time("startTimeUnixNano")
        span.end = object.time("endTimeUnixNano")
        span.attributes = object.attributes("attributes")
        span.droppedAttributesCount = object.count("droppedAttributesCount")
        span.droppedEventsCount = object.count("droppedEventsCount")
        span.droppedLinksCount = object.count("droppedLinksCount")
        span.events = object.objects("events").map {
            .init(
                time: $0.time("timeUnixNano"), name: $0.text("name"), attributes: $0.attributes("attributes"),
                droppedAttributesCount: $0.count("droppedAttributesCount"))
        }
        span.links = object.objects("links").map {
            .init(
                traceID: TraceID(hex: $0.text("traceId")) ?? TraceID(high: 0, low: 0),
                spanID: SpanID(hex: $0.text("spanId")) ?? SpanID(word: 0), traceState: $0.text("traceState"),
                attributes: $0.attributes("attributes"), droppedAttributesCount: $0.count("droppedAttributesCount"),
                flags: $0.count("flags"))
        }
        let status = object.object("status")
        span.statusMessage = status.text("message")
        span.statusCode = statusCode(status)
        span.flags = object.count("flags")
        return span
    }

    private static func kind(_ object: OTLPObject) -> Int32 {
        let name = object.text("kind")
        guard name.hasPrefix("SPAN_KIND_") else { return Int32(truncatingIfNeeded: object.integer("kind")) }
        return SpanKindName.kind(named: String(name.dropFirst("SPAN_KIND_".count))) ?? 0
    }

    private static func statusCode(_ status: OTLPObject) -> Int32 {
        switch status.text("code") {
        case "STATUS_CODE_OK": 1
        case "STATUS_CODE_ERROR": 2
        default: Int32(truncatingIfNeeded: status.integer("code"))
        }
    }
}

/// An object of OTLP/JSON, whose members have their types already checked; what is absent is empty or zero.
private struct OTLPObject {
    private let members: [(key: String, value: JSONValue)]

    init(_ value: JSONValue) {
        if case .object(let members) = value { self.members = members } else { members = [] }
    }

    /// The last of that name, in lowerCamelCase or snake_case.
    private subscript(name: String) -> JSONValue? {
        members.last { $0.key == name || ($0.key.utf8.contains(0x5F) && Self.camelCase($0.key) == name) }?.value
    }

    private static func camelCase(_ snake: String) -> String {
        let words = snake.split(separator: "_")
        return words.dropFirst().reduce(words.first.map(String.init) ?? "") {
            $0 + $1.prefix(1).uppercased() + $1.dropFirst()
        }
    }

    func object(_ name: String) -> OTLPObject { OTLPObject(self[name] ?? .null) }

    func objects(_ name: String) -> [OTLPObject] {
        guard case .array(let elements) = self[name] else { return [] }
        return elements.map { OTLPObject($0) }
    }

    func text(_ name: String) -> String {
        guard case .string(let text) = self[name] else { return "" }
        return text
    }

    func integer(_ name: String) -> Int64 { self[name].flatMap(Self.integer) ?? 0 }

    private static func integer(_ value: JSONValue) -> Int64? {
        switch value {
        case .int(let integer): integer
        case .uint: .max
        case .double(let double): Int64(exactly: double) ?? .max
        case .string(let text): Int64(text) ?? (UInt64(text) == nil ? nil : .max)
        default: nil
        }
    }

    func count(_ name: String) -> UInt32 { UInt32(clamping: integer(name)) }

    func time(_ name: String) -> Timestamp { Timestamp(nanoseconds: integer(name)) }

    /// Of equal keys the last counts (O-24).
    func attributes(_ name: String) -> [Attribute] {
        var attributes: [Attribute] = []
        var indexByKey: [String: Int] = [:]
        for object in objects(name) {
            let attribute = Attribute(key: object.text("key"), value: object.object("value").value)
            if let index = indexByKey[attribute.key] {
                attributes[index] = attribute
            } else {
                indexByKey[attribute.key] = attributes.count
                attributes.append(attribute)
            }
        }
        return attributes
    }

    /// This object as an `AnyValue`; recursion ends at the transcoder's depth.
    private var value: AttributeValue {
        if case .string(let text) = self["stringValue"] { return .string(text) }
        if case .bool(let flag) = self["boolValue"] { return .bool(flag) }
        if let integer = self["intValue"].flatMap(Self.integer) { return .int(integer) }
        if let double = self["doubleValue"].flatMap(Self.double) { return .double(double) }
        if case .string(let text) = self["bytesValue"] { return .bytes(Base64.decode(text) ?? []) }
        if case .object = self["arrayValue"] { return .array(object("arrayValue").objects("values").map(\.value)) }
        if case .object = self["kvlistValue"] { return .map(object("kvlistValue").attributes("values")) }
        return .empty
    }

    private static func double(_ value: JSONValue) -> Double? {
        switch value {
        case .int(let integer): Double(integer)
        case .uint(let integer): Double(integer)
        case .double(let double): double
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        case .string("NaN"): .nan
        case .string(let text), .number(let text): Double(text)
        default: nil
        }
    }
}
