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
        if compressor.kind != .none, Double(best * 8) > Double(sampled) * Self.leastBitsPerValue, sampled >= 64 {
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
}
