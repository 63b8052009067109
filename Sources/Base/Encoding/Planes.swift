/// Values byte by byte, each byte's plane compressed alone: entropy coding fits a byte's own distribution, and
/// what is random stays as it is.
enum Planes {
    /// How many bytes hold values up to `span`.
    static func count(_ span: UInt64) -> Int { max((64 - span.leadingZeroBitCount + 7) / 8, 1) }

    static func append(
        _ values: UnsafeBufferPointer<Int64>, reference: Int64, count planes: Int, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        sink.append(word: UInt64(bitPattern: reference))
        sink.append(UInt8(planes))
        let plane = Scratch<UInt8>(values.count)
        for k in 0..<planes {
            let shift = Int64(8 * k)
            for i in 0..<values.count {
                plane.base[i] = UInt8(truncatingIfNeeded: (values[i] &- reference) &>> shift)
            }
            Section.append(
                bytes: UnsafeRawBufferPointer(plane.elements), effort: .full, with: compressor, to: &sink)
        }
    }

    static func decode<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        let reference = Value(truncatingIfNeeded: try source.word())
        let planes = Int(try source.byte())
        guard (1...8).contains(planes) else { throw .corrupt }
        target.update(repeating: reference, count: count)
        let plane = Scratch<UInt8>(count)
        for k in 0..<planes {
            try Section.decode(&source, into: plane.bytes)
            let shift = UInt64(8 * k)
            for i in 0..<count {
                target[i] &+= Value(truncatingIfNeeded: UInt64(plane.base[i]) &<< shift)
            }
        }
    }
}
