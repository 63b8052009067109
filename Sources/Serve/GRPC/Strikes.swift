/// What a client does that costs it nothing and the server something, until there is too much of it.
struct Strikes {
    /// Resets that are taken at once, and how many more each second: enough for a client that gives up on a thousand calls.
    static let resets = (burst: 1000, perSecond: 100)
    /// Frames that carry nothing, in a second or between two answered calls: clients of gRPC measure round trips by pings.
    static let emptyFrames = 1000

    private var resetsLeft = Self.resets.burst
    private var empty = 0
    /// When what was done before was forgiven.
    private var last: ContinuousClock.Instant?

    /// - Returns: whether it is one too many.
    mutating func reset() -> Bool {
        resetsLeft -= 1
        return resetsLeft < 0
    }

    /// - Returns: whether it is one too many.
    mutating func emptyFrame() -> Bool {
        empty += 1
        return empty > Self.emptyFrames
    }

    /// A call was answered.
    mutating func reward() { empty = 0 }

    /// To be called now and then.
    mutating func forgive(at now: ContinuousClock.Instant) {
        guard let last else {
            self.last = now
            return
        }
        let seconds = Int((now - last).components.seconds)
        guard seconds > 0 else { return }
        self.last = now
        resetsLeft += min(min(seconds, 60) * Self.resets.perSecond, Self.resets.burst)
        resetsLeft = min(resetsLeft, Self.resets.burst)
        empty = 0
    }
}
