import Indexing
import Randomness
import Testing

/// Bitmaps against sets.
struct RoaringBitmapTests {
    /// Dense, sparse, or around the borders of the library's containers.
    private static func numbers(using random: inout SeededRandom) -> Set<UInt32> {
        let spread = [64, 100_000, 1 << 20, Int(UInt32.max)][random.below(4)]
        var numbers = Set((0..<random.below(3000)).map { _ in UInt32(random.below(spread)) })
        if random.below(3) == 0 { numbers.formUnion([0, 65_535, 65_536, .max]) }
        return numbers
    }

    @Test func `operations are those of sets`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let (left, right) = (Self.numbers(using: &random), Self.numbers(using: &random))
            let bitmap = RoaringBitmap(Array(left))
            let other = RoaringBitmap()
            for number in right.shuffled(using: &random) { other.insert(number) }
            #expect(bitmap.numbers == left.sorted())
            #expect(other.numbers == right.sorted())
            #expect(bitmap.count == left.count && bitmap.isEmpty == left.isEmpty)
            #expect(bitmap.intersection(other).numbers == left.intersection(right).sorted())
            #expect(bitmap.intersects(other) == !left.isDisjoint(with: right))
            let union = bitmap.copy()
            union.formUnion(other)
            #expect(union.numbers == left.union(right).sorted())
            let rest = bitmap.copy()
            rest.subtract(other)
            #expect(rest.numbers == left.subtracting(right).sorted())
            let both = bitmap.copy()
            both.formIntersection(other)
            #expect(both.numbers == left.intersection(right).sorted())
            #expect(bitmap.numbers == left.sorted(), "a copy is changed, not the original")
            let probe = UInt32(random.below(1 << 20))
            #expect(bitmap.contains(probe) == left.contains(probe))
            #expect(bitmap.rank(probe) == left.count { $0 <= probe })
        }
    }

    @Test func `an empty set has nothing`() {
        let empty = RoaringBitmap()
        #expect(
            empty.numbers.isEmpty && empty.isEmpty && empty.count == 0 && !empty.contains(0) && empty.rank(.max) == 0)
        #expect(!empty.intersects(RoaringBitmap([1])))
    }
}
