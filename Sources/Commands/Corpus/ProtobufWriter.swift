/// Writes protobuf wire format, fields in the order of the calls.
package struct ProtobufWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func uint(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    package mutating func int(_ field: UInt64, _ value: Int64) { uint(field, UInt64(bitPattern: value)) }

    /// A `sint32` or `sint64`: zigzag.
    package mutating func zigzag(_ field: UInt64, _ value: Int64) {
        uint(field, UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    package mutating func bool(_ field: UInt64, _ value: Bool) { uint(field, value ? 1 : 0) }

    package mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 1)
        word(value)
    }

    package mutating func fixed32(_ field: UInt64, _ value: UInt32) {
        varint(field << 3 | 5)
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    package mutating func double(_ field: UInt64, _ value: Double) { fixed64(field, value.bitPattern) }

    package mutating func string(_ field: UInt64, _ value: String) {
        varint(field << 3 | 2)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    package mutating func data(_ field: UInt64, _ value: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Bytes that are whole fields already.
    package mutating func raw(_ fields: [UInt8]) { bytes.append(contentsOf: fields) }

    /// A trace id of 16 bytes.
    package mutating func id(_ field: UInt64, high: UInt64, low: UInt64) {
        varint(field << 3 | 2)
        bytes.append(16)
        bigEndian(high)
        bigEndian(low)
    }

    /// A span id of 8 bytes.
    package mutating func id(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 2)
        bytes.append(8)
        bigEndian(value)
    }

    package mutating func packedFixed64(_ field: UInt64, _ values: some Collection<UInt64>) {
        varint(field << 3 | 2)
        varint(UInt64(values.count * 8))
        for value in values { word(value) }
    }

    package mutating func packedVarints(_ field: UInt64, _ values: some Collection<UInt64>) {
        message(field) { writer in
            for value in values { writer.varint(value) }
        }
    }

    /// A sub-message, whose length is put before it once it is known.
    package mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        varint(field << 3 | 2)
        let lengthAt = bytes.count
        bytes.append(0)
        write(&self)
        var length = UInt64(bytes.count - lengthAt - 1)
        if length < 0x80 {
            bytes[lengthAt] = UInt8(length)
            return
        }
        var prefix: [UInt8] = []
        while length >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        prefix.append(UInt8(length))
        bytes.replaceSubrange(lengthAt...lengthAt, with: prefix)
    }

    private mutating func word(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    private mutating func bigEndian(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> (56 - shift)))
        }
    }
}
