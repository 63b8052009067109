public import Columns
package import Core

/// OTLP's `AnyValue` and `KeyValue` in protobuf, which is also how nested values, resources and scopes are stored.
public enum AnyValue {
    /// What kind of value the bytes of an `AnyValue` hold, and where. Of several, the last one counts.
    public struct Scalar {
        public var type = AttributeType.empty
        public var bytes = ProtobufSlice.empty
        public var word: UInt64 = 0

        @inlinable
        public init() {}
    }

    /// Reads an `AnyValue` one level deep and checks the levels below.
    @inlinable
    public static func scalar(_ message: ProtobufSlice) throws(ProtobufError) -> Scalar {
        var reader = ProtobufReader(message)
        var result = Scalar()
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2:
                result.type = .string
                result.bytes = try reader.bytes()
            case 2 << 3:
                result.type = .bool
                result.word = try reader.varint() == 0 ? 0 : 1
            case 3 << 3:
                result.type = .int
                result.word = try reader.varint()
            case 4 << 3 | 1:
                result.type = .double
                result.word = try reader.fixed64()
            case 5 << 3 | 2:
                result.type = .array
                result.bytes = message
                try checkList(reader.bytes(), depth: 1)
            case 6 << 3 | 2:
                result.type = .map
                result.bytes = message
                try checkMap(reader.bytes(), depth: 1)
            case 7 << 3 | 2:
                result.type = .bytes
                result.bytes = try reader.bytes()
            default: try reader.skip(tag)
            }
        }
        return result
    }

    private static func check(_ message: ProtobufSlice, depth: Int) throws(ProtobufError) {
        guard depth <= ProtobufReader.deepest else { throw .tooDeep }
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 5 << 3 | 2: try checkList(reader.bytes(), depth: depth + 1)
            case 6 << 3 | 2: try checkMap(reader.bytes(), depth: depth + 1)
            default: try reader.skip(tag)
            }
        }
    }

    @usableFromInline
    static func checkList(_ message: ProtobufSlice, depth: Int) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | 2 {
                try check(reader.bytes(), depth: depth)
            } else {
                try reader.skip(tag)
            }
        }
    }

    @usableFromInline
    static func checkMap(_ message: ProtobufSlice, depth: Int) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | 2 {
                let (_, value) = try keyValue(reader.bytes())
                try check(value, depth: depth)
            } else {
                try reader.skip(tag)
            }
        }
    }

    /// The key and the value's bytes of a `KeyValue`.
    @inlinable
    @inline(__always)
    public static func keyValue(
        _ message: ProtobufSlice
    ) throws(ProtobufError) -> (key: ProtobufSlice, value: ProtobufSlice) {
        var reader = ProtobufReader(message)
        var key = ProtobufSlice(start: message.start, count: 0)
        var value = ProtobufSlice(start: message.start, count: 0)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: key = try reader.bytes()
            case 2 << 3 | 2: value = try reader.bytes()
            default: try reader.skip(tag)
            }
        }
        return (key, value)
    }

    /// The value of bytes that were checked when they came in; bytes that are wrong nevertheless give `.empty`.
    package static func decode(_ message: ProtobufSlice) -> AttributeValue {
        (try? decode(message, depth: 0)) ?? .empty
    }

    package static func decode(_ bytes: Span<UInt8>) -> AttributeValue {
        bytes.withUnsafeBytes { decode(ProtobufSlice($0)) }
    }

    package static func attributes(_ bytes: Span<UInt8>, field: UInt64) -> [Attribute] {
        bytes.withUnsafeBytes { attributes(ProtobufSlice($0), field: field) }
    }

    private static func decode(
        _ message: ProtobufSlice, depth: Int
    ) throws(ProtobufError) -> AttributeValue {
        guard depth <= ProtobufReader.deepest else { throw .tooDeep }
        var reader = ProtobufReader(message)
        var result = AttributeValue.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: result = .string(try reader.bytes().string)
            case 2 << 3: result = .bool(try reader.varint() != 0)
            case 3 << 3: result = .int(Int64(bitPattern: try reader.varint()))
            case 4 << 3 | 1: result = .double(Double(bitPattern: try reader.fixed64()))
            case 5 << 3 | 2: result = .array(try decodeList(reader.bytes(), depth: depth + 1))
            case 6 << 3 | 2:
                result = .map(try decodeAttributes(reader.bytes(), field: 1, depth: depth + 1))
            case 7 << 3 | 2: result = .bytes(try reader.bytes().array)
            default: try reader.skip(tag)
            }
        }
        return result
    }

    private static func decodeList(
        _ message: ProtobufSlice, depth: Int
    ) throws(ProtobufError) -> [AttributeValue] {
        var reader = ProtobufReader(message)
        var values: [AttributeValue] = []
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == 1 << 3 | 2 {
                values.append(try decode(reader.bytes(), depth: depth))
            } else {
                try reader.skip(tag)
            }
        }
        return values
    }

    /// The `KeyValue`s in field `field` of a message; of equal keys the last one counts (rule O-24).
    package static func attributes(_ message: ProtobufSlice, field: UInt64) -> [Attribute] {
        (try? decodeAttributes(message, field: field, depth: 0)) ?? []
    }

    private static func decodeAttributes(
        _ message: ProtobufSlice, field: UInt64, depth: Int
    ) throws(ProtobufError) -> [Attribute] {
        var reader = ProtobufReader(message)
        var attributes: [Attribute] = []
        var positions: [String: Int] = [:]
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == field << 3 | 2 else {
                try reader.skip(tag)
                continue
            }
            let (key, value) = try keyValue(reader.bytes())
            let attribute = Attribute(key: key.string, value: try decode(value, depth: depth))
            if let position = positions[attribute.key] {
                attributes[position] = attribute
            } else {
                positions[attribute.key] = attributes.count
                attributes.append(attribute)
            }
        }
        return attributes
    }

    /// Checks every `KeyValue` in field `field` of a message that is stored as it came.
    package static func check(
        attributesIn message: ProtobufSlice, field: UInt64
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            if tag == field << 3 | 2 {
                let (_, value) = try keyValue(reader.bytes())
                _ = try scalar(value)
            } else {
                try reader.skip(tag)
            }
        }
    }
}

extension AttributesColumn {
    /// The attributes of a row as they were sent.
    package func attributes(_ row: Int) -> [Attribute] {
        var result: [Attribute] = []
        for (subcolumn, slot) in entries(row) {
            if subcolumns[subcolumn].type == .overflow {
                guard case .strings(let column)? = subcolumns[subcolumn].values else { continue }
                result += AnyValue.attributes(ProtobufSlice(column.bytes(slot)), field: 1)
            } else {
                result.append(
                    Attribute(
                        key: String(decoding: subcolumns[subcolumn].key, as: UTF8.self),
                        value: subcolumns[subcolumn].value(slot)))
            }
        }
        return result
    }
}

extension AttributeSubcolumn {
    /// The value at `slot`.
    package func value(_ slot: Int) -> AttributeValue {
        switch (type, values) {
        case (.bool, .integers(let values)?): .bool(values[slot] != 0)
        case (.int, .integers(let values)?): .int(values[slot])
        case (.double, .floats(let values)?): .double(values[slot])
        case (.string, .strings(let column)?): .string(column.string(slot))
        case (.bytes, .strings(let column)?): .bytes(Array(column.bytes(slot)))
        case (.array, .strings(let column)?), (.map, .strings(let column)?):
            AnyValue.decode(ProtobufSlice(column.bytes(slot)))
        default: .empty
        }
    }
}
