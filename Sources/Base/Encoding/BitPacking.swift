/// Packs the low `width` bits of 1024 values, in lanes, so that packing and unpacking are loops that the
/// compiler vectorises.
///
/// A full group with `width` up to 32 has 32 lanes of 32-bit words: value `i` belongs to lane `i % 32`, and a
/// lane is a bit string of its 32 values, least significant bit first. Word `k` of all lanes lies together,
/// lane 0 first. A wider group has 16 lanes of 64-bit words in the same manner. Either takes exactly
/// `128 * width` bytes. A group of fewer than 1024 values is one bit string of all its values, in
/// `(count * width + 7) / 8` bytes.
enum BitPacking {
    static let groupSize = 1024

    static func byteCount(count: Int, width: Int) -> Int {
        count == groupSize ? 128 &* width : (count &* width &+ 7) / 8
    }

    /// Bytes that `pack` may touch beyond `byteCount`.
    static let slack = 16

    /// Packs the low `width` bits of `values`; `target` has room for `byteCount + slack`.
    static func pack(
        _ values: UnsafePointer<UInt64>, count: Int, width: Int, to target: UnsafeMutableRawPointer
    ) {
        if width == 0 { return }
        if count < groupSize {
            packString(values, count: count, width: width, to: target)
        } else if width <= 32 {
            packNarrow(values, width: width, to: target)
        } else {
            packWide(values, width: width, to: target)
        }
    }

    private static func packNarrow(_ values: UnsafePointer<UInt64>, width: Int, to target: UnsafeMutableRawPointer) {
        let mask = width == 32 ? UInt32.max : (1 &<< UInt32(truncatingIfNeeded: width)) &- 1
        for row in 0..<32 {
            let bit = row &* width
            let shift = UInt32(truncatingIfNeeded: bit & 31)
            let word = target + (bit &>> 5) &* 128
            let source = values + row &* 32
            if shift == 0 {
                for lane in 0..<32 {
                    let value = UInt32(truncatingIfNeeded: source[lane]) & mask
                    word.storeBytes(of: value, toByteOffset: lane &* 4, as: UInt32.self)
                }
                continue
            }
            for lane in 0..<32 {
                let value = UInt32(truncatingIfNeeded: source[lane]) & mask
                let held = word.loadUnaligned(fromByteOffset: lane &* 4, as: UInt32.self)
                word.storeBytes(of: held | value &<< shift, toByteOffset: lane &* 4, as: UInt32.self)
            }
            if Int(shift) &+ width > 32 {
                for lane in 0..<32 {
                    let value = UInt32(truncatingIfNeeded: source[lane]) & mask
                    word.storeBytes(of: value &>> (32 &- shift), toByteOffset: 128 &+ lane &* 4, as: UInt32.self)
                }
            }
        }
    }

    private static func packWide(_ values: UnsafePointer<UInt64>, width: Int, to target: UnsafeMutableRawPointer) {
        let mask = width == 64 ? UInt64.max : (1 &<< UInt64(truncatingIfNeeded: width)) &- 1
        for row in 0..<64 {
            let bit = row &* width
            let shift = UInt64(truncatingIfNeeded: bit & 63)
            let word = target + (bit &>> 6) &* 128
            let source = values + row &* 16
            if shift == 0 {
                for lane in 0..<16 {
                    word.storeBytes(of: source[lane] & mask, toByteOffset: lane &* 8, as: UInt64.self)
                }
                continue
            }
            for lane in 0..<16 {
                let held = word.loadUnaligned(fromByteOffset: lane &* 8, as: UInt64.self)
                let value = held | (source[lane] & mask) &<< shift
                word.storeBytes(of: value, toByteOffset: lane &* 8, as: UInt64.self)
            }
            if Int(shift) &+ width > 64 {
                for lane in 0..<16 {
                    let value = (source[lane] & mask) &>> (64 &- shift)
                    word.storeBytes(of: value, toByteOffset: 128 &+ lane &* 8, as: UInt64.self)
                }
            }
        }
    }

    private static func packString(
        _ values: UnsafePointer<UInt64>, count: Int, width: Int, to target: UnsafeMutableRawPointer
    ) {
        let mask = width == 64 ? UInt64.max : (1 &<< UInt64(truncatingIfNeeded: width)) &- 1
        var held: UInt64 = 0
        var heldBits = 0
        var offset = 0
        for i in 0..<count {
            let value = values[i] & mask
            held |= value &<< UInt64(truncatingIfNeeded: heldBits)
            heldBits &+= width
            if heldBits >= 64 {
                target.storeBytes(of: held, toByteOffset: offset, as: UInt64.self)
                offset &+= 8
                heldBits &-= 64
                // What of the value did not fit; all of it did if nothing is left over.
                held = heldBits == 0 ? 0 : value &>> UInt64(truncatingIfNeeded: width &- heldBits)
            }
        }
        if heldBits > 0 { target.storeBytes(of: held, toByteOffset: offset, as: UInt64.self) }
    }
}
