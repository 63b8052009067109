import Core

/// Columns of arrays: the buckets of histograms.
///
/// ```
/// integers: section of lengths | number of values, varint | section of the values, each less the value above it
/// doubles:  section of lengths | number of values, varint | a section of the values
/// ```
/// The value above is the one at the same place in the row before, if that row is of the same length: the histograms of one
/// series follow each other, and their counts only grow.
enum RowCodec {
    static func encode(
        _ lengths: UnsafeBufferPointer<UInt32>, integers values: UnsafeBufferPointer<Int64>,
        with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        appendLengths(lengths, values.count, with: compressor, to: &sink)
        let rest = UnsafeMutablePointer<Int64>.allocate(capacity: max(values.count, 1))
        defer { rest.deallocate() }
        forEachRow(lengths) { start, length, above in
            for i in start..<(start + length) { rest[i] = values[i] &- (above.map { values[i - start + $0] } ?? 0) }
        }
        Section.append(
            integers: UnsafeBufferPointer(start: rest, count: values.count), with: compressor, to: &sink)
        return Payload(.rows, .never)
    }

    static func encode(
        _ lengths: UnsafeBufferPointer<UInt32>, floats values: UnsafeBufferPointer<Double>,
        with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        appendLengths(lengths, values.count, with: compressor, to: &sink)
        Section.append(floats: values, with: compressor, to: &sink)
        return Payload(.rows, .never)
    }

    private static func appendLengths(
        _ lengths: UnsafeBufferPointer<UInt32>, _ valueCount: Int, with compressor: Compressor, to sink: inout ByteSink
    ) {
        precondition(lengths.reduce(0) { $0 + Int($1) } == valueCount, "lengths that do not add up to the values")
        Section.append(naturals: lengths, with: compressor, to: &sink)
        sink.append(varint: valueCount)
    }

    static func decodeIntegers(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, limit: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Int64> {
        var source = ByteSource(payload)
        let total = try decodeLengths(&source, encoding, count: count, limit: limit, lengths: lengths)
        let memory = BufferMemory<Int64>(capacity: total)
        try Section.decode(&source, count: total, limit: limit, into: memory.base)
        try source.end()
        let values = memory.base
        forEachRow(UnsafeBufferPointer(start: lengths, count: count)) { start, length, above in
            guard let above else { return }
            for i in 0..<length { values[start &+ i] &+= values[above &+ i] }
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    static func decodeFloats(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, limit: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Double> {
        var source = ByteSource(payload)
        let total = try decodeLengths(&source, encoding, count: count, limit: limit, lengths: lengths)
        let memory = BufferMemory<Double>(capacity: total)
        try Section.decode(&source, count: total, limit: limit, into: memory.base)
        try source.end()
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    /// Decodes the lengths and returns their sum, which is the number of values.
    private static func decodeLengths(
        _ source: inout ByteSource, _ encoding: EncodingID, count: Int, limit: Int,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Int {
        guard encoding == .rows else { throw .wrongType(encoding) }
        try Section.decode(&source, count: count, limit: limit, into: lengths)
        let total = try source.varint()
        guard total <= UInt64(limit / 8) else { throw .tooLarge(limit: limit) }
        var sum = 0
        for i in 0..<count { sum &+= Int(lengths[i]) }
        guard sum == Int(total) else { throw .corrupt }
        return sum
    }

    /// Calls `body` with each row's first value, its length, and the first value of the row above if that has the same length.
    @inline(__always)
    private static func forEachRow(_ lengths: UnsafeBufferPointer<UInt32>, _ body: (Int, Int, Int?) -> Void) {
        var start = 0
        var lastLength = -1
        for row in 0..<lengths.count {
            let length = Int(lengths[row])
            body(start, length, length == lastLength ? start - length : nil)
            start += length
            lastLength = length
        }
    }
}
