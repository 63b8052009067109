/// Writes protobuf's wire format.
///
/// A message's length stands before its fields, but is known only after them: the fields are written first, and moved up by
/// the length's few bytes when the message ends. Each byte moves once for each message around it, in one `memmove` each.
struct ProtobufOutput {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Begins a message field; the result goes to `end(from:)`.
    mutating func begin(number: UInt32) -> Int {
        append(varint: UInt64(number) << 3 | 2)
        return bytes.count
    }

    mutating func end(from start: Int) {
        var length = UInt64(bytes.count - start)
        if length < 0x80 {
            bytes.insert(UInt8(length), at: start)
            return
        }
        var prefix: [UInt8] = []
        while length >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        prefix.append(UInt8(length))
        bytes.insert(contentsOf: prefix, at: start)
    }

    mutating func write(bytes content: some Collection<UInt8>, number: UInt32) {
        append(varint: UInt64(number) << 3 | 2)
        append(varint: UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    mutating func write(varint: UInt64, number: UInt32) {
        append(varint: UInt64(number) << 3)
        append(varint: varint)
    }

    mutating func write(fixed: UInt64, number: UInt32) {
        append(varint: UInt64(number) << 3 | 1)
        append(fixed: fixed)
    }

    mutating func write(fixed: UInt32, number: UInt32) {
        append(varint: UInt64(number) << 3 | 5)
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: fixed >> shift)) }
    }

    mutating func append(varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Little-endian.
    mutating func append(fixed: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: fixed >> shift)) }
    }
}
