import Core
import JSON
import QueryModel
import TraceSearch

/// Writes traces as Jaeger's legacy API shows them (rules J-17 to J-22, §6.7 of the contract).
struct JaegerTraceWriter {
    var json: JSONWriter
    private var processes = JaegerProcesses()

    /// - Parameter spanCount: of all traces that will be written, about.
    init(spanCount: Int = 0) {
        json = JSONWriter(reserving: min(spanCount, 1 << 12) * Self.bytesPerSpan)
    }

    /// What a span of usual size takes.
    private static let bytesPerSpan = 1280

    mutating func trace(_ trace: Trace) {
        let traceID = Self.text(trace.id)
        processes.beginTrace()
        json.begin(#"{"traceID":"#)
        json.string(traceID)
        json.key("spans")
        json.beginArray()
        for span in trace.spans { self.span(span, traceID: traceID, process: processes.number(of: span)) }
        json.endArray()
        json.key("processes")
        json.beginObject()
        for (index, process) in processes.ofTrace.enumerated() {
            json.key("p\(index + 1)")
            json.raw(process)
        }
        json.endObject()
        json.end(#","warnings":null}"#)
    }

    /// 16 digits where the upper half is zero, as clients join by the text (J-17).
    static func text(_ id: TraceID) -> String { id.high == 0 ? Hex.string(id.low) : id.hex }

    private mutating func span(_ span: TraceSpan, traceID: String, process: Int) {
        json.begin(#"{"traceID":"#)
        json.string(traceID)
        json.go(on: #","spanID":"#)
        json.string(span.spanID.hex)
        if span.flags & 0xFF != 0 {
            json.go(on: #","flags":"#)
            json.uint(UInt64(span.flags & 0xFF))
        }
        json.go(on: #","operationName":"#)
        json.string(span.name)
        references(of: span, traceID: traceID)
        json.go(on: #","startTime":"#)
        json.int(span.start.nanoseconds / 1_000)
        json.go(on: #","duration":"#)
        json.int(span.duration / 1_000)
        tags(of: span)
        logs(of: span)
        json.go(on: #","processID":"p"#)
        json.digits(UInt64(process))
        json.end(#"","warnings":null}"#)
    }

    /// The parent first, then the links. A link to the parent leaves it the parent, and says no more if it says the same.
    private mutating func references(of span: TraceSpan, traceID: String) {
        json.go(on: #","references":"#)
        json.beginArray()
        if !span.parentSpanID.isZero { reference(isChild: true, traceID, span.parentSpanID) }
        for link in span.links where !link.traceID.isZero && !link.spanID.isZero {
            let isChild = Self.isChild(link)
            if isChild, link.traceID == span.traceID, link.spanID == span.parentSpanID { continue }
            reference(isChild: isChild, Self.text(link.traceID), link.spanID)
        }
        json.endArray()
    }

    private static func isChild(_ link: TraceSpan.Link) -> Bool {
        link.attributes.contains { $0.key == "opentracing.ref_type" && $0.value == .string("child_of") }
    }

    private mutating func reference(isChild: Bool, _ traceID: String, _ spanID: SpanID) {
        if isChild {
            json.begin(#"{"refType":"CHILD_OF","traceID":"#)
        } else {
            json.begin(#"{"refType":"FOLLOWS_FROM","traceID":"#)
        }
        json.string(traceID)
        json.go(on: #","spanID":"#)
        json.string(spanID.hex)
        json.end("}")
    }

    private mutating func logs(of span: TraceSpan) {
        json.go(on: #","logs":"#)
        json.beginArray()
        for event in span.events {
            json.begin(#"{"timestamp":"#)
            json.int(event.time.nanoseconds / 1_000)
            json.go(on: #","fields":"#)
            json.beginArray()
            if !event.name.isEmpty, !event.attributes.contains(where: { $0.key == "event" }) {
                json.tag("event", .string(event.name))
            }
            for attribute in event.attributes { json.tag(attribute.key, attribute.value) }
            json.endArray()
            json.end("}")
        }
        json.endArray()
    }

    /// The scope's, the span's own, then those that say what Jaeger has no field for.
    private mutating func tags(of span: TraceSpan) {
        json.go(on: #","tags":"#)
        json.beginArray()
        text("otel.scope.name", span.scope.name)
        text("otel.scope.version", span.scope.version)
        for attribute in span.attributes { json.tag(attribute.key, attribute.value) }
        text("span.kind", SpanKindName.name(of: span.kind))
        switch span.statusCode {
        case 1: text("otel.status_code", "OK")
        case 2:
            text("otel.status_code", "ERROR")
            json.tag("error", .bool(true))
        default: break
        }
        text("otel.status_description", span.statusMessage)
        text("w3c.tracestate", span.traceState)
        json.endArray()
    }

    private mutating func text(_ key: String, _ text: String) {
        if !text.isEmpty { json.tag(key, .string(text)) }
    }
}

/// Above it, JSON readers with doubles lose digits.
private let largestExactInteger: UInt64 = 1 << 53 - 1

extension JSONWriter {
    /// A tag in Jaeger's five types: `string`, `bool`, `int64`, `float64`, `binary` (J-20).
    fileprivate mutating func tag(_ key: String, _ value: AttributeValue) {
        begin(#"{"key":"#)
        string(key)
        switch value {
        case .string(let text):
            go(on: #","type":"string","value":"#)
            string(text)
        case .bool(let flag):
            go(on: #","type":"bool","value":"#)
            bool(flag)
        case .int(let integer):
            go(on: #","type":"int64","value":"#)
            if integer.magnitude <= largestExactInteger { int(integer) } else { quoted(integer) }
        case .double(let double) where double.isFinite:
            go(on: #","type":"float64","value":"#)
            raw(Array(double.shortestText.utf8))
        case .bytes:
            go(on: #","type":"binary","value":"#)
            string(value.text)
        case .empty, .double, .array, .map:
            go(on: #","type":"string","value":"#)
            string(value.text)
        }
        end("}")
    }
}

/// The processes of traces: each distinct pair of service and tags, numbered from 1 in each trace as they are met (J-21). Many traces
/// share them, so their text is made once.
private struct JaegerProcesses {
    /// A text that is hashed once, however often the dictionary grows.
    private struct Text: Hashable {
        let bytes: [UInt8]
        private let hash: Int

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            hash = bytes.hashValue
        }

        func hash(into hasher: inout Hasher) { hasher.combine(hash) }
    }

    /// By number of the text.
    private var texts: [[UInt8]] = []
    private var numbersByText: [Text: Int] = [:]
    /// Spans of one sender mostly share their resource's object, which the traces hold.
    private var numbersByResource: [ObjectIdentifier: Int] = [:]
    /// By number of the text: the number in the trace at hand, if it was met there.
    private var placeInTrace: [Int] = []
    private var met: [Int] = []

    var ofTrace: [[UInt8]] { met.map { texts[$0] } }

    mutating func beginTrace() {
        for number in met { placeInTrace[number] = 0 }
        met.removeAll(keepingCapacity: true)
    }

    mutating func number(of span: TraceSpan) -> Int {
        let number = numbersByResource[ObjectIdentifier(span.resource)] ?? add(span)
        if placeInTrace[number] == 0 {
            met.append(number)
            placeInTrace[number] = met.count
        }
        return placeInTrace[number]
    }

    private mutating func add(_ span: TraceSpan) -> Int {
        let text = Text(Self.text(span))
        let number = numbersByText[text] ?? texts.count
        if number == texts.count {
            texts.append(text.bytes)
            placeInTrace.append(0)
            numbersByText[text] = number
        }
        numbersByResource[ObjectIdentifier(span.resource)] = number
        return number
    }

    private static func text(_ span: TraceSpan) -> [UInt8] {
        var json = JSONWriter()
        json.begin(#"{"serviceName":"#)
        json.string(span.serviceName)
        json.go(on: #","tags":"#)
        json.beginArray()
        let tags = span.resource.attributes.filter { $0.key != "service.name" }
        // Whatever their order was, the same tags are the same process.
        for tag in tags.map({ ($0, $0.value.text) }).sorted(by: { ($0.0.key, $0.1) < ($1.0.key, $1.1) }) {
            json.tag(tag.0.key, tag.0.value)
        }
        json.endArray()
        json.end("}")
        return json.bytes
    }
}
