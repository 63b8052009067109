import Core
import JSON
import QueryModel
import TraceSearch

/// Writes traces as Jaeger's legacy API shows them (rules J-17 to J-22, §6.7 of the contract).
struct JaegerTraceWriter {
    var json = JSONWriter()

    mutating func trace(_ trace: Trace) {
        let traceID = Self.text(trace.id)
        var processes = JaegerProcesses()
        json.beginObject()
        json.key("traceID")
        json.string(traceID)
        json.key("spans")
        json.beginArray()
        for span in trace.spans { self.span(span, traceID: traceID, process: processes.number(of: span)) }
        json.endArray()
        json.key("processes")
        json.beginObject()
        for (index, process) in processes.all.enumerated() {
            json.key("p\(index + 1)")
            json.beginObject()
            json.key("serviceName")
            json.string(process.serviceName)
            json.key("tags")
            tags(process.tags)
            json.endObject()
        }
        json.endObject()
        json.key("warnings")
        json.null()
        json.endObject()
    }

    /// 16 digits where the upper half is zero, as clients join by the text (J-17).
    static func text(_ id: TraceID) -> String { id.high == 0 ? Hex.string(id.low) : id.hex }

    private mutating func span(_ span: TraceSpan, traceID: String, process: Int) {
        json.beginObject()
        json.key("traceID")
        json.string(traceID)
        json.key("spanID")
        json.string(span.spanID.hex)
        if span.flags & 0xFF != 0 {
            json.key("flags")
            json.uint(UInt64(span.flags & 0xFF))
        }
        json.key("operationName")
        json.string(span.name)
        references(of: span)
        json.key("startTime")
        json.int(span.start.nanoseconds / 1_000)
        json.key("duration")
        json.int(span.duration / 1_000)
        json.key("tags")
        tags(JaegerTag.tags(of: span))
        logs(of: span)
        json.key("processID")
        json.string("p\(process)")
        json.key("warnings")
        json.null()
        json.endObject()
    }

    /// The parent first, then the links; a link to the parent is the parent's reference, with the link's type.
    private mutating func references(of span: TraceSpan) {
        let links = span.links.filter { !$0.traceID.isZero && !$0.spanID.isZero }
        json.key("references")
        json.beginArray()
        if !span.parentSpanID.isZero {
            let link = links.first { $0.traceID == span.traceID && $0.spanID == span.parentSpanID }
            reference(link.map(Self.referenceType) ?? "CHILD_OF", span.traceID, span.parentSpanID)
        }
        for link in links where link.traceID != span.traceID || link.spanID != span.parentSpanID {
            reference(Self.referenceType(link), link.traceID, link.spanID)
        }
        json.endArray()
    }

    private static func referenceType(_ link: TraceSpan.Link) -> StaticString {
        let isChild = link.attributes.contains {
            $0.key == "opentracing.ref_type" && $0.value == .string("child_of")
        }
        return isChild ? "CHILD_OF" : "FOLLOWS_FROM"
    }

    private mutating func reference(_ type: StaticString, _ traceID: TraceID, _ spanID: SpanID) {
        json.beginObject()
        json.key("refType")
        json.string(type.description)
        json.key("traceID")
        json.string(Self.text(traceID))
        json.key("spanID")
        json.string(spanID.hex)
        json.endObject()
    }

    private mutating func logs(of span: TraceSpan) {
        json.key("logs")
        json.beginArray()
        for event in span.events {
            json.beginObject()
            json.key("timestamp")
            json.int(event.time.nanoseconds / 1_000)
            json.key("fields")
            var fields = event.attributes.map { JaegerTag($0) }
            if !event.name.isEmpty, !event.attributes.contains(where: { $0.key == "event" }) {
                fields.insert(JaegerTag("event", .string(event.name)), at: 0)
            }
            tags(fields)
            json.endObject()
        }
        json.endArray()
    }

    private mutating func tags(_ tags: [JaegerTag]) {
        json.beginArray()
        for tag in tags {
            json.beginObject()
            json.key("key")
            json.string(tag.key)
            json.key("type")
            json.string(tag.type.rawValue)
            json.key("value")
            tag.writeValue(to: &json)
            json.endObject()
        }
        json.endArray()
    }
}

/// A tag in Jaeger's five types (J-20).
struct JaegerTag: Hashable {
    enum ValueType: String { case string, bool, int64, float64, binary }

    /// Above it, JSON readers with doubles lose digits.
    private static let largestExactInteger: Int64 = 1 << 53 - 1

    let key: String
    let type: ValueType
    /// The value as text, which is also how most of them are written.
    let text: String

    init(_ key: String, _ value: AttributeValue) {
        self.key = key
        text = value.text
        type =
            switch value {
            case .bool: .bool
            case .int: .int64
            case .double(let double) where double.isFinite: .float64
            case .bytes: .binary
            case .empty, .string, .double, .array, .map: .string
            }
    }

    init(_ attribute: Attribute) { self.init(attribute.key, attribute.value) }

    func writeValue(to json: inout JSONWriter) {
        switch type {
        case .string, .binary: json.string(text)
        case .bool: json.bool(text == "true")
        case .float64: json.raw(Array(text.utf8))
        case .int64:
            let isExact = Int64(text).map { $0.magnitude <= UInt64(Self.largestExactInteger) } ?? false
            if isExact { json.raw(Array(text.utf8)) } else { json.string(text) }
        }
    }

    /// The scope's, the span's own, then those that say what Jaeger has no field for.
    static func tags(of span: TraceSpan) -> [JaegerTag] {
        var tags: [JaegerTag] = []
        tags.reserveCapacity(span.attributes.count + 6)
        func add(_ key: String, _ text: String) {
            if !text.isEmpty { tags.append(JaegerTag(key, .string(text))) }
        }
        add("otel.scope.name", span.scope.name)
        add("otel.scope.version", span.scope.version)
        for attribute in span.attributes { tags.append(JaegerTag(attribute)) }
        add("span.kind", SpanKindName.name(of: span.kind))
        switch span.statusCode {
        case 1: add("otel.status_code", "OK")
        case 2:
            add("otel.status_code", "ERROR")
            tags.append(JaegerTag("error", .bool(true)))
        default: break
        }
        add("otel.status_description", span.statusMessage)
        add("w3c.tracestate", span.traceState)
        return tags
    }
}

/// The processes of one trace: each distinct pair of service and tags, numbered from 1 as they are met (J-21).
private struct JaegerProcesses {
    struct Process: Hashable {
        let serviceName: String
        /// Sorted.
        let tags: [JaegerTag]
    }

    private(set) var all: [Process] = []
    private var numbers: [Process: Int] = [:]
    /// Spans of one sender mostly share their resource's object.
    private var numbersByResource: [ObjectIdentifier: Int] = [:]

    mutating func number(of span: TraceSpan) -> Int {
        let identity = ObjectIdentifier(span.resource)
        if let number = numbersByResource[identity] { return number }
        let tags = span.resource.attributes.filter { $0.key != "service.name" }.map { JaegerTag($0) }
        let process = Process(
            serviceName: span.serviceName,
            tags: tags.sorted { ($0.key, $0.type.rawValue, $0.text) < ($1.key, $1.type.rawValue, $1.text) })
        let number = numbers[process] ?? all.count + 1
        if number > all.count {
            all.append(process)
            numbers[process] = number
        }
        numbersByResource[identity] = number
        return number
    }
}
