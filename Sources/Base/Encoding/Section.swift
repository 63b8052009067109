/// A payload inside another: run values, lengths, exceptions.
///
/// ```
/// encoding u8 | compression u8 | raw length, varint | stored length, varint (only if compressed) | stored bytes
/// ```
enum Section {
    static func append(
        integers values: UnsafeBufferPointer<Int64>, with compressor: Compressor,
        _ features: IntegerCodec.Features = .all, to sink: inout ByteSink
    ) {
        var payload = ByteSink(capacity: values.count + 64)
        let chosen = IntegerCodec.encode(values, with: compressor, features, into: &payload)
        append(chosen, payload.bytes, with: compressor, to: &sink)
    }

    /// Lengths and codes: naturals of 32 bits.
    static func append(
        naturals values: UnsafeBufferPointer<UInt32>, with compressor: Compressor, to sink: inout ByteSink
    ) {
        widened(values) { append(integers: $0, with: compressor, to: &sink) }
    }

    static func append(
        floats values: UnsafeBufferPointer<Double>, with compressor: Compressor, to sink: inout ByteSink
    ) {
        var payload = ByteSink(capacity: values.count + 64)
        let chosen = FloatCodec.encode(values, with: compressor, into: &payload)
        append(chosen, payload.bytes, with: compressor, to: &sink)
    }

    static func append(
        fixed bytes: UnsafeRawBufferPointer, width: Int, with compressor: Compressor, to sink: inout ByteSink
    ) {
        var payload = ByteSink(capacity: bytes.count + 64)
        let chosen = FixedCodec.encode(bytes, width: width, with: compressor, into: &payload)
        append(chosen, payload.bytes, with: compressor, to: &sink)
    }

    static func append(
        bytes: UnsafeRawBufferPointer, effort: Compressor.Effort, with compressor: Compressor, to sink: inout ByteSink
    ) {
        append(Payload(.plain, effort), bytes, with: compressor, to: &sink)
    }

    static func append(
        _ chosen: Payload, _ payload: UnsafeRawBufferPointer, with compressor: Compressor, to sink: inout ByteSink
    ) {
        var stored = ByteSink(capacity: 0)
        let compression = compressor.append(payload, effort: chosen.effort, to: &stored)
        sink.append(chosen.encoding.rawValue)
        sink.append(compression.rawValue)
        sink.append(varint: payload.count)
        if compression != .none { sink.append(varint: stored.count) }
        sink.append(stored.bytes)
    }

    static func widened<R>(
        _ values: UnsafeBufferPointer<UInt32>, _ body: (UnsafeBufferPointer<Int64>) -> R
    ) -> R {
        let wide = Scratch<Int64>(values.count)
        if let base = values.baseAddress {
            for i in 0..<values.count { wide.base[i] = Int64(base[i]) }
        }
        return body(wide.elements)
    }
}

extension Section {
    /// Decodes a section of `count` integers.
    static func decode<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        let inner = try bounds.inner()
        try withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            try IntegerCodec.decode(payload, encoding, count: count, inner, into: target)
        }
    }

    /// Decodes a section of `count` doubles.
    static func decode(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        let inner = try bounds.inner()
        try withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            try FloatCodec.decode(payload, encoding, count: count, inner, into: target)
        }
    }

    /// Decodes a section of `count` values of `width` bytes.
    static func decode(
        _ source: inout ByteSource, count: Int, width: Int, _ bounds: Bounds, into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let inner = try bounds.inner()
        try withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            try FixedCodec.decode(payload, encoding, count: count, width: width, inner, into: target)
        }
    }

    /// Decodes a section of exactly `target.count` bytes.
    static func decode(_ source: inout ByteSource, into target: UnsafeMutableRawBufferPointer) throws(EncodingError) {
        let header = try Header(&source, limit: target.count)
        guard header.encoding == .plain, header.rawLength == target.count else { throw .corrupt }
        try Compressor.decompress(try source.take(header.storedLength), header.compression, into: target)
    }

    /// Calls `body` with the payload of a section, whatever its encoding.
    static func withPayload(
        _ source: inout ByteSource, _ bounds: Bounds,
        _ body: (UnsafeRawBufferPointer, EncodingID) throws(EncodingError) -> Void
    ) throws(EncodingError) {
        let header = try Header(&source, limit: bounds.bytes)
        let stored = try source.take(header.storedLength)
        if header.compression == .none { return try body(stored, header.encoding) }
        let raw = Scratch<UInt8>(header.rawLength)
        try Compressor.decompress(stored, header.compression, into: raw.bytes)
        try body(UnsafeRawBufferPointer(raw.bytes), header.encoding)
    }

    /// A section as it is stored.
    static func stored(
        _ source: inout ByteSource, limit: Int
    ) throws(EncodingError) -> (
        encoding: EncodingID, compression: CompressionID, rawLength: Int, bytes: UnsafeRawBufferPointer
    ) {
        let header = try Header(&source, limit: limit)
        return (header.encoding, header.compression, header.rawLength, try source.take(header.storedLength))
    }

    static func skip(_ source: inout ByteSource, limit: Int) throws(EncodingError) {
        _ = try stored(&source, limit: limit)
    }

    private struct Header {
        let encoding: EncodingID
        let compression: CompressionID
        let rawLength: Int
        let storedLength: Int

        init(_ source: inout ByteSource, limit: Int) throws(EncodingError) {
            encoding = try EncodingID(checking: source.byte())
            compression = try CompressionID(checking: source.byte())
            rawLength = try source.count(atMost: limit)
            storedLength = compression == .none ? rawLength : try source.count(atMost: limit)
        }
    }
}
