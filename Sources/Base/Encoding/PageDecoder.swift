package import Core

/// Decodes pages. Every page may be hostile: a decoder throws, and never traps, reads or writes out of bounds,
/// or takes more memory than a few times `byteLimit`, which bounds a payload, and the strings and rows that
/// come out of it.
///
/// Targets have room for `count` values, which is not negative: the caller has allocated them. After an error
/// their contents are undefined, but initialized memory stays so.
package struct PageDecoder: ~Copyable {
    package static let defaultByteLimit = 64 << 20

    private let byteLimit: Int
    private var bounds: Bounds { Bounds(bytes: byteLimit) }
    /// Decompressed payloads, one at a time.
    private var scratch = ByteSink(capacity: 0)

    package init(byteLimit: Int = PageDecoder.defaultByteLimit) {
        self.byteLimit = byteLimit
    }

    package mutating func decodeIntegers(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        into target: UnsafeMutablePointer<Int64>
    ) throws(EncodingError) {
        if encoding == .plain { return try decodePlain(bytes, compression, count, 8, rawLength, target) }
        let payload = try payload(bytes, compression, rawLength)
        try IntegerCodec.decode(payload, encoding, count: count, bounds, into: target)
    }

    package mutating func decodeFloats(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        if encoding == .plain { return try decodePlain(bytes, compression, count, 8, rawLength, target) }
        let payload = try payload(bytes, compression, rawLength)
        try FloatCodec.decode(payload, encoding, count: count, bounds, into: target)
    }

    package mutating func decodeCodes(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        into target: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) {
        let payload = try payload(bytes, compression, rawLength)
        try IntegerCodec.decode(payload, encoding, count: count, bounds, into: target)
    }

    /// Decodes `count` values of `width` bytes each; `target` has room for `count * width` bytes.
    package mutating func decodeFixed(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int, width: Int,
        rawLength: Int, into target: UnsafeMutablePointer<UInt8>
    ) throws(EncodingError) {
        if encoding == .plain { return try decodePlain(bytes, compression, count, width, rawLength, target) }
        let payload = try payload(bytes, compression, rawLength)
        try FixedCodec.decode(payload, encoding, count: count, width: width, bounds, into: target)
    }

    /// Decodes `count` ids of 8 bytes, which may refer to `siblings`: the ids that stand in the same rows of another leaf.
    package mutating func decodeIDs(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int, beside siblings: UnsafeBufferPointer<UInt8>, into target: UnsafeMutablePointer<UInt8>
    ) throws(EncodingError) {
        guard encoding == .distances else {
            return try decodeFixed(
                page: bytes, encoding: encoding, compression: compression, count: count, width: 8, rawLength: rawLength,
                into: target)
        }
        guard count > 0, siblings.count / 8 == count, let others = siblings.baseAddress else { throw .corrupt }
        let payload = try payload(bytes, compression, rawLength)
        try DistanceCodec.decode(payload, count: count, siblings: others, bounds, into: target)
    }

    /// Decodes the numbers of entries that `count` integers are.
    package mutating func decodeEntries(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int, into target: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) {
        guard encoding == .entries else { throw .wrongType(encoding) }
        var source = ByteSource(try payload(bytes, compression, rawLength))
        try Section.decode(&source, count: count, bounds, into: target)
        try source.end()
    }

    /// Decodes `count` ids of 16 bytes that are entries of a list, of which `list` has those from the number `first` on.
    package mutating func decodeIDs(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int, list: UnsafeBufferPointer<UInt8>, first: Int, into target: UnsafeMutablePointer<UInt8>
    ) throws(EncodingError) {
        guard encoding == .entries else { throw .wrongType(encoding) }
        let payload = try payload(bytes, compression, rawLength)
        try EntryCodec.decode(
            payload, count: count, list: UnsafeRawBufferPointer(list), first: first, bounds, into: target)
    }

    /// Decodes `count` strings: the length of each into `lengths`, and returns the bytes of all.
    package mutating func decodeStrings(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        let payload = try payload(bytes, compression, rawLength)
        return try StringCodec.decode(payload, encoding, count: count, bounds, lengths: lengths)
    }

    /// Decodes `count` rows of integers: the length of each into `lengths`, and returns the values of all.
    package mutating func decodeIntegerRows(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Int64> {
        let payload = try payload(bytes, compression, rawLength)
        return try RowCodec.decodeIntegers(payload, encoding, count: count, bounds, lengths: lengths)
    }

    /// Decodes `count` rows of doubles: the length of each into `lengths`, and returns the values of all.
    package mutating func decodeFloatRows(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, count: Int,
        rawLength: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Double> {
        let payload = try payload(bytes, compression, rawLength)
        return try RowCodec.decodeFloats(payload, encoding, count: count, bounds, lengths: lengths)
    }

    /// Decodes bytes that `encode(raw:)` took; there are `rawLength` of them.
    package mutating func decodeRaw(
        page bytes: UnsafeRawBufferPointer, encoding: EncodingID, compression: CompressionID, rawLength: Int
    ) throws(EncodingError) -> Buffer<UInt8> {
        guard encoding == .plain else { throw .wrongType(encoding) }
        guard rawLength >= 0, rawLength <= byteLimit else { throw .tooLarge(limit: byteLimit) }
        let memory = BufferMemory<UInt8>(capacity: rawLength)
        let target = UnsafeMutableRawBufferPointer(start: memory.base, count: rawLength)
        try Compressor.decompress(bytes, compression, into: target)
        return Buffer(owner: memory, base: memory.base, count: rawLength)
    }

    /// The payload of a page: the page itself, or what it decompresses to.
    private mutating func payload(
        _ bytes: UnsafeRawBufferPointer, _ compression: CompressionID, _ rawLength: Int
    ) throws(EncodingError) -> UnsafeRawBufferPointer {
        guard rawLength >= 0, rawLength <= byteLimit else { throw .tooLarge(limit: byteLimit) }
        if compression == .none {
            guard bytes.count == rawLength else { throw .corrupt }
            return bytes
        }
        scratch.removeAll()
        let target = UnsafeMutableRawBufferPointer(start: scratch.reserve(rawLength), count: rawLength)
        try Compressor.decompress(bytes, compression, into: target)
        scratch.advance(rawLength)
        return scratch.bytes
    }

    /// Decompresses plain values right into their target.
    private func decodePlain(
        _ bytes: UnsafeRawBufferPointer, _ compression: CompressionID, _ count: Int, _ width: Int, _ rawLength: Int,
        _ target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let (length, overflow) = count.multipliedReportingOverflow(by: width)
        guard !overflow, count >= 0, length == rawLength else { throw .corrupt }
        try Compressor.decompress(bytes, compression, into: UnsafeMutableRawBufferPointer(start: target, count: length))
    }
}
