import Randomness
import Testing

@testable import Indexing

@Suite struct ZoneMapTests {
    @Test func `a zone never excludes a value it was made of`() {
        var random = SeededRandom(seed: 3)
        for count in 0...40 {
            let values = (0..<count).map { _ in Int64.random(in: -50...50, using: &random) }
            let zone = values.withUnsafeBufferPointer { ZoneMap($0) }
            var grown = ZoneMap.empty
            for value in values { grown.include(value) }
            #expect(zone == grown)
            #expect(zone.isEmpty == values.isEmpty)
            for low in stride(from: Int64(-60), through: 60, by: 7) {
                for high in stride(from: low, through: 60, by: 11) {
                    let hit = values.contains { (low...high).contains($0) }
                    #expect(!hit || zone.mayOverlap(low...high))
                }
                #expect(!values.contains(low) || zone.mayContain(low))
            }
        }
    }

    @Test func `the empty zone overlaps nothing and adds nothing`() {
        #expect(!ZoneMap.empty.mayOverlap(.min ... .max))
        var zone = ZoneMap(least: 3, greatest: 5)
        zone.include(ZoneMap.empty)
        #expect(zone == ZoneMap(least: 3, greatest: 5))
    }
}
