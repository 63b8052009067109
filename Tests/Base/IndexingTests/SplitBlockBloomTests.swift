import Randomness
import Testing

@testable import Indexing

@Suite struct SplitBlockBloomTests {
    @Test(arguments: [0, 1, 2, 31, 1000, 50_000])
    func `every inserted hash may be contained`(count: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let hashes = (0..<count).map { _ in random.next() } + [0, .max]
        var filter = SplitBlockBloom(expectedKeys: hashes.count, falsePositives: 0.01)
        for hash in hashes { filter.insert(hash) }
        let stored = try SplitBlockBloom(bytes: filter.bytes)
        #expect(hashes.allSatisfy { filter.mayContain($0) && stored.mayContain($0) })
        filter.bytes.withUnsafeBytes { bytes in
            #expect(hashes.allSatisfy { SplitBlockBloom.mayContain($0, in: bytes) })
        }
    }

    @Test(arguments: [0.1, 0.01, 0.001])
    func `other hashes are refused at about the rate asked for`(rate: Double) {
        var random = SeededRandom(seed: 7)
        var filter = SplitBlockBloom(expectedKeys: 20_000, falsePositives: rate)
        for _ in 0..<20_000 { filter.insert(random.next()) }
        let wrong = (0..<100_000).count { _ in filter.mayContain(random.next()) }
        print("rate \(rate): \(filter.bytes.count * 8 / 20_000) bits a key, \(Double(wrong) / 100_000)")
        #expect(Double(wrong) / 100_000 < rate * 1.3)
    }

    @Test func `a key sets the bits that the Parquet specification names`() {
        var filter = SplitBlockBloom(expectedKeys: 1, falsePositives: 0.5)
        #expect(filter.bytes.count == 32)
        // With a lower half of 1, word i's bit is salt[i] >> 27.
        filter.insert(0xFFFF_FFFF_0000_0001)
        let salt: [UInt32] = [
            0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
        ]
        let words = salt.map { UInt32(1) << ($0 >> 27) }
        #expect(filter.bytes == words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    }

    @Test func `bytes that are no filter are refused, and asked directly say maybe`() {
        for count in [0, 1, 31, 33, 63] {
            let bytes = [UInt8](repeating: 0, count: count)
            #expect(throws: IndexingError.corrupt) { try SplitBlockBloom(bytes: bytes) }
            let answer = bytes.withUnsafeBytes { SplitBlockBloom.mayContain(42, in: $0) }
            #expect(answer)
        }
    }

    @Test func `a union contains both sides`() {
        var a = SplitBlockBloom(expectedKeys: 100, falsePositives: 0.01)
        var b = a
        a.insert(1 << 40 | 5)
        b.insert(9 << 50 | 77)
        let both = a.union(b)
        #expect(both?.mayContain(1 << 40 | 5) == true)
        #expect(both?.mayContain(9 << 50 | 77) == true)
        #expect(a.union(SplitBlockBloom(expectedKeys: 10_000, falsePositives: 0.01)) == nil)
    }
}
