private import Glibc

/// Values of a fixed number of bytes: trace ids, span ids, addresses.
enum FixedCodec {
    static func encode(
        _ bytes: UnsafeRawBufferPointer, width: Int, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        let count = bytes.count / width
        guard count > 0, let base = bytes.baseAddress else { return Payload(.plain, .never) }
        if memcmp(base, base + width, bytes.count - width) == 0 {
            sink.append(UnsafeRawBufferPointer(rebasing: bytes[..<width]))
            return Payload(.constant, .never)
        }
        sink.append(bytes)
        return Payload(.plain, .sampled)
    }

    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, width: Int, limit: Int,
        into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            let (length, overflow) = count.multipliedReportingOverflow(by: width)
            guard !overflow else { throw .corrupt }
            UnsafeMutableRawBufferPointer(start: target, count: length).copyMemory(from: try source.take(length))
        case .constant:
            let value = try source.take(width)
            guard let base = value.baseAddress else { break }
            for i in 0..<count { (target + i * width).copyMemory(from: base, byteCount: width) }
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }
}
