internal import Core

/// Distinct hashes, for a bloom filter that is sized by their number: a table of its own, since a merge inserts one for
/// every row.
struct KeySet {
    private var slots: [UInt64] = []
    private var mask = -1
    private var bits = 0
    private let seed = HashSeed.value
    private var hasZero = false
    private var last: UInt64?
    private(set) var count = 0

    mutating func insert(_ key: UInt64) {
        // Values that are equal often stand together.
        if key == last { return }
        last = key
        guard key != 0 else {
            if !hasZero { count += 1 }
            hasZero = true
            return
        }
        if count * 2 > mask { grow() }
        if place(key) { count += 1 }
    }

    /// Puts a key where it belongs.
    private mutating func place(_ key: UInt64) -> Bool {
        var index = HashSeed.slot(key, bits: bits, seed: seed)
        while slots[index] != 0 {
            if slots[index] == key { return false }
            index = (index &+ 1) & mask
        }
        slots[index] = key
        return true
    }

    private mutating func grow() {
        let old = slots
        let capacity = max(1024, (mask + 1) * 4)
        slots = [UInt64](repeating: 0, count: capacity)
        mask = capacity - 1
        bits = capacity.trailingZeroBitCount
        for key in old where key != 0 { _ = place(key) }
    }

    var keys: [UInt64] { (hasZero ? [0] : []) + slots.filter { $0 != 0 } }

    /// Bytes of memory.
    var byteCount: Int { slots.count * 8 }

    /// Forgets the keys, and keeps the memory for others.
    mutating func removeAll() {
        for index in slots.indices { slots[index] = 0 }
        hasZero = false
        last = nil
        count = 0
    }
}
