import EngineFixtures
import Randomness
import Telemetry
import Testing

/// The cache of series against a dictionary.
struct SeriesCacheTests {
    private struct Key: Hashable {
        var context: UInt32
        var attributes: [UInt8]
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func `a key has the entry that was set for it`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var cache = SeriesCache()
        var contexts: [[UInt8]: UInt32] = [:]
        var entries: [Key: UInt32] = [:]
        let sequence = (0..<20).map { _ in random.bytes(random.below(6)) }
        for step in 0..<2000 {
            let name: [UInt8] = [UInt8(random.below(5))]
            let context = cache.context(name)
            #expect(contexts[name].map { $0 == context } ?? !contexts.values.contains(context))
            contexts[name] = context
            // Mostly the same points in the same order, as exporters send them.
            let attributes = random.oneIn(4) ? random.bytes(random.below(4)) : sequence[step % sequence.count]
            let (key, isNew) = attributes.withUnsafeBufferPointer { bytes in
                cache.key(
                    context: context, bytes.baseAddress ?? ProtobufSlice.empty.start, count: bytes.count)
            }
            let known = entries[Key(context: context, attributes: attributes)]
            #expect(isNew == (known == nil))
            if let known {
                #expect(cache.entry(ofKey: key) == known)
            } else if !random.oneIn(5) {
                // One in five turns out to be malformed: no entry is set.
                cache.setEntry(UInt32(step), ofKey: key)
                entries[Key(context: context, attributes: attributes)] = UInt32(step)
            }
        }
    }
}
