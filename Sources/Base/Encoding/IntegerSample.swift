/// Tries the encodings on the middle of a page and says which will be smallest for all of it.
///
/// Bit-packing decodes at a fraction of the price of zstd, so a compressed form must save more than 6 % against it.
struct IntegerSample {
    enum Choice {
        case packed, deltaPacked, varintDifferences, planes
    }

    private(set) var choice = Choice.packed
    /// The estimate for all values.
    private(set) var byteCount: Int

    private static let mostValues = 2048
    /// Half a bit a value is not worth a search for less.
    private static let leastBitsPerValue = 0.5
    /// Wider differences than these have bytes of noise, which zstd cannot shrink.
    private static let narrowBits = 11.0

    init(_ base: UnsafePointer<Int64>, count: Int, _ traits: IntegerTraits, with compressor: Compressor) {
        let sampled = min(count, Self.mostValues)
        let values = UnsafeBufferPointer(start: base + (count - sampled) / 2, count: sampled)
        var best = PackedGroups.byteCount(values)
        let differences = Scratch<Int64>(sampled)
        for i in 0..<(sampled - 1) { differences.base[i] = values[i + 1] &- values[i] }
        let delta = PackedGroups.byteCount(differences.prefix(sampled - 1)) + 8
        if delta < best {
            best = delta
            choice = .deltaPacked
        }
        if compressor.kind != .none, sampled >= 64, Self.isCompressible(differences.prefix(sampled - 1), best: best) {
            var limit = best - best / 16
            var sink = ByteSink(capacity: sampled * 2 + 16)
            Varints.appendDifferences(values, to: &sink)
            let varints = compressor.compressedSize(sink.bytes)
            if varints < limit {
                limit = varints
                choice = .varintDifferences
            }
            if traits.span < 1 << 16 {
                sink.removeAll()
                let planes = Planes.count(traits.span)
                Planes.append(values, reference: traits.least, count: planes, with: compressor.sampling, to: &sink)
                if sink.count < limit {
                    limit = sink.count
                    choice = .planes
                }
            }
            best = min(best, limit)
        }
        byteCount = best * count / max(sampled, 1)
    }

    /// Whether zstd may find more than bit-packing did: in differences that come back, or in narrow ones that
    /// are unlike in number.
    private static func isCompressible(_ differences: UnsafeBufferPointer<Int64>, best: Int) -> Bool {
        let bits = Double(best * 8) / Double(differences.count)
        if bits < leastBitsPerValue { return false }
        return bits < narrowBits || repetitions(differences) > differences.count / 16
    }

    /// How many differences equal one of the last of the same hash.
    private static func repetitions(_ differences: UnsafeBufferPointer<Int64>) -> Int {
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: 512) { last in
            last.initialize(repeating: .min)
            var repetitions = 0
            for difference in differences {
                let hash = UInt64(bitPattern: difference) &* 0x9E37_79B9_7F4A_7C15
                let slot = Int(truncatingIfNeeded: hash &>> 55)
                repetitions &+= last[slot] == difference ? 1 : 0
                last[slot] = difference
            }
            return repetitions
        }
    }
}
