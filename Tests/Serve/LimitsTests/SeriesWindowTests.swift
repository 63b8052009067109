import Randomness
import Testing

@testable import Limits

@Suite struct SeriesWindowTests {
    private static let minute: Int64 = 60_000_000_000
    private static let hour = 60 * minute

    @Test(arguments: 0..<20)
    func `it knows the series that a dictionary of last sights knows`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let window = [Self.hour, Self.minute, 12][Int(seed % 3)]
        let step = window / SeriesWindow.steps
        var now = Int64.random(in: 0...Self.hour, using: &random)
        var series = SeriesWindow(at: now, window: window)
        // By hash: the step of the last sight.
        var twin: [UInt64: Int64] = [:]
        for _ in 0..<2000 {
            if Int.random(in: 0..<20, using: &random) == 0 {
                now += Int64.random(in: 0...[step, 3 * step, 20 * step].randomElement(using: &random)!, using: &random)
            }
            series.advance(to: now, window: window)
            twin = twin.filter { now / step - $0.value < SeriesWindow.steps }
            let hash = UInt64.random(in: 1...300, using: &random) &* 0x9E37_79B9_7F4A_7C15 | 1
            let isKnown = series.see(hash)
            #expect(isKnown == (twin[hash] != nil))
            if !isKnown { series.add(hash) }
            twin[hash] = now / step
            #expect(series.count == twin.count)
        }
    }

    @Test func `hashes that meet in one place are told apart`() {
        var series = SeriesWindow(at: 0, window: Self.hour)
        let hashes = (1...1000).map { UInt64($0) << 32 }
        for hash in hashes {
            let isKnown = series.see(hash)
            #expect(!isKnown)
            series.add(hash)
        }
        let known = (hashes + [1]).filter { series.see($0) }
        #expect(known == hashes && series.count == 1000)
    }

    @Test func `after a long silence nothing is left`() {
        var series = SeriesWindow(at: 0, window: Self.hour)
        series.add(5)
        series.advance(to: 1000 * Self.hour, window: Self.hour)
        let isKnown = series.see(5)
        #expect(series.count == 0 && !isKnown)
    }
}
