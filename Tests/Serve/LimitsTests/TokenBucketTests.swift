import Randomness
import Testing

@testable import Limits

/// A bucket beside its twin: a sum over whole history in exact fractions, with nothing remembered but what was taken and when.
@Suite struct TokenBucketTests {
    private static let second: Int64 = 1_000_000_000

    /// Steps through time one nanosecond-exact event at a time, in units of a billionth of a token, by the definition alone.
    private struct Twin {
        var level: Int128
        var time: Int64
        let rate: Rate

        init(_ rate: Rate, at now: Int64) {
            level = Int128(rate.burst) * 1_000_000_000
            time = now
            self.rate = rate
        }

        func level(at now: Int64) -> Int128 {
            min(level + Int128(now - time) * Int128(rate.perSecond), Int128(rate.burst) * 1_000_000_000)
        }

        mutating func take(_ cost: Int, at now: Int64) -> Bool {
            let there = level(at: now)
            guard there >= Int128(min(cost, rate.burst)) * 1_000_000_000 else { return false }
            (level, time) = (there - Int128(cost) * 1_000_000_000, now)
            return true
        }
    }

    @Test(arguments: 0..<50)
    func `it lets in what its twin does, and says to the nanosecond when it will`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let rate = Rate(
            perSecond: Int.random(in: 1...10_000, using: &random), burst: Int.random(in: 1...20_000, using: &random))
        var now = Int64.random(in: 0...(1 << 40), using: &random)
        var (bucket, twin) = (TokenBucket(rate, at: now), Twin(rate, at: now))
        for _ in 0..<500 {
            now += Int64.random(in: 0...[1, 1000, Self.second].randomElement(using: &random)!, using: &random)
            let cost = Int.random(in: 0...(rate.burst * 2), using: &random)
            let expected = twin.take(cost, at: now)
            let wait = bucket.take(cost, rate, at: now)
            #expect((wait == nil) == expected)
            guard let wait else { continue }
            // At that time it is let in, and a nanosecond earlier it is not.
            var (then, before) = (bucket, bucket)
            #expect(then.take(cost, rate, at: now + wait) == nil)
            #expect(wait == 1 || before.take(cost, rate, at: now + wait - 1) != nil)
        }
    }

    @Test func `what is let in over an hour is the burst and the rate, to the token`() {
        let rate = Rate(perSecond: 7, burst: 20)
        var bucket = TokenBucket(rate, at: 0)
        var taken = 0
        // A step that no fraction of a second divides.
        var now: Int64 = 0
        while now < 3600 * Self.second {
            while bucket.take(1, rate, at: now) == nil { taken += 1 }
            now += 142_857_143
        }
        #expect((20 + 7 * 3599...20 + 7 * 3600).contains(taken))
    }

    @Test func `a request beyond the burst is let in by a full bucket, and those after it wait`() {
        let rate = Rate(perSecond: 10, burst: 100)
        var bucket = TokenBucket(rate, at: 0)
        #expect(bucket.take(1000, rate, at: 0) == nil)
        #expect(bucket.tokens(rate, at: 0) == -900)
        #expect(bucket.take(1, rate, at: 0) == 90 * Self.second + Self.second / 10)
        #expect(bucket.take(1000, rate, at: 0) == 100 * Self.second)
        #expect(bucket.take(1000, rate, at: 100 * Self.second) == nil)
    }

    @Test func `a clock that jumps, and the greatest of everything, overflow nothing`() {
        let rate = Rate(perSecond: Rate.greatest, burst: Rate.greatest)
        var bucket = TokenBucket(rate, at: .min)
        #expect(bucket.take(Rate.greatest, rate, at: .min) == nil)
        #expect(bucket.take(Rate.greatest, rate, at: .max) == nil)
        #expect(bucket.take(1, rate, at: 0) != nil)
        let slow = Rate(perSecond: 1, burst: Rate.greatest)
        bucket = TokenBucket(slow, at: 0)
        #expect(bucket.take(Rate.greatest, slow, at: 0) == nil)
        #expect(bucket.take(Rate.greatest, slow, at: 0) == .max)
        #expect(LimitRefusal.seconds(.max) == 3600 && LimitRefusal.seconds(0) == 1)
        #expect(LimitRefusal.seconds(1_000_000_001) == 2)
    }

    @Test func `what is given back fills no more than the burst`() {
        let rate = Rate(perSecond: 1, burst: 10)
        var bucket = TokenBucket(rate, at: 0)
        #expect(bucket.take(4, rate, at: 0) == nil)
        bucket.give(4, rate)
        let isFull = bucket.isFull(rate, at: 0)
        #expect(isFull)
        bucket.give(100, rate)
        #expect(bucket.tokens(rate, at: 0) == 10)
        // A burst that shrinks takes what is beyond it.
        #expect(bucket.tokens(Rate(perSecond: 1, burst: 3), at: 0) == 3)
    }
}
