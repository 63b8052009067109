/// Unpacking: each value is its bits plus `reference`, modulo 2^64, or modulo 2^32 for codes.
extension BitPacking {
    /// Unpacks `count` values; `source` holds at least `byteCount(count:width:)` bytes.
    static func unpack(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, reference: Int64,
        into target: UnsafeMutablePointer<Int64>
    ) {
        guard width > 0, let base = source.baseAddress else {
            target.update(repeating: reference, count: count)
            return
        }
        if count < groupSize {
            unpackString(source, count: count, width: width) { target[$0] = reference &+ Int64(bitPattern: $1) }
        } else if width <= 32 {
            unpackNarrow(base, width: width) { target[$0] = reference &+ Int64($1) }
        } else {
            unpackWide(base, width: width) { target[$0] = reference &+ Int64(bitPattern: $1) }
        }
    }

    static func unpack(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, reference: Int64,
        into target: UnsafeMutablePointer<UInt32>
    ) {
        let reference = UInt32(truncatingIfNeeded: reference)
        guard width > 0, let base = source.baseAddress else {
            target.update(repeating: reference, count: count)
            return
        }
        if count < groupSize {
            unpackString(source, count: count, width: width) {
                target[$0] = reference &+ UInt32(truncatingIfNeeded: $1)
            }
        } else if width <= 32 {
            unpackNarrow(base, width: width) { target[$0] = reference &+ $1 }
        } else {
            unpackWide(base, width: width) { target[$0] = reference &+ UInt32(truncatingIfNeeded: $1) }
        }
    }

    @inline(__always)
    private static func unpackNarrow(_ source: UnsafeRawPointer, width: Int, store: (Int, UInt32) -> Void) {
        let mask = width == 32 ? UInt32.max : (1 &<< UInt32(truncatingIfNeeded: width)) &- 1
        for row in 0..<32 {
            let bit = row &* width
            let shift = UInt32(truncatingIfNeeded: bit & 31)
            let word = source + (bit &>> 5) &* 128
            let first = row &* 32
            if Int(shift) &+ width <= 32 {
                for lane in 0..<32 {
                    let low = word.loadUnaligned(fromByteOffset: lane &* 4, as: UInt32.self)
                    store(first &+ lane, (low &>> shift) & mask)
                }
            } else {
                for lane in 0..<32 {
                    let low = word.loadUnaligned(fromByteOffset: lane &* 4, as: UInt32.self)
                    let high = word.loadUnaligned(fromByteOffset: 128 &+ lane &* 4, as: UInt32.self)
                    store(first &+ lane, (low &>> shift | high &<< (32 &- shift)) & mask)
                }
            }
        }
    }

    @inline(__always)
    private static func unpackWide(_ source: UnsafeRawPointer, width: Int, store: (Int, UInt64) -> Void) {
        let mask = width == 64 ? UInt64.max : (1 &<< UInt64(truncatingIfNeeded: width)) &- 1
        for row in 0..<64 {
            let bit = row &* width
            let shift = UInt64(truncatingIfNeeded: bit & 63)
            let word = source + (bit &>> 6) &* 128
            let first = row &* 16
            if Int(shift) &+ width <= 64 {
                for lane in 0..<16 {
                    let low = word.loadUnaligned(fromByteOffset: lane &* 8, as: UInt64.self)
                    store(first &+ lane, (low &>> shift) & mask)
                }
            } else {
                for lane in 0..<16 {
                    let low = word.loadUnaligned(fromByteOffset: lane &* 8, as: UInt64.self)
                    let high = word.loadUnaligned(fromByteOffset: 128 &+ lane &* 8, as: UInt64.self)
                    store(first &+ lane, (low &>> shift | high &<< (64 &- shift)) & mask)
                }
            }
        }
    }

    @inline(__always)
    private static func unpackString(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, store: (Int, UInt64) -> Void
    ) {
        let mask = width == 64 ? UInt64.max : (1 &<< UInt64(truncatingIfNeeded: width)) &- 1
        for i in 0..<count {
            let bit = i &* width
            let shift = UInt64(truncatingIfNeeded: bit & 7)
            let offset = bit &>> 3
            var value = word(source, at: offset) &>> shift
            // Beyond 57 bits a value may reach into a ninth byte, which then is there.
            if Int(shift) &+ width > 64 {
                value |= UInt64(source[offset &+ 8]) &<< (64 &- shift)
            }
            store(i, value & mask)
        }
    }

    /// Eight bytes from `offset` on; those past the end are zero.
    @inline(__always)
    private static func word(_ source: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        if offset &+ 8 <= source.count { return source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        var value: UInt64 = 0
        for i in stride(from: source.count &- 1, through: offset, by: -1) { value = value &<< 8 | UInt64(source[i]) }
        return value
    }
}
