/// Packed groups: up to 1024 values each as bits above a reference, with exceptions for the few that need many
/// more bits.
///
/// ```
/// group: width u8 (+0x80 with exceptions) | reference less the last group's, zigzag varint | [exceptions, varint]
///        bits (BitPacking) | [positions u16 each, ascending | the bits above `width` of each, varint]
/// ```
enum PackedGroups {
    private static let exceptionsMark: UInt8 = 0x80

    /// How one group is stored.
    struct Plan {
        var reference: Int64
        var width: Int
        var exceptions: Int
        /// The group's bytes but for its header, exact for the bits, an estimate for the exceptions.
        var byteCount: Int
    }

    /// Finds the width at which bits and exceptions together are least; leaves the offsets from the reference
    /// in `offsets`.
    static func plan(
        _ values: UnsafePointer<Int64>, count: Int, offsets: UnsafeMutablePointer<UInt64>
    ) -> Plan {
        let extent = Extent(values, count: count)
        let spread = Spread(values, count: count)
        if count >= 16 && spread.hasLowOutlier(extent.least) {
            let sturdy = BulkReference.find(values, count: count, near: spread.median)
            let straight = plan(values, count: count, reference: extent.least, offsets: offsets)
            let candidate = plan(values, count: count, reference: sturdy, offsets: offsets)
            if candidate.byteCount < straight.byteCount { return candidate }
            return plan(values, count: count, reference: extent.least, offsets: offsets)
        }
        if spread.hasHighOutlier(extent) {
            return plan(values, count: count, reference: extent.least, offsets: offsets)
        }
        for i in 0..<count { offsets[i] = UInt64(bitPattern: values[i] &- extent.least) }
        let width = 64 - extent.span.leadingZeroBitCount
        return Plan(
            reference: extent.least, width: width, exceptions: 0,
            byteCount: BitPacking.byteCount(count: count, width: width))
    }

    private static func plan(
        _ values: UnsafePointer<Int64>, count: Int, reference: Int64, offsets: UnsafeMutablePointer<UInt64>
    ) -> Plan {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 65) { widths in
            widths.initialize(repeating: 0)
            for i in 0..<count {
                let offset = UInt64(bitPattern: values[i] &- reference)
                offsets[i] = offset
                widths[64 &- offset.leadingZeroBitCount] &+= 1
            }
            var width = 64
            while width > 0 && widths[width] == 0 { width -= 1 }
            var best = Plan(
                reference: reference, width: width, exceptions: 0,
                byteCount: BitPacking.byteCount(count: count, width: width))
            // Each exception costs its position and, in whole bytes of 7, the bits above the width: about 4
            // bits are lost.
            var above = 0
            var highBits = 0
            for narrower in stride(from: width - 1, through: 0, by: -1) {
                above += Int(widths[narrower + 1])
                guard above <= count / 4 else { break }
                highBits += above
                let bytes =
                    BitPacking.byteCount(count: count, width: narrower) + 2 + above * 2
                    + (highBits + above * 4) / 7
                if bytes < best.byteCount {
                    best.width = narrower
                    best.exceptions = above
                    best.byteCount = bytes
                }
            }
            return best
        }
    }

    /// About how many bytes `encode` would append.
    static func byteCount(_ values: UnsafeBufferPointer<Int64>) -> Int {
        guard let base = values.baseAddress else { return 0 }
        let offsets = Scratch<UInt64>(BitPacking.groupSize)
        var byteCount = 0
        for start in stride(from: 0, to: values.count, by: BitPacking.groupSize) {
            let count = min(BitPacking.groupSize, values.count - start)
            byteCount += 4 + plan(base + start, count: count, offsets: offsets.base).byteCount
        }
        return byteCount
    }

    /// Appends `values` in groups.
    static func encode(_ values: UnsafeBufferPointer<Int64>, into sink: inout ByteSink) {
        guard let base = values.baseAddress else { return }
        let offsets = Scratch<UInt64>(BitPacking.groupSize)
        var last: Int64 = 0
        for start in stride(from: 0, to: values.count, by: BitPacking.groupSize) {
            let count = min(BitPacking.groupSize, values.count - start)
            let plan = plan(base + start, count: count, offsets: offsets.base)
            append(plan, offsets: offsets.base, count: count, after: last, to: &sink)
            last = plan.reference
        }
    }

    private static func append(
        _ plan: Plan, offsets: UnsafePointer<UInt64>, count: Int, after last: Int64, to sink: inout ByteSink
    ) {
        let width = plan.width
        sink.append(UInt8(width) | (plan.exceptions > 0 ? exceptionsMark : 0))
        sink.append(varint: ZigZag.encode(plan.reference &- last))
        if plan.exceptions > 0 { sink.append(varint: plan.exceptions) }
        let byteCount = BitPacking.byteCount(count: count, width: width)
        BitPacking.pack(
            offsets, count: count, width: width, to: sink.reserve(byteCount + BitPacking.slack))
        sink.advance(byteCount)
        guard plan.exceptions > 0 else { return }
        let limit: UInt64 = 1 &<< UInt64(width)  // a group with exceptions is narrower than 64 bits
        var positions = sink.reserve(plan.exceptions * (2 + Varint.mostBytes))
        var high = positions + plan.exceptions * 2
        var written = plan.exceptions * 2
        for i in 0..<count where offsets[i] >= limit {
            positions.storeBytes(of: UInt16(i).littleEndian, as: UInt16.self)
            positions += 2
            let length = Varint.write(offsets[i] &>> UInt64(width), to: high)
            high += length
            written += length
        }
        sink.advance(written)
    }

    /// Decodes `count` values.
    static func decode<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        var reference: Int64 = 0
        var start = 0
        while start < count {
            let groupCount = min(BitPacking.groupSize, count - start)
            let header = try source.byte()
            let width = Int(header & ~exceptionsMark)
            guard width <= 64 else { throw .corrupt }
            reference &+= ZigZag.decode(try source.varint())
            let exceptions = header & exceptionsMark == 0 ? 0 : try source.count(atMost: groupCount)
            guard exceptions == 0 || width < 64 else { throw .corrupt }
            let bits = try source.take(BitPacking.byteCount(count: groupCount, width: width))
            Value.unpack(bits, count: groupCount, width: width, reference: reference, into: target + start)
            if exceptions > 0 {
                let positions = try source.take(exceptions * 2)
                for i in 0..<exceptions {
                    let position = Int(
                        UInt16(littleEndian: positions.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)))
                    guard position < groupCount else { throw .corrupt }
                    let high = try source.varint() &<< UInt64(width)
                    target[start + position].add(high)
                }
            }
            start += groupCount
        }
    }
}

/// What integers can be unpacked into.
protocol Unpackable: BitwiseCopyable, FixedWidthInteger {
    static func unpack(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, reference: Int64,
        into target: UnsafeMutablePointer<Self>)
    /// Adds modulo 2^64, or modulo 2^32.
    mutating func add(_ bits: UInt64)
}

extension Int64: Unpackable {
    static func unpack(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, reference: Int64,
        into target: UnsafeMutablePointer<Int64>
    ) {
        BitPacking.unpack(source, count: count, width: width, reference: reference, into: target)
    }

    mutating func add(_ bits: UInt64) { self &+= Int64(bitPattern: bits) }
}

extension UInt32: Unpackable {
    static func unpack(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, reference: Int64,
        into target: UnsafeMutablePointer<UInt32>
    ) {
        BitPacking.unpack(source, count: count, width: width, reference: reference, into: target)
    }

    mutating func add(_ bits: UInt64) { self &+= UInt32(truncatingIfNeeded: bits) }
}
