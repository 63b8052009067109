extension IntegerCodec {
    /// Decodes `count` values from the payload of an encoding.
    static func decode<Value: Unpackable>(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            try decodePlain(&source, count: count, into: target)
        case .constant:
            target.update(repeating: Value(truncatingIfNeeded: try source.word()), count: count)
        case .runs:
            try decodeRuns(&source, count: count, bounds, into: target)
        case .packed:
            try PackedGroups.decode(&source, count: count, into: target)
        case .deltaPacked:
            try decodeDeltas(&source, count: count, into: target)
        case .varints:
            try Varints.decode(&source, count: count, into: target)
        case .planes:
            try Planes.decode(&source, count: count, into: target)
        case .scaled:
            try decodeScaled(&source, count: count, bounds, into: target)
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }

    private static func decodePlain<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        let (length, overflow) = count.multipliedReportingOverflow(by: 8)
        guard !overflow else { throw .corrupt }
        let bytes = try source.take(length)
        for i in 0..<count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
            target[i] = Value(truncatingIfNeeded: word)
        }
    }

    private static func decodeRuns<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        let runs = try source.count(atMost: count)
        let values = Scratch<Value>(runs)
        try Section.decode(&source, count: runs, bounds, into: values.base)
        let lengths = try RunLengths(&source, runs: runs, count: count, bounds)
        var filled = target
        for run in 0..<runs {
            let length = Int(lengths.values.base[run])
            filled.update(repeating: values.base[run], count: length)
            filled += length
        }
    }

    private static func decodeDeltas<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        guard count > 0 else { return }
        var value = Value(truncatingIfNeeded: try source.word())
        target[0] = value
        try PackedGroups.decode(&source, count: count - 1, into: target + 1)
        for i in 1..<max(count, 1) {
            value &+= target[i]
            target[i] = value
        }
    }

    private static func decodeScaled<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        let divisor = Value(truncatingIfNeeded: try source.varint())
        let base = Value(truncatingIfNeeded: try source.word())
        try Section.decode(&source, count: count, bounds, into: target)
        for i in 0..<count { target[i] = target[i] &* divisor &+ base }
    }
}

/// The lengths of runs, which add up to the number of values.
struct RunLengths: ~Copyable {
    let values: Scratch<UInt32>

    init(_ source: inout ByteSource, runs: Int, count: Int, _ bounds: Bounds) throws(EncodingError) {
        let lengths = Scratch<UInt32>(runs)
        try Section.decode(&source, count: runs, bounds, into: lengths.base)
        var sum = 0
        for run in 0..<runs { sum &+= Int(lengths.base[run]) }
        guard sum == count else { throw .corrupt }
        values = lengths
    }
}
