/// Integers as variable-length bytes: what repeats among them, zstd finds.
enum Varints {
    /// Mode 1: zigzag differences, the first from zero.
    private static let differences: UInt8 = 1

    static func appendDifferences(_ values: UnsafeBufferPointer<Int64>, to sink: inout ByteSink) {
        guard let base = values.baseAddress, let first = values.first else { return }
        sink.append(differences)
        sink.append(word: UInt64(bitPattern: first))
        let start = sink.reserve((values.count - 1) * Varint.mostBytes)
        var target = start
        for i in 1..<max(values.count, 1) {
            target += Varint.write(ZigZag.encode(base[i] &- base[i &- 1]), to: target)
        }
        sink.advance(target - start)
    }

    static func decode<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        guard count > 0 else { return }
        guard try source.byte() == differences else { throw .corrupt }
        var value = Value(truncatingIfNeeded: try source.word())
        target[0] = value
        for i in 1..<max(count, 1) {
            value &+= Value(truncatingIfNeeded: ZigZag.decode(try source.varint()))
            target[i] = value
        }
    }
}
