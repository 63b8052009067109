import Core

/// Columns of arrays: the buckets of histograms.
///
/// ```
/// integers: section of lengths | number of values, varint | mode u8 | section of the values (mode 1: less those above)
/// doubles:  section of lengths | number of values, varint | section of the values
/// ```
/// The value above is the one at the same place in the row before, if that row is of the same length: the
/// histograms of one series follow each other, and their counts only grow.
enum RowCodec {
    private enum Mode: UInt8 {
        case values = 0
        case lessAbove = 1
    }

    static func encode(
        _ lengths: UnsafeBufferPointer<UInt32>, integers values: UnsafeBufferPointer<Int64>,
        with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        appendLengths(lengths, values.count, with: compressor, to: &sink)
        let rest = Scratch<Int64>(values.count)
        // The bits of both forms, to tell which is smaller: unlike a sample, this sees where series change.
        var bits = 0
        var restBits = 0
        forEachRow(lengths) { start, length, above in
            for i in 0..<length {
                let value = values[start &+ i]
                let less = above == nil ? value : value &- values[start &- length &+ i]
                rest.base[start &+ i] = less
                bits &+= 64 &- ZigZag.encode(value).leadingZeroBitCount
                restBits &+= 64 &- ZigZag.encode(less).leadingZeroBitCount
            }
        }
        let mode = restBits < bits ? Mode.lessAbove : .values
        sink.append(mode.rawValue)
        Section.append(
            integers: mode == .lessAbove ? rest.elements : values, with: compressor, to: &sink)
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
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Int64> {
        var source = ByteSource(payload)
        let total = try decodeLengths(&source, encoding, count: count, bounds, lengths: lengths)
        let memory = BufferMemory<Int64>(capacity: total)
        guard let mode = Mode(rawValue: try source.byte()) else { throw .corrupt }
        try Section.decode(&source, count: total, bounds, into: memory.base)
        try source.end()
        guard mode == .lessAbove else { return Buffer(owner: memory, base: memory.base, count: total) }
        let values = memory.base
        forEachRow(UnsafeBufferPointer(start: lengths, count: count)) { start, length, above in
            guard let above else { return }
            for i in 0..<length { values[start &+ i] &+= values[above &+ i] }
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    static func decodeFloats(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<Double> {
        var source = ByteSource(payload)
        let total = try decodeLengths(&source, encoding, count: count, bounds, lengths: lengths)
        let memory = BufferMemory<Double>(capacity: total)
        try Section.decode(&source, count: total, bounds, into: memory.base)
        try source.end()
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    /// Decodes the lengths and returns their sum, which is the number of values.
    private static func decodeLengths(
        _ source: inout ByteSource, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Int {
        guard encoding == .rows else { throw .wrongType(encoding) }
        try Section.decode(&source, count: count, bounds, into: lengths)
        let total = try source.varint()
        guard total <= UInt64(bounds.bytes / 8) else { throw .tooLarge(limit: bounds.bytes) }
        var sum = 0
        for i in 0..<count { sum &+= Int(lengths[i]) }
        guard sum == Int(total) else { throw .corrupt }
        return sum
    }

    /// Calls `body` with each row's first value, its length, and the first value of the row above if that has
    /// the same length.
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
