private import Glibc

/// Values of a fixed number of bytes: trace ids, span ids, addresses.
///
/// ```
/// plain       the values
/// constant    the value
/// runs        number of runs, varint | section of run values | section of run lengths
/// sparse      number of values other than zero, varint | section of a bitmap of them | section of them
/// dictionary  number of distinct values, varint | section of them, by first use | section of back references
/// ```
/// A back reference counts from the newest distinct value so far: 1 is that itself, 2 the one before, 0 is a new one.
enum FixedCodec {
    static func encode(
        _ bytes: UnsafeRawBufferPointer, width: Int, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        let count = bytes.count / width
        guard count > 0, let base = bytes.baseAddress else { return Payload(.plain, .never) }
        let shape = Shape(base, count: count, width: width)
        if shape.runs == 1 {
            sink.append(UnsafeRawBufferPointer(rebasing: bytes[..<width]))
            return Payload(.constant, .never)
        }
        if shape.zeros > count / 32 {
            appendSparse(base, count: count, width: width, shape.zeros, with: compressor, to: &sink)
            return Payload(.sparse, .never)
        }
        if shape.runs <= count / 2 {
            appendRuns(base, count: count, width: width, shape.runs, with: compressor, to: &sink)
            return Payload(.runs, .never)
        }
        if FixedDictionary.append(base, count: count, width: width, with: compressor, to: &sink) {
            return Payload(.dictionary, .never)
        }
        sink.append(bytes)
        return Payload(.plain, .sampled)
    }

    private struct Shape {
        var runs = 1
        var zeros = 0

        init(_ base: UnsafeRawPointer, count: Int, width: Int) {
            let zero = Scratch<UInt8>(width)
            zero.base.initialize(repeating: 0, count: width)
            for i in 0..<count {
                let value = base + i &* width
                if i > 0 && !FixedCodec.areEqual(value, value - width, width) { runs &+= 1 }
                if FixedCodec.areEqual(value, zero.base, width) { zeros &+= 1 }
            }
        }
    }

    @inline(__always)
    static func areEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ width: Int) -> Bool {
        switch width {
        case 8: a.loadUnaligned(as: UInt64.self) == b.loadUnaligned(as: UInt64.self)
        case 16: a.loadUnaligned(as: SIMD2<UInt64>.self) == b.loadUnaligned(as: SIMD2<UInt64>.self)
        default: memcmp(a, b, width) == 0
        }
    }

    private static func appendRuns(
        _ base: UnsafeRawPointer, count: Int, width: Int, _ runs: Int, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        let values = Scratch<UInt8>(runs * width)
        let lengths = Scratch<Int64>(runs)
        var run = 0
        var start = 0
        for i in 1...count where i == count || !areEqual(base + i &* width, base + (i &- 1) &* width, width) {
            memcpy(values.base + run &* width, base + start &* width, width)
            lengths.base[run] = Int64(i - start)
            run += 1
            start = i
        }
        sink.append(varint: runs)
        Section.append(
            fixed: UnsafeRawBufferPointer(values.elements), width: width, with: compressor, to: &sink)
        Section.append(integers: lengths.elements, with: compressor, [], to: &sink)
    }

    private static func appendSparse(
        _ base: UnsafeRawPointer, count: Int, width: Int, _ zeros: Int, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        let zero = Scratch<UInt8>(width)
        zero.base.initialize(repeating: 0, count: width)
        let bitmap = Scratch<UInt8>((count + 7) / 8)
        bitmap.base.initialize(repeating: 0, count: bitmap.count)
        let others = Scratch<UInt8>((count - zeros) * width)
        var kept = 0
        for i in 0..<count where !areEqual(base + i &* width, zero.base, width) {
            bitmap.base[i &>> 3] |= 1 &<< UInt8(i & 7)
            memcpy(others.base + kept &* width, base + i &* width, width)
            kept += 1
        }
        sink.append(varint: kept)
        let bits = UnsafeRawBufferPointer(bitmap.elements)
        Section.append(bytes: bits, effort: .full, with: compressor, to: &sink)
        Section.append(
            fixed: UnsafeRawBufferPointer(others.elements), width: width, with: compressor, to: &sink)
    }
}

extension FixedCodec {
    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, width: Int, _ bounds: Bounds,
        into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let (length, overflow) = count.multipliedReportingOverflow(by: width)
        guard !overflow, width > 0 else { throw .corrupt }
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            UnsafeMutableRawBufferPointer(start: target, count: length).copyMemory(from: try source.take(length))
        case .constant:
            let value = try source.take(width)
            if let base = value.baseAddress { fill(target, base, width: width, times: count) }
        case .runs:
            try decodeRuns(&source, count: count, width: width, bounds, into: target)
        case .sparse:
            try decodeSparse(&source, count: count, width: width, bounds, into: target)
        case .dictionary:
            try FixedDictionary.decode(&source, count: count, width: width, bounds, into: target)
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }

    private static func decodeRuns(
        _ source: inout ByteSource, count: Int, width: Int, _ bounds: Bounds, into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let runs = try source.count(atMost: count)
        let values = Scratch<UInt8>(runs * width)
        try Section.decode(&source, count: runs, width: width, bounds, into: values.base)
        let lengths = try RunLengths(&source, runs: runs, count: count, bounds)
        var filled = target
        for run in 0..<runs {
            let length = Int(lengths.values.base[run])
            fill(filled, values.base + run * width, width: width, times: length)
            filled += length * width
        }
    }

    private static func decodeSparse(
        _ source: inout ByteSource, count: Int, width: Int, _ bounds: Bounds, into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let kept = try source.count(atMost: count)
        let bitmap = Scratch<UInt8>((count + 7) / 8)
        try Section.decode(&source, into: bitmap.bytes)
        var set = 0
        for i in 0..<bitmap.count { set &+= bitmap.base[i].nonzeroBitCount }
        guard set == kept, count % 8 == 0 || bitmap.base[count / 8] >> UInt8(count % 8) == 0 else { throw .corrupt }
        let others = Scratch<UInt8>(kept * width)
        try Section.decode(&source, count: kept, width: width, bounds, into: others.base)
        var next = UnsafeRawPointer(others.base)
        memset(target, 0, count * width)
        for i in 0..<count where bitmap.base[i &>> 3] &>> UInt8(i & 7) & 1 == 1 {
            copy(target + i &* width, next, width)
            next += width
        }
    }

    @inline(__always)
    static func copy(_ target: UnsafeMutableRawPointer, _ value: UnsafeRawPointer, _ width: Int) {
        switch width {
        case 8: target.storeBytes(of: value.loadUnaligned(as: UInt64.self), as: UInt64.self)
        case 16: target.storeBytes(of: value.loadUnaligned(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
        default: memcpy(target, value, width)
        }
    }

    private static func fill(_ target: UnsafeMutableRawPointer, _ value: UnsafeRawPointer, width: Int, times: Int) {
        for i in 0..<times { copy(target + i &* width, value, width) }
    }
}
