import QueryModel
import Testing

/// Arithmetic of native histograms (rules of §3.3, P-12).
struct NativeHistogramTests {
    static func histogram(
        schema: Int32 = 0, zero: Double = 0, zeroCount: Double = 0, offset: Int32 = 1, _ positive: [Double],
        negative: [Double] = []
    ) -> NativeHistogram {
        NativeHistogram(
            schema: schema, count: positive.reduce(0, +) + negative.reduce(0, +) + zeroCount, sum: 10,
            zeroThreshold: zero,
            zeroCount: zeroCount, positiveOffset: offset, positive: positive, negativeOffset: 1, negative: negative)
    }

    @Test func `buckets of different offsets are added side by side`() throws {
        let sum = try #require(
            Self.histogram(offset: 1, [1, 2]).combined(with: Self.histogram(offset: 3, [4]), subtracting: false))
        #expect(sum.isEqual(to: Self.histogram(offset: 1, [1, 2, 4]).with(sum: 20)))
        let difference = try #require(sum.combined(with: Self.histogram(offset: 3, [4]), subtracting: true))
        #expect(difference.isEqual(to: Self.histogram(offset: 1, [1, 2])))
    }

    /// Of schema 1 the buckets 1 and 2, (1, √2] and (√2, 2], make up bucket 1 of schema 0, (1, 2].
    @Test(
        arguments: [(1, [1, 2, 4], 1, [3, 4]), (0, [1, 2, 4], 0, [1, 6]), (-3, [1, 2], -1, [3])]
            as [(Int32, [Double], Int32, [Double])])
    func `a coarser schema halves indices upwards`(offset: Int32, fine: [Double], coarseOffset: Int32, coarse: [Double])
    {
        let reduced = Self.histogram(schema: 1, offset: offset, fine).reduced(to: 0)
        #expect(reduced.isEqual(to: Self.histogram(schema: 0, offset: coarseOffset, coarse)))
    }

    @Test func `histograms of different schemas meet at the coarser one`() throws {
        let fine = Self.histogram(schema: 1, offset: 1, [1, 2])
        let sum = try #require(fine.combined(with: Self.histogram(schema: 0, offset: 1, [5]), subtracting: false))
        #expect(sum.schema == 0)
        #expect(sum.isEqual(to: Self.histogram(schema: 0, offset: 1, [8]).with(sum: 20)))
    }

    @Test func `the wider zero bucket takes in what it covers, and widens to a bucket's end`() throws {
        // The zero bucket of 1.5 cuts (1, 2], which holds something: it widens to 2.
        let narrow = Self.histogram(zero: 0, offset: 0, [1, 2, 4])
        let wide = Self.histogram(zero: 1.5, zeroCount: 8, offset: 2, [1])
        let sum = try #require(narrow.combined(with: wide, subtracting: false))
        #expect(sum.zeroThreshold == 2)
        #expect(sum.zeroCount == 11)
        #expect(sum.isEqual(to: Self.histogram(zero: 2, zeroCount: 11, offset: 2, [5]).with(sum: 20)))
    }

    @Test func `made-up offsets are refused, not filled in`() {
        let far = Self.histogram(offset: .max - 1, [1])
        #expect(far.combined(with: Self.histogram(offset: .min + 1, [1]), subtracting: false) == nil)
    }

    @Test(arguments: [Int32.min, -1_000_000, 2_000_000_000])
    func `odd offsets and schemas never trap`(offset: Int32) {
        for schema in [Int32.min, -4, 0, 8, Int32.max] {
            let odd = Self.histogram(schema: schema, zero: 1, offset: offset, [1, 2])
            _ = odd.combined(with: Self.histogram(schema: 0, [1]), subtracting: true)
            _ = odd.reduced(to: Int32.min)
        }
    }

    @Test(arguments: [BinaryOperator.multiply, .divide, .add, .equal, .less])
    func `an operator between a histogram and a number is defined or drops`(op: BinaryOperator) {
        var dropped = false
        let result = op.apply(.histogram(Self.histogram([2, 4])), .float(2), returnsBool: false, dropped: &dropped)
        switch op {
        case .multiply: #expect(result == .histogram(Self.histogram([4, 8]).with(sum: 20)))
        case .divide: #expect(result == .histogram(Self.histogram([1, 2]).with(sum: 5)))
        default: #expect(result == nil && dropped)
        }
    }
}

extension NativeHistogram {
    func with(sum: Double) -> NativeHistogram {
        var result = self
        result.sum = sum
        return result
    }
}
