/// Ids of 8 bytes that stand in another leaf of the same block, its *siblings*: how many rows away. The parent of a span is a
/// span of the same trace, and a block keeps a trace's spans together.
///
/// ```
/// number of literals, varint | section of codes | section of the literals
/// ```
/// | code of row i | value |
/// |---|---|
/// | 0 | all zero |
/// | 1 | the next literal |
/// | 2 d, d > 0 | the sibling of row i - d |
/// | 2 d + 1, d > 0 | the sibling of row i + d |
enum DistanceCodec {
    private static let width = 8
    /// A sibling that is not found in so many slots counts as absent, so that ids chosen to collide cost no more time.
    private static let mostProbes = 16

    /// Appends the payload; appends nothing and returns false if fewer than a quarter of the values are siblings or zero.
    static func append(
        _ values: UnsafePointer<UInt8>, beside siblings: UnsafePointer<UInt8>, count: Int, with compressor: Compressor,
        to sink: inout ByteSink
    ) -> Bool {
        guard count > 0 else { return false }
        let base = UnsafeRawPointer(values)
        let codes = Scratch<Int64>(count)
        let literals = Scratch<UInt8>(count * width)
        let index = SiblingIndex(siblings, count: count)
        var kept = 0
        var found = 0
        for i in 0..<count {
            let value = base.loadUnaligned(fromByteOffset: i &* width, as: UInt64.self)
            if value == 0 {
                codes.base[i] = 0
            } else if let row = index.row(of: value), row != i {
                codes.base[i] = row < i ? Int64(2 &* (i &- row)) : Int64(2 &* (row &- i) &+ 1)
                found &+= 1
            } else {
                codes.base[i] = 1
                FixedCodec.copy(literals.base + kept &* width, base + i &* width, width)
                kept &+= 1
            }
        }
        guard found > 0, kept <= count / 4 * 3 else { return false }
        sink.append(varint: kept)
        Section.append(integers: codes.elements, with: compressor, to: &sink)
        let rest = UnsafeRawBufferPointer(start: literals.base, count: kept * width)
        Section.append(fixed: rest, width: width, with: compressor, to: &sink)
        return true
    }

    static func decode(
        _ payload: UnsafeRawBufferPointer, count: Int, siblings: UnsafeRawPointer, _ bounds: Bounds,
        into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        let kept = try source.count(atMost: count)
        let codes = Scratch<UInt32>(count)
        try Section.decode(&source, count: count, bounds, into: codes.base)
        let literals = Scratch<UInt8>(kept * width)
        try Section.decode(&source, count: kept, width: width, bounds, into: literals.base)
        try source.end()
        var next = 0
        for i in 0..<count {
            let code = Int(codes.base[i])
            let place = target + i &* width
            switch code {
            case 0: place.storeBytes(of: 0, as: UInt64.self)
            case 1:
                guard next < kept else { throw .corrupt }
                FixedCodec.copy(place, literals.base + next &* width, width)
                next &+= 1
            default:
                let distance = code &>> 1
                let row = code & 1 == 0 ? i &- distance : i &+ distance
                guard row >= 0, row < count else { throw .corrupt }
                FixedCodec.copy(place, siblings + row &* width, width)
            }
        }
        guard next == kept else { throw .corrupt }
    }

    /// Where each sibling stands first.
    private struct SiblingIndex: ~Copyable {
        private let siblings: UnsafeRawPointer
        /// A row and one, or 0.
        private let slots: Scratch<UInt32>
        private let shift: UInt64

        init(_ siblings: UnsafePointer<UInt8>, count: Int) {
            self.siblings = UnsafeRawPointer(siblings)
            var bits = 6
            while 1 << bits < count * 2 { bits += 1 }
            slots = Scratch<UInt32>(1 << bits)
            slots.base.initialize(repeating: 0, count: slots.count)
            shift = UInt64(64 - bits)
            for row in 0..<count {
                let value = word(row)
                var slot = first(value)
                for _ in 0..<DistanceCodec.mostProbes {
                    let held = Int(slots.base[slot])
                    if held == 0 {
                        slots.base[slot] = UInt32(truncatingIfNeeded: row &+ 1)
                        break
                    }
                    if word(held &- 1) == value { break }
                    slot = (slot &+ 1) & (slots.count &- 1)
                }
            }
        }

        func row(of value: UInt64) -> Int? {
            var slot = first(value)
            for _ in 0..<DistanceCodec.mostProbes {
                let held = Int(slots.base[slot])
                if held == 0 { return nil }
                if word(held &- 1) == value { return held &- 1 }
                slot = (slot &+ 1) & (slots.count &- 1)
            }
            return nil
        }

        @inline(__always)
        private func word(_ row: Int) -> UInt64 {
            siblings.loadUnaligned(fromByteOffset: row &* DistanceCodec.width, as: UInt64.self)
        }

        @inline(__always)
        private func first(_ value: UInt64) -> Int {
            Int(truncatingIfNeeded: (value &* 0x9E37_79B9_7F4A_7C15) &>> shift)
        }
    }
}
