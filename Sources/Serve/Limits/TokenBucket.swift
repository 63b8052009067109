/// So many of something a second on average, and no more than `burst` at once.
package struct Rate: Hashable, Sendable {
    /// No rate and no burst is greater: a level then fits its 128 bits for as long as a clock of 64 bits runs.
    package static let greatest = 1_000_000_000_000

    package var perSecond: Int
    package var burst: Int

    package init(perSecond: Int, burst: Int) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

/// A token bucket in whole numbers: a level in billionths of a token, so that a rate times nanoseconds is exact, however small the
/// steps that the clock takes.
///
/// A request that costs more than the burst is let in when the bucket is full, and leaves a debt behind that those after it wait for:
/// the rate holds in the long run, whatever the size of requests, and none is refused for ever. (A bucket with deficit, as in deficit
/// round robin: Shreedhar and Varghese, 1995.)
package struct TokenBucket: Sendable {
    private static let scale: Int128 = 1_000_000_000

    /// In billionths; below zero after a request that cost more than there was.
    private var level: Int128
    /// Nanoseconds on the clock that only goes on.
    private var time: Int64

    /// One that is full.
    package init(_ rate: Rate, at now: Int64) {
        level = Int128(rate.burst) * Self.scale
        time = now
    }

    /// Takes `cost`, or leaves everything as it is.
    ///
    /// - Returns: nil if it was taken, and else in how many nanoseconds it will be there if nobody else takes it.
    package mutating func take(_ cost: Int, _ rate: Rate, at now: Int64) -> Int64? {
        precondition(cost >= 0, "nothing is given back by a cost")
        let missing = missing(cost, rate, at: now)
        guard missing <= 0 else { return Self.time(of: missing, rate) }
        level -= Int128(cost) * Self.scale
        return nil
    }

    /// As `take`, and nothing is taken.
    package mutating func wait(for cost: Int, _ rate: Rate, at now: Int64) -> Int64? {
        let missing = missing(cost, rate, at: now)
        return missing <= 0 ? nil : Self.time(of: missing, rate)
    }

    /// Gives back what was taken for nothing.
    package mutating func give(_ cost: Int, _ rate: Rate) {
        level = min(level + Int128(cost) * Self.scale, Int128(rate.burst) * Self.scale)
    }

    /// Whole tokens that are there; below zero is a debt.
    package mutating func tokens(_ rate: Rate, at now: Int64) -> Int {
        fill(rate, at: now)
        return Int(level / Self.scale)
    }

    package mutating func isFull(_ rate: Rate, at now: Int64) -> Bool {
        fill(rate, at: now)
        return level == Int128(rate.burst) * Self.scale
    }

    private mutating func missing(_ cost: Int, _ rate: Rate, at now: Int64) -> Int128 {
        fill(rate, at: now)
        return Int128(min(cost, rate.burst)) * Self.scale - level
    }

    private mutating func fill(_ rate: Rate, at now: Int64) {
        let full = Int128(rate.burst) * Self.scale
        // A clock that another thread read earlier adds nothing.
        if now > time {
            level += (Int128(now) - Int128(time)) * Int128(rate.perSecond)
            time = now
        }
        level = min(level, full)
    }

    private static func time(of missing: Int128, _ rate: Rate) -> Int64 {
        Int64(clamping: (missing + Int128(rate.perSecond) - 1) / Int128(rate.perSecond))
    }
}
