/// Reads the numbers of an index's directory; every read is checked.
struct ByteCoding {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What is left, which bounds every count of things that take at least a byte each.
    var remaining: Int { bytes.count - position }

    mutating func byte() throws(IndexingError) -> UInt8 {
        guard position < bytes.count else { throw .corrupt }
        position += 1
        return bytes[position - 1]
    }

    mutating func word() throws(IndexingError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63, next > 1 { throw .corrupt }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw .corrupt }
        }
    }

    mutating func varint(below limit: Int) throws(IndexingError) -> Int {
        let value = try word()
        guard value < UInt64(limit) else { throw .corrupt }
        return Int(value)
    }

    mutating func fixed32() throws(IndexingError) -> UInt32 {
        var value: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 32, by: 8) { value |= UInt32(try byte()) << shift }
        return value
    }

    static func append(varint value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    static func append(fixed32 value: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
