import EngineFixtures
import Indexing
import Parts
import Randomness
import Testing

/// Sets of blocks against plain sets.
struct BlockSetTests {
    @Test(arguments: [1, 3, 63, 64, 65, 127, 128, 130, 1000])
    func `a set of blocks is as a plain set`(blockCount: Int) {
        var random = SeededRandom(seed: UInt64(blockCount))
        for _ in 0..<50 {
            let plain = Set((0..<random.below(blockCount + 1)).map { _ in random.below(blockCount) })
            let other = Set((0..<random.below(blockCount + 1)).map { _ in random.below(blockCount) })
            var set = BlockSet(plain, of: blockCount)
            #expect(Array(set) == plain.sorted() && set.count == plain.count && set.isEmpty == plain.isEmpty)
            #expect((0..<blockCount).allSatisfy { set.contains($0) == plain.contains($0) })
            let otherSet = BlockSet(other, of: blockCount)
            var both = set
            both.formIntersection(otherSet)
            #expect(Array(both) == plain.intersection(other).sorted())
            var either = set
            either.formUnion(otherSet)
            #expect(Array(either) == plain.union(other).sorted())
            var asked: [Int] = []
            set.keep { block in
                asked.append(block)
                return other.contains(block)
            }
            #expect(asked == plain.sorted() && set == both)
        }
        #expect(Array(BlockSet.all(of: blockCount)) == Array(0..<blockCount))
        #expect(BlockSet.none(of: blockCount).isEmpty)
    }
}
