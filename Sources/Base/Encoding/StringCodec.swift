import Core

/// Strings: their lengths as integers, and the bytes of all, compressed together.
///
/// ```
/// strings: section of lengths | length of all bytes, varint | section of the bytes
/// ```
enum StringCodec {
    static func encode(
        _ lengths: UnsafeBufferPointer<UInt32>, _ bytes: UnsafeRawBufferPointer, with compressor: Compressor,
        into sink: inout ByteSink
    ) -> Payload {
        precondition(lengths.reduce(0) { $0 + Int($1) } == bytes.count, "lengths that do not add up to the bytes")
        Section.append(naturals: lengths, with: compressor, to: &sink)
        sink.append(varint: bytes.count)
        Section.append(bytes: bytes, effort: .full, with: compressor, to: &sink)
        return Payload(.strings, .never)
    }

    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, limit: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        var source = ByteSource(payload)
        guard encoding == .strings else { throw .wrongType(encoding) }
        try Section.decode(&source, count: count, limit: limit, into: lengths)
        let total = try source.varint()
        guard total <= UInt64(limit) else { throw .tooLarge(limit: limit) }
        guard sum(lengths, count) == Int(total) else { throw .corrupt }
        let memory = BufferMemory<UInt8>(capacity: Int(total))
        try Section.decode(&source, into: UnsafeMutableRawBufferPointer(start: memory.base, count: Int(total)))
        try source.end()
        return Buffer(owner: memory, base: memory.base, count: Int(total))
    }

    private static func sum(_ lengths: UnsafePointer<UInt32>, _ count: Int) -> Int {
        var sum = 0
        for i in 0..<count { sum &+= Int(lengths[i]) }
        return sum
    }
}
