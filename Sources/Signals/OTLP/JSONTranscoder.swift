import JSON

/// OTLP/JSON requests as the protobuf requests that say the same, so that there is one decoder (rules O-20 to O-24).
package enum OTLPJSON {
    /// The deepest nesting of `AnyValue` that is accepted; an attribute's own value is at depth 1.
    package static let maximumValueDepth = 64

    /// Four levels of JSON for each nested `kvlistValue`, and the levels around an exemplar's attribute.
    package static let maximumJSONDepth = maximumValueDepth * 4 + 32

    /// - Parameter bytes: an `ExportTraceServiceRequest` or `TracesData` in OTLP/JSON.
    package static func transcode(traces bytes: [UInt8]) throws(OTLPJSONError) -> [UInt8] {
        try transcode(bytes, as: .traceRequest)
    }

    /// - Parameter bytes: an `ExportLogsServiceRequest` or `LogsData` in OTLP/JSON.
    package static func transcode(logs bytes: [UInt8]) throws(OTLPJSONError) -> [UInt8] {
        try transcode(bytes, as: .logRequest)
    }

    /// - Parameter bytes: an `ExportMetricsServiceRequest` or `MetricsData` in OTLP/JSON.
    package static func transcode(metrics bytes: [UInt8]) throws(OTLPJSONError) -> [UInt8] {
        try transcode(bytes, as: .metricRequest)
    }

    private static func transcode(_ bytes: [UInt8], as message: JSONMessage) throws(OTLPJSONError) -> [UInt8] {
        let root: JSONValue
        do {
            root = try JSONValue.parse(bytes, maximumDepth: maximumJSONDepth)
        } catch {
            throw OTLPJSONError(path: "", reason: "\(error)")
        }
        var transcoder = JSONTranscoder(capacity: bytes.count / 2)
        try transcoder.write(root, as: message)
        return transcoder.output.bytes
    }
}

/// Why a request is not OTLP/JSON.
package struct OTLPJSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where, as in `resourceSpans[0].scopeSpans[2].spans[1].traceId`; empty for the whole text.
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// Walks JSON along the tables of `JSONMessage` and writes protobuf.
///
/// Fields are written in the order of the JSON text. What protobuf calls absent is left out: null, and the zero of a
/// field that does not tell zero from absent. Names that no table has are passed over.
struct JSONTranscoder {
    var output: ProtobufOutput
    private var path: [Step] = []
    private var valueDepth = 0

    private enum Step {
        case name(String)
        case index(Int)
    }

    init(capacity: Int) { output = ProtobufOutput(capacity: capacity) }

    /// Writes the fields of `value`, without a tag or a length around them.
    mutating func write(_ value: JSONValue, as message: JSONMessage) throws(OTLPJSONError) {
        let members: [(key: String, value: JSONValue)]
        switch value {
        case .object(let pairs): members = pairs
        case .null: return
        default: throw failure("expected an object, found \(value.kindName)")
        }
        if message == .anyValue {
            valueDepth += 1
            if valueDepth > OTLPJSON.maximumValueDepth {
                throw failure("values are nested more than \(OTLPJSON.maximumValueDepth) deep")
            }
        }
        let fields = message.fields
        var chosen: UInt32?
        for (key, value) in members {
            guard let field = fields[key] else { continue }
            if case .null = value { continue }
            path.append(.name(key))
            if field.presence == .choice {
                if let chosen, chosen != field.number { throw failure("excludes another field of the same object") }
                chosen = field.number
            }
            try write(value, to: field)
            path.removeLast()
        }
        if message == .anyValue { valueDepth -= 1 }
    }

    private mutating func write(_ value: JSONValue, to field: JSONField) throws(OTLPJSONError) {
        switch field.form {
        case .message(let message):
            try writeMessage(value, as: message, number: field.number)
        case .messages(let message):
            try eachElement(of: value) { (transcoder, element) throws(OTLPJSONError) in
                try transcoder.writeMessage(element, as: message, number: field.number)
            }
        case .strings:
            try eachElement(of: value) { (transcoder, element) throws(OTLPJSONError) in
                let text = try transcoder.string(element)
                transcoder.output.write(bytes: text.utf8, number: field.number)
            }
        case .packedDouble, .packedFixed64, .packedVarint:
            try writePacked(value, as: field)
        default:
            try writeScalar(value, to: field)
        }
    }

    private mutating func writeMessage(
        _ value: JSONValue, as message: JSONMessage, number: UInt32
    ) throws(OTLPJSONError) {
        let start = output.begin(number: number)
        try write(value, as: message)
        output.end(from: start)
    }

    private mutating func eachElement(
        of value: JSONValue, _ body: (inout Self, JSONValue) throws(OTLPJSONError) -> Void
    ) throws(OTLPJSONError) {
        guard case .array(let elements) = value else {
            throw failure("expected an array, found \(value.kindName)")
        }
        for (index, element) in elements.enumerated() {
            path.append(.index(index))
            try body(&self, element)
            path.removeLast()
        }
    }

    private mutating func writePacked(_ value: JSONValue, as field: JSONField) throws(OTLPJSONError) {
        if case .array(let elements) = value, elements.isEmpty { return }
        let start = output.begin(number: field.number)
        try eachElement(of: value) { (transcoder, element) throws(OTLPJSONError) in
            switch field.form {
            case .packedDouble: transcoder.output.append(fixed: try transcoder.double(element).bitPattern)
            case .packedFixed64: transcoder.output.append(fixed: try transcoder.unsigned(element))
            default: transcoder.output.append(varint: try transcoder.unsigned(element))
            }
        }
        output.end(from: start)
    }

    private mutating func writeScalar(_ value: JSONValue, to field: JSONField) throws(OTLPJSONError) {
        let number = field.number
        let writesZero = field.presence != .implicit
        switch field.form {
        case .string:
            let text = try string(value)
            if writesZero || !text.isEmpty { output.write(bytes: text.utf8, number: number) }
        case .identifier:
            let bytes = try identifier(value)
            if !bytes.isEmpty { output.write(bytes: bytes, number: number) }
        case .optionalIdentifier:
            _ = try string(value)
            // A byte is no id, so that the record is counted as one that was sent with an ill-formed one.
            let bytes = (try? identifier(value)) ?? [0]
            if !bytes.isEmpty { output.write(bytes: bytes, number: number) }
        case .base64:
            let bytes = try base64(value)
            if writesZero || !bytes.isEmpty { output.write(bytes: bytes, number: number) }
        case .bool:
            guard case .bool(let flag) = value else { throw failure("expected true or false, found \(value.kindName)") }
            if writesZero || flag { output.write(varint: flag ? 1 : 0, number: number) }
        case .int64:
            let integer = try signed(value)
            if writesZero || integer != 0 { output.write(varint: UInt64(bitPattern: integer), number: number) }
        case .int32:
            try writeEnumeration(try narrow(value), number: number)
        case .enumeration(let names):
            try writeEnumeration(try enumeration(value, names), number: number)
        case .uint32:
            let integer = try narrowUnsigned(value)
            if integer != 0 { output.write(varint: UInt64(integer), number: number) }
        case .signed32:
            let integer = try narrow(value)
            let zigzag = UInt32(bitPattern: (integer << 1) ^ (integer >> 31))
            if integer != 0 { output.write(varint: UInt64(zigzag), number: number) }
        case .fixed32:
            let integer = try narrowUnsigned(value)
            if integer != 0 { output.write(fixed: integer, number: number) }
        case .fixed64:
            let integer = try unsigned(value)
            if integer != 0 { output.write(fixed: integer, number: number) }
        case .signedFixed64:
            output.write(fixed: UInt64(bitPattern: try signed(value)), number: number)
        case .double:
            let double = try double(value)
            if writesZero || double.bitPattern != 0 { output.write(fixed: double.bitPattern, number: number) }
        case .message, .messages, .strings, .packedDouble, .packedFixed64, .packedVarint:
            preconditionFailure("not a scalar")
        }
    }

    private mutating func writeEnumeration(_ integer: Int32, number: UInt32) throws(OTLPJSONError) {
        // Protobuf extends a negative int32 to 64 bits.
        if integer != 0 { output.write(varint: UInt64(bitPattern: Int64(integer)), number: number) }
    }

    /// An error at the place where the walk is.
    func failure(_ reason: String) -> OTLPJSONError {
        var text = ""
        for step in path {
            switch step {
            case .name(let name): text += text.isEmpty ? name : "." + name
            case .index(let index): text += "[\(index)]"
            }
        }
        return OTLPJSONError(path: text, reason: reason)
    }
}
