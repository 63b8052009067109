import Core
import QueryModel
import Testing

@testable import Readers

/// What a row of the view says of durations, whatever version wrote its sum.
struct SpanViewSumTests {
    /// As a view's row is made of some durations, with the sum that older versions wrote.
    private func measures(_ durations: [Int64], sum: (Int64, Int64) -> Int64) -> SpanMeasures {
        var measures = SpanMeasures(calls: durations.count)
        var histogram = ExponentialHistogram()
        for duration in durations { histogram.insert(duration) }
        measures.setDurations(
            storedSum: durations.reduce(0, sum), storedMin: durations.min() ?? .max, storedMax: durations.max() ?? .min,
            histogram)
        return measures
    }

    private func isNear(_ sum: Int128, _ expected: Double) -> Bool {
        abs(Double(sum) - expected) <= expected * ExponentialHistogram.relativeError + 1
    }

    @Test func `a sum without negative durations is exact`() {
        let found = measures([5, 7, 1_000_000], sum: &+)
        #expect(found.durationSum == 1_000_012 && found.durationMin == 5 && found.durationMax == 1_000_000)
        #expect(measures([5, -7, 100], sum: { $0 + max(0, $1) }).durationSum == 105)
    }

    @Test func `a sum with negative durations in it is taken from the histogram`() {
        let found = measures([1_000_000, 3_000_000, -1_700_000_000_000_000_000], sum: &+)
        #expect(isNear(found.durationSum, 4_000_000))
        #expect(found.durationMin == 0 && found.durationMax == 3_000_000)
        #expect(found.durationSum >= 3_000_000)
        #expect(measures([-5, -7], sum: &+).durationSum == 0)
    }

    @Test func `a sum that has wrapped is taken from the histogram`() {
        let century: Int64 = 3_155_760_000_000_000_000
        let found = measures([century, century, century, century], sum: &+)
        #expect(isNear(found.durationSum, 4 * Double(century)))
        #expect(found.durationSum <= 4 * Int128(century))
        // Two do not wrap.
        #expect(measures([century, century], sum: &+).durationSum == 2 * Int128(century))
    }

    @Test func `a row without durations has none`() {
        #expect(measures([], sum: &+) == SpanMeasures())
    }
}
