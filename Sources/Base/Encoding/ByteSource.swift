/// Reads a payload from its front; every step checks that the bytes are there.
struct ByteSource {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() throws(EncodingError) -> UInt8 {
        guard let byte = rest.first else { throw .truncated }
        rest = UnsafeRawBufferPointer(rebasing: rest[1...])
        return byte
    }

    mutating func word() throws(EncodingError) -> UInt64 {
        let bytes = try take(8)
        return UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    }

    mutating func take(_ count: Int) throws(EncodingError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= rest.count else { throw .truncated }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    mutating func varint() throws(EncodingError) -> UInt64 {
        var value: UInt64 = 0
        if let byte = rest.first, byte < 0x80 {
            rest = UnsafeRawBufferPointer(rebasing: rest[1...])
            return UInt64(byte)
        }
        for position in 0..<Varint.mostBytes {
            guard position < rest.count else { throw .truncated }
            let byte = rest[position]
            let bits = UInt64(byte & 0x7F)
            // The tenth byte holds the 64th bit alone.
            if position == 9 && byte > 1 { throw .corrupt }
            value |= bits &<< UInt64(7 &* position)
            if byte < 0x80 {
                rest = UnsafeRawBufferPointer(rebasing: rest[(position + 1)...])
                return value
            }
        }
        throw .corrupt
    }

    /// A number of things, at most `limit`.
    mutating func count(atMost limit: Int) throws(EncodingError) -> Int {
        let value = try varint()
        guard value <= UInt64(limit) else { throw .corrupt }
        return Int(value)
    }

    /// A payload has no bytes after its last value.
    func end() throws(EncodingError) {
        guard rest.isEmpty else { throw .corrupt }
    }
}
