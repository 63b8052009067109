/// 64-bit integers: one look at all values, then the encoding that a sample says is smallest.
///
/// All arithmetic is modulo 2^64, so every value and every difference is exact.
enum IntegerCodec {
    /// What one pass over the values shows.
    struct Traits {
        var isConstant = true
        /// Runs of equal values.
        var runs = 1

        init(_ values: UnsafeBufferPointer<Int64>) {
            guard let base = values.baseAddress else { return }
            var changes = 0
            for i in 1..<max(values.count, 1) {
                changes &+= base[i] == base[i &- 1] ? 0 : 1
            }
            runs = changes + 1
            isConstant = changes == 0
        }
    }

    /// Appends the payload of `values`.
    static func encode(
        _ values: UnsafeBufferPointer<Int64>, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        guard let first = values.first else { return Payload(.plain, .never) }
        let traits = Traits(values)
        if traits.isConstant {
            sink.append(word: UInt64(bitPattern: first))
            return Payload(.constant, .never)
        }
        PackedGroups.encode(values, into: &sink)
        return Payload(.packed, .sampled)
    }

    /// Decodes `count` values from the payload of an encoding; inner payloads take at most `limit` bytes.
    static func decode<Value: Unpackable>(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, limit: Int,
        into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            try decodePlain(&source, count: count, into: target)
        case .constant:
            target.update(repeating: Value(truncatingIfNeeded: try source.word()), count: count)
        case .packed:
            try PackedGroups.decode(&source, count: count, into: target)
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }

    private static func decodePlain<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        guard count <= Int.max / 8 else { throw .corrupt }
        let bytes = try source.take(count * 8)
        for i in 0..<count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
            target[i] = Value(truncatingIfNeeded: word)
        }
    }
}

/// What an encoder chose, and whether compressing the payload may pay.
struct Payload {
    var encoding: EncodingID
    var effort: Compressor.Effort

    init(_ encoding: EncodingID, _ effort: Compressor.Effort) {
        self.encoding = encoding
        self.effort = effort
    }
}
