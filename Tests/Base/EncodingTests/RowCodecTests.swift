import Randomness
import Testing

@testable import Encoding

@Suite struct RowCodecTests {
    private func histograms(_ count: Int, _ random: inout SeededRandom) -> [[Int64]] {
        var last: [Int64] = []
        return (0..<count).map { i in
            if i % 20 == 0 {
                last = (0..<Int.random(in: 0...14, using: &random)).map { _ in Int64(random.next() >> 40) }
            }
            last = last.map { $0 &+ Int64(random.next() % 9) }
            return last
        }
    }

    @Test func `rows of integers come back as they were`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in Array(0...130) + [8192] {
            let growing = histograms(count, &random)
            #expect(try Page(rows: growing).rows() == growing)
            let wild = (0..<min(count, 300)).map { _ in
                (0..<Int.random(in: 0...3, using: &random)).map { _ in Int64.random(in: .min ... .max, using: &random) }
            }
            #expect(try Page(rows: wild).rows() == wild)
        }
    }

    @Test func `rows of doubles come back bit for bit`() throws {
        var random = SeededRandom(seed: 6)
        for count in Array(0...130) + [2000] {
            let rows = (0..<count).map { _ in
                (0..<Int.random(in: 0...5, using: &random)).map { _ in Double(bitPattern: random.next()) }
            }
            let decoded = try Page(floatRows: rows).floatRows()
            #expect(decoded.map { $0.map(\.bitPattern) } == rows.map { $0.map(\.bitPattern) })
        }
    }

    @Test func `bounds that never change cost next to nothing`() {
        let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
        #expect(Page(floatRows: Array(repeating: bounds, count: 4096)).bytes.count < 2000)
    }

    @Test func `counts that grow slowly cost a fraction of a byte each`() {
        var random = SeededRandom(seed: 7)
        let rows = histograms(8192, &random)
        let values = rows.reduce(0) { $0 + $1.count }
        #expect(Page(rows: rows).bytes.count < values)
    }
}
