/// What a client does that costs it nothing and the server something, until there is too much of it.
struct Strikes {
    /// Resets that are taken at once, and how many more each second: enough for a client that gives up on a thousand calls.
    static let resets = (burst: 1000, perLook: 10)
    /// Frames that carry nothing, between two answered calls or two looks: clients of gRPC measure round trips by pings.
    static let emptyFrames = 1000

    private var resetsLeft = Self.resets.burst
    private var empty = 0

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

    /// Some time has passed.
    mutating func forgive() {
        resetsLeft = min(resetsLeft + Self.resets.perLook, Self.resets.burst)
        empty = 0
    }
}
