/// A protobuf message as the list of its fields: the slow twin of `ProtobufReader`.
package struct NaiveMessage {
    package enum Value: Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes([UInt8])
        case fixed32(UInt32)
        /// What is in it is forgotten.
        case group
    }

    package struct Malformed: Error {}

    package private(set) var fields: [(number: UInt64, value: Value)] = []

    package init(_ bytes: [UInt8]) throws {
        var wire = Wire(bytes: bytes)
        while wire.position < bytes.count {
            let tag = try wire.tag()
            fields.append((tag >> 3, try wire.value(tag)))
        }
    }

    /// Bytes that are read one value after the other.
    private struct Wire {
        let bytes: [UInt8]
        var position = 0

        mutating func varint() throws -> UInt64 {
            var digits: [UInt8] = []
            repeat {
                guard position < bytes.count, digits.count < 10 else { throw Malformed() }
                digits.append(bytes[position])
                position += 1
            } while digits[digits.count - 1] >= 0x80
            var value: UInt64 = 0
            for digit in digits.reversed() {
                let (product, overflow) = value.multipliedReportingOverflow(by: 128)
                guard !overflow else { throw Malformed() }
                value = product + UInt64(digit & 0x7F)
            }
            return value
        }

        mutating func take(_ count: UInt64) throws -> [UInt8] {
            guard count <= UInt64(bytes.count - position) else { throw Malformed() }
            defer { position += Int(count) }
            return Array(bytes[position..<(position + Int(count))])
        }

        mutating func fixed(_ count: UInt64) throws -> UInt64 {
            try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        mutating func tag() throws -> UInt64 {
            let tag = try varint()
            guard tag >> 3 > 0, tag <= UInt64(UInt32.max) else { throw Malformed() }
            return tag
        }

        mutating func value(_ tag: UInt64) throws -> Value {
            switch tag & 7 {
            case 0: return .varint(try varint())
            case 1: return .fixed64(try fixed(8))
            case 2: return .bytes(try take(try varint()))
            case 3:
                while true {
                    let next = try self.tag()
                    if next == tag + 1 { return .group }
                    _ = try value(next)
                }
            case 5: return .fixed32(UInt32(try fixed(4)))
            default: throw Malformed()
            }
        }
    }

    /// The length-delimited values of a repeated field.
    package func all(_ number: UInt64) -> [[UInt8]] {
        fields.compactMap { field in
            guard field.number == number, case .bytes(let bytes) = field.value else { return nil }
            return bytes
        }
    }

    /// Of a text or of bytes the last one counts.
    package func bytes(_ number: UInt64) -> [UInt8] { all(number).last ?? [] }

    /// Of a message that comes several times the fields of all count, which is what their concatenation has.
    package func merged(_ number: UInt64) -> [UInt8] { all(number).flatMap { $0 } }

    package func varint(_ number: UInt64) -> UInt64? {
        fields.reduce(nil) { last, field in
            guard field.number == number, case .varint(let value) = field.value else { return last }
            return value
        }
    }

    package func fixed64(_ number: UInt64) -> UInt64? {
        fields.reduce(nil) { last, field in
            guard field.number == number, case .fixed64(let value) = field.value else { return last }
            return value
        }
    }

    package func fixed32(_ number: UInt64) -> UInt32? {
        fields.reduce(nil) { last, field in
            guard field.number == number, case .fixed32(let value) = field.value else { return last }
            return value
        }
    }

    /// A repeated field of eight-byte values, packed or not.
    package func words(_ number: UInt64) throws -> [UInt64] {
        var result: [UInt64] = []
        for field in fields where field.number == number {
            switch field.value {
            case .fixed64(let value): result.append(value)
            case .bytes(let packed):
                guard packed.count % 8 == 0 else { throw Malformed() }
                for start in stride(from: 0, to: packed.count, by: 8) {
                    result.append(packed[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) })
                }
            default: continue
            }
        }
        return result
    }

    /// A repeated field of varints, packed or not.
    package func varints(_ number: UInt64) throws -> [UInt64] {
        var result: [UInt64] = []
        for field in fields where field.number == number {
            switch field.value {
            case .varint(let value): result.append(value)
            case .bytes(let packed):
                var rest = packed[...]
                while let end = rest.firstIndex(where: { $0 < 0x80 }) {
                    // A packed varint is the value of a field in a message of its own.
                    guard case .varint(let value)? = try NaiveMessage([8] + rest[...end]).fields.first?.value else {
                        throw Malformed()
                    }
                    result.append(value)
                    rest = rest[(end + 1)...]
                }
                guard rest.isEmpty else { throw Malformed() }
            default: continue
            }
        }
        return result
    }

    package func uint32(_ number: UInt64) -> Int64 { Int64((varint(number) ?? 0) & 0xFFFF_FFFF) }

    package func int32(_ number: UInt64) -> Int64 {
        Int64(Int32(bitPattern: UInt32((varint(number) ?? 0) & 0xFFFF_FFFF)))
    }

    package func sint32(_ number: UInt64) -> Int64 {
        let folded = (varint(number) ?? 0) & 0xFFFF_FFFF
        return folded % 2 == 0 ? Int64(folded / 2) : -Int64(folded / 2) - 1
    }
}
