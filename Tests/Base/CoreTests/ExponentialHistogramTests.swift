import Core
import Foundation
import Testing

/// Buckets, quantiles and bytes of exponential histograms, against logarithms and sorted values.
struct ExponentialHistogramTests {
    private static func value(_ random: inout SystemRandomNumberGenerator) -> Int64 {
        Int64(bitPattern: random.next() >> UInt64.random(in: 1...63, using: &random))
    }

    private static func read(_ bytes: [UInt8]) -> ExponentialHistogram? {
        ExponentialHistogram(bytes: bytes.span)
    }

    @Test func `a value's bucket is that of its logarithm`() {
        var random = SystemRandomNumberGenerator()
        for value in [2, 3, 1023, 1025, 1_000_000_007] + (0..<50_000).map({ _ in Self.value(&random) }) where value > 0
        {
            let position = log2(Double(value)) * 32
            let index = ExponentialHistogram.index(of: UInt64(value))
            // Where a double cannot tell on which side of a bound the value is, both are right.
            #expect(Double(index) < position + 1e-9 && position <= Double(index + 1) + 1e-9, "\(value)")
        }
    }

    @Test func `a power of two is the upper bound of its bucket`() {
        for power in 0..<63 {
            #expect(ExponentialHistogram.index(of: 1 << UInt64(power)) == power * 32 - 1)
            if power > 5 { #expect(ExponentialHistogram.index(of: 1 << UInt64(power) + 1) == power * 32) }
        }
        #expect(ExponentialHistogram.index(of: UInt64(Int64.max)) == 63 * 32 - 1)
    }

    @Test func `a quantile is off by no more than the stated error`() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let values = (0..<Int.random(in: 1...300)).map { _ in Self.value(&random) }.sorted()
            var histogram = ExponentialHistogram()
            for value in values.shuffled() { histogram.insert(value) }
            for quantile in [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1] {
                let rank = max(1, (quantile * Double(values.count)).rounded(.up))
                let exact = Double(values[Int(rank) - 1])
                let found = try #require(histogram.quantile(quantile))
                #expect(abs(found - exact) <= exact * ExponentialHistogram.relativeError, "\(quantile) of \(values)")
            }
        }
    }

    @Test func `merging in any order is counting all at once`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let values = (0..<200).map { _ in Self.value(&random) - 1 }
            var whole = ExponentialHistogram()
            for value in values { whole.insert(value) }
            var pieces = Array(repeating: ExponentialHistogram(), count: 5)
            for value in values { pieces[Int.random(in: 0..<5)].insert(value) }
            var merged = ExponentialHistogram()
            for piece in pieces.shuffled() { merged.merge(piece) }
            #expect(merged == whole)
            #expect(merged.count == 200)
        }
    }

    @Test func `bytes give the same histogram, and no other bytes do`() throws {
        var random = SystemRandomNumberGenerator()
        for size in 0..<40 {
            var histogram = ExponentialHistogram()
            for _ in 0..<size { histogram.insert(Self.value(&random) - 1, count: UInt64.random(in: 1...1_000_000)) }
            let bytes = histogram.bytes
            #expect(Self.read(bytes) == histogram)
            for length in 0..<bytes.count { #expect(Self.read(Array(bytes[..<length])) == nil) }
            #expect(Self.read(bytes + [0]) == nil)
        }
    }

    @Test func `an empty histogram has no quantile, and what is not positive is zero`() {
        var histogram = ExponentialHistogram()
        #expect(histogram.quantile(0.5) == nil)
        histogram.insert(0)
        histogram.insert(-5)
        histogram.insert(.min)
        histogram.insert(1000)
        #expect(histogram.quantile(0.5) == 0)
        #expect(histogram.quantile(1).map { abs($0 - 1000) < 11 } == true)
    }
}
