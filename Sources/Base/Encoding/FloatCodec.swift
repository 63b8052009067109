/// Doubles, bit for bit: NaN payloads, infinities and negative zero come back as they went in.
enum FloatCodec {
    static func encode(
        _ values: UnsafeBufferPointer<Double>, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        guard let first = values.first else { return Payload(.plain, .never) }
        if values.allSatisfy({ $0.bitPattern == first.bitPattern }) {
            sink.append(word: first.bitPattern)
            return Payload(.constant, .never)
        }
        sink.append(UnsafeRawBufferPointer(values))
        return Payload(.plain, .sampled)
    }

    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, limit: Int,
        into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            guard count <= Int.max / 8 else { throw .corrupt }
            let bytes = try source.take(count * 8)
            UnsafeMutableRawBufferPointer(start: target, count: count * 8).copyMemory(from: bytes)
        case .constant:
            target.update(repeating: Double(bitPattern: try source.word()), count: count)
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }
}
