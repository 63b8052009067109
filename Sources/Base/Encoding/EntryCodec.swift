/// Values that stand in a list of the part: which entry.
///
/// ```
/// integers  section of the entries' numbers
/// ids       number of runs, varint | section of run codes | section of run lengths
/// ```
/// A run's code is 0 for ids that are all zero; otherwise it is one above the zigzag of its entry's number less the last
/// run's that was not zero. Lists are in the order of arrival, so the ids of a service's rows ascend slowly.
enum EntryCodec {
    /// A page may refer to entries so far apart: a reader gets all between the least and the greatest.
    private static let mostSpread = 256

    /// Appends the payload of ids of 16 bytes.
    ///
    /// - Returns: the least and the greatest entry; nil, and nothing is appended, if an id is not in the list, all are zero, or
    ///   the entries lie too far apart.
    static func append(
        _ ids: UnsafePointer<UInt8>, count: Int, _ index: borrowing IDIndex, with compressor: Compressor,
        to sink: inout ByteSink
    ) -> ClosedRange<Int>? {
        let base = UnsafeRawPointer(ids)
        let codes = Scratch<Int64>(count)
        let lengths = Scratch<Int64>(count)
        var runs = 0
        var referring = 0
        var last: (UInt64, UInt64) = (0, 0)
        var entry = 0
        var least = Int.max
        var greatest = 0
        for i in 0..<count {
            let id = (
                base.loadUnaligned(fromByteOffset: i &* 16, as: UInt64.self),
                base.loadUnaligned(fromByteOffset: i &* 16 &+ 8, as: UInt64.self)
            )
            if i > 0, id == last {
                lengths.base[runs &- 1] &+= 1
                continue
            }
            last = id
            if id.0 | id.1 == 0 {
                codes.base[runs] = 0
            } else {
                guard let number = index.number(of: id.0, id.1) else { return nil }
                codes.base[runs] = Int64(bitPattern: ZigZag.encode(Int64(number &- entry))) &+ 1
                entry = number
                least = min(least, number)
                greatest = max(greatest, number)
                referring &+= 1
            }
            lengths.base[runs] = 1
            runs &+= 1
        }
        guard referring > 0, greatest - least < mostSpread * referring else { return nil }
        sink.append(varint: runs)
        Section.append(integers: codes.prefix(runs), with: compressor, to: &sink)
        Section.append(integers: lengths.prefix(runs), with: compressor, to: &sink)
        return least...greatest
    }

    /// - Parameters:
    ///   - list: entries of the list, 16 bytes each …
    ///   - first: … and the number of the first of them.
    static func decode(
        _ payload: UnsafeRawBufferPointer, count: Int, list: UnsafeRawBufferPointer, first: Int, _ bounds: Bounds,
        into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        let runs = try source.count(atMost: count)
        let codes = Scratch<Int64>(runs)
        try Section.decode(&source, count: runs, bounds, into: codes.base)
        let lengths = try RunLengths(&source, runs: runs, count: count, bounds)
        try source.end()
        var entry: Int64 = 0
        var filled = target
        for run in 0..<runs {
            let length = Int(lengths.values.base[run])
            let code = codes.base[run]
            var id = SIMD2<UInt64>()
            if code != 0 {
                entry &+= ZigZag.decode(UInt64(bitPattern: code &- 1))
                let place = entry.subtractingReportingOverflow(Int64(first))
                guard !place.overflow, place.partialValue >= 0, place.partialValue < Int64(list.count / 16) else {
                    throw .corrupt
                }
                id = list.loadUnaligned(fromByteOffset: Int(place.partialValue) * 16, as: SIMD2<UInt64>.self)
            }
            for _ in 0..<length {
                filled.storeBytes(of: id, as: SIMD2<UInt64>.self)
                filled += 16
            }
        }
    }
}
