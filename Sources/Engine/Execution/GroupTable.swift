internal import Core

/// Numbers distinct combinations of words, from 0 on: open addressing over one array of words.
///
/// Words may be what a client chose, so their hash has a seed that nobody outside knows.
struct GroupTable: Sendable {
    let width: Int
    /// `width` words for each combination.
    private var words: [UInt64] = []
    /// The combination's number plus one; 0 is free. A power of two, at most half of it in use.
    private var slots: [UInt32]
    private(set) var count = 0

    private static let seed = UInt64.random(in: .min ... .max)

    init(width: Int) {
        self.width = width
        slots = Array(repeating: 0, count: 64)
    }

    var byteCount: Int { words.capacity * 8 + slots.capacity * 4 }

    func word(_ number: Int, _ index: Int) -> UInt64 { words[number * width + index] }

    /// The number of a combination, which gets one if it has none.
    mutating func number(_ key: UnsafePointer<UInt64>) -> Int {
        if count * 2 >= slots.count { grow() }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash(key)) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if isEqual(number, key) { return number }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(count) + 1
        for index in 0..<width { words.append(key[index]) }
        count += 1
        return count - 1
    }

    private func isEqual(_ number: Int, _ key: UnsafePointer<UInt64>) -> Bool {
        words.withUnsafeBufferPointer { words in
            for index in 0..<width where words[number &* width &+ index] != key[index] { return false }
            return true
        }
    }

    private func hash(_ key: UnsafePointer<UInt64>) -> UInt64 {
        var hash = Self.seed
        for index in 0..<width {
            // Both halves of the product, as in wyhash (W. Yi): every bit of the word reaches every bit of the hash.
            let (high, low) = (hash ^ key[index]).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ hash &<< 1)
            hash = high ^ low
        }
        return hash
    }

    private mutating func grow() {
        let mask = slots.count * 2 - 1
        var next = [UInt32](repeating: 0, count: mask + 1)
        words.withUnsafeBufferPointer { words in
            for number in 0..<count {
                guard let base = words.baseAddress else { return }
                var slot = Int(truncatingIfNeeded: hash(base + number * width)) & mask
                while next[slot] != 0 { slot = (slot + 1) & mask }
                next[slot] = UInt32(number) + 1
            }
        }
        slots = next
    }
}
