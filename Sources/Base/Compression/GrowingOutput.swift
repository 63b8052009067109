/// Output of a length that nobody knows beforehand: grows geometrically, to one byte past the limit and no
/// further, so that "more than the limit" shows as a full buffer.
struct GrowingOutput {
    private(set) var bytes: [UInt8] = []
    private let limit: Int
    private var capacity: Int

    init(firstGuess: Int, limit: Int) {
        self.limit = limit
        capacity = min(max(firstGuess, 4096), Self.most(limit))
    }

    private static func most(_ limit: Int) -> Int { limit == .max ? limit : limit + 1 }

    var isOverLimit: Bool { bytes.count > limit }

    /// Makes room for twice as much; false if the limit is reached.
    mutating func grow() -> Bool {
        let most = Self.most(limit)
        guard capacity < most else { return false }
        capacity = capacity > most / 2 ? most : capacity * 2
        return true
    }

    /// Lets `write` fill the room that is left; it returns how many bytes it wrote.
    mutating func append(_ write: (UnsafeMutableRawBufferPointer) -> Int) {
        let held = bytes
        bytes = [UInt8](unsafeUninitializedCapacity: capacity) { memory, initialized in
            let target = UnsafeMutableRawBufferPointer(memory)
            target.copyBytes(from: held)
            initialized = held.count + write(UnsafeMutableRawBufferPointer(rebasing: target[held.count...]))
        }
    }
}
