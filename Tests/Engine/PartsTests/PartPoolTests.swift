import Randomness
import Testing

@testable import Parts

/// The pool of what was read of parts, against a dictionary of all that was ever put into it.
struct PartPoolTests {
    private struct Value: PooledValue, Equatable {
        let part: UInt64
        let number: Int
        let pooledBytes: Int
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `what is of a closed part goes, and nothing else`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let shards = seed % 2 == 0 ? 1 : 4
        let pool = PartPool<Value>(byteLimit: 4_000, shards: shards)
        let parts = (0..<6).map { _ in pool.makePartNumber() }
        var all: [Value] = []
        func present() -> [Value] { all.filter { pool.find($0.number, ofPart: $0.part) == $0 } }
        for _ in 0..<300 {
            let part = parts[random.below(parts.count)]
            if random.oneIn(8) {
                let others = present().filter { $0.part != part }
                pool.forget(part: part)
                #expect(present() == others, "seed \(seed)")
            } else {
                let value = Value(part: part, number: random.below(12), pooledBytes: 1 + random.below(300))
                let kept = pool.insert(value, value.number, ofPart: part)
                #expect(kept.part == part && kept.number == value.number)
                if kept == value, !all.contains(value) { all.append(value) }
            }
            #expect(pool.usedBytes == present().reduce(0) { $0 + $1.pooledBytes }, "seed \(seed)")
            #expect(pool.usedBytes <= 4_000)
        }
        for part in parts { pool.forget(part: part) }
        #expect(pool.usedBytes == 0)
    }
}
