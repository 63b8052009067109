import Core

/// Ids that come back, but not in a row: the logs of a trace among those of others.
enum FixedDictionary {
    private static let samples = 512
    private static let emptySlot = Int32(-1)

    /// Appends the payload; appends nothing and returns false if too few values repeat.
    static func append(
        _ base: UnsafeRawPointer, count: Int, width: Int, with compressor: Compressor, to sink: inout ByteSink
    ) -> Bool {
        guard count >= 16 else { return false }
        // Repetitions are near each other: a run from the middle shows most of them.
        let sampled = min(count, samples)
        let segment = base + (count - sampled) / 2 * width
        guard Index(segment, count: sampled, width: width).distinct <= sampled - sampled / 16 else { return false }
        let index = Index(base, count: count, width: width)
        guard index.distinct <= count - count / 8 else { return false }
        let values = Scratch<UInt8>(index.distinct * width)
        let references = Scratch<Int64>(count)
        var known = 0
        for i in 0..<count {
            let entry = Int(index.entries.base[i])
            if entry == known {
                FixedCodec.copy(values.base + known * width, base + i * width, width)
                known += 1
                references.base[i] = 0
            } else {
                references.base[i] = Int64(known - entry)
            }
        }
        sink.append(varint: known)
        Section.append(
            bytes: UnsafeRawBufferPointer(values.elements), effort: .sampled, with: compressor, to: &sink)
        Section.append(integers: references.elements, with: compressor, to: &sink)
        return true
    }

    static func decode(
        _ source: inout ByteSource, count: Int, width: Int, _ bounds: Bounds, into target: UnsafeMutableRawPointer
    ) throws(EncodingError) {
        let distinct = try source.count(atMost: count)
        let values = Scratch<UInt8>(distinct * width)
        try Section.decode(&source, into: values.bytes)
        let references = Scratch<UInt32>(count)
        try Section.decode(&source, count: count, bounds, into: references.base)
        var known = 0
        for i in 0..<count {
            let back = Int(references.base[i])
            if back == 0 { known &+= 1 }
            let entry = back == 0 ? known &- 1 : known &- back
            guard entry >= 0, entry < distinct else { throw .corrupt }
            FixedCodec.copy(target + i &* width, values.base + entry &* width, width)
        }
        guard known == distinct else { throw .corrupt }
    }

    /// For each value, the number of the distinct value that it is, in order of first use.
    private struct Index: ~Copyable {
        let entries: Scratch<Int32>
        let distinct: Int

        init(_ base: UnsafeRawPointer, count: Int, width: Int) {
            entries = Scratch<Int32>(count)
            var slotCount = 64
            while slotCount < count * 2 { slotCount *= 2 }
            // A slot holds the position of a value's first use.
            let slots = Scratch<Int32>(slotCount)
            slots.base.initialize(repeating: FixedDictionary.emptySlot, count: slotCount)
            var known: Int32 = 0
            let seed = HashSeed.value
            for i in 0..<count {
                let value = base + i &* width
                let hash = XXH3.hash(UnsafeRawBufferPointer(start: value, count: width), seed: seed)
                var slot = Int(truncatingIfNeeded: hash) & (slotCount - 1)
                while true {
                    let held = Int(slots.base[slot])
                    if held < 0 {
                        slots.base[slot] = Int32(truncatingIfNeeded: i)
                        entries.base[i] = known
                        known &+= 1
                        break
                    }
                    if FixedCodec.areEqual(base + held &* width, value, width) {
                        entries.base[i] = entries.base[held]
                        break
                    }
                    slot = (slot &+ 1) & (slotCount - 1)
                }
            }
            distinct = Int(known)
        }
    }
}
