/// A strict reader of protobuf wire format, written apart from the writer under test.
struct WireReader {
    struct Malformed: Error {}

    enum Value: Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes([UInt8])
    }

    /// The fields of a message, in order.
    static func fields(_ bytes: [UInt8]) throws -> [(number: UInt64, value: Value)] {
        var reader = WireReader(bytes: bytes[...])
        var fields: [(number: UInt64, value: Value)] = []
        while !reader.bytes.isEmpty {
            let tag = try reader.varint()
            fields.append((tag >> 3, try reader.value(wireType: tag & 7)))
        }
        return fields
    }

    /// The sub-messages of one field.
    static func messages(_ number: UInt64, in bytes: [UInt8]) throws -> [[UInt8]] {
        try fields(bytes).compactMap { field in
            guard field.number == number else { return nil }
            guard case .bytes(let message) = field.value else { throw Malformed() }
            return message
        }
    }

    private var bytes: ArraySlice<UInt8>

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { throw Malformed() }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Malformed()
    }

    private mutating func take(_ count: UInt64) throws -> [UInt8] {
        guard count <= UInt64(bytes.count) else { throw Malformed() }
        defer { bytes = bytes.dropFirst(Int(count)) }
        return Array(bytes.prefix(Int(count)))
    }

    private mutating func value(wireType: UInt64) throws -> Value {
        switch wireType {
        case 0: return .varint(try varint())
        case 1: return .fixed64(try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
        case 2: return .bytes(try take(try varint()))
        case 5: return .fixed32(try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
        default: throw Malformed()
        }
    }
}
