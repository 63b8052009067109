internal import Core

/// Distinct 64-bit hashes: open addressing over memory that is kept from block to block.
package final class HashSet64 {
    @exclusivity(unchecked) package private(set) var count = 0
    @exclusivity(unchecked) private var slots: UnsafeMutablePointer<UInt64>
    @exclusivity(unchecked) private var bits = 12
    @exclusivity(unchecked) private var mask: Int
    private let seed = HashSeed.value
    /// Zero marks a free slot, so the hash zero is held here.
    @exclusivity(unchecked) private var hasZero = false

    package init() {
        mask = (1 << bits) - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
    }

    deinit { slots.deallocate() }

    @inline(__always)
    package func insert(_ hash: UInt64) {
        if hash == 0 {
            count &+= hasZero ? 0 : 1
            hasZero = true
            return
        }
        var slot = HashSeed.slot(hash, bits: bits, seed: seed)
        while slots[slot] != 0 {
            if slots[slot] == hash { return }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = hash
        count &+= 1
        if count &* 2 > mask { grow() }
    }

    @inline(never)
    private func grow() {
        let old = slots
        let oldCount = mask + 1
        bits += 1
        mask = oldCount * 2 - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for i in 0..<oldCount where old[i] != 0 {
            var slot = HashSeed.slot(old[i], bits: bits, seed: seed)
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = old[i]
        }
        old.deallocate()
    }

    /// Calls `body` with all hashes, moved together to the front of the slots; only `removeAll` may follow.
    package func withElements(_ body: (UnsafeBufferPointer<UInt64>) -> Void) {
        var kept = 0
        for i in 0...mask where slots[i] != 0 {
            slots[kept] = slots[i]
            kept += 1
        }
        if hasZero {
            slots[kept] = 0  // there is room: at most half of the slots are taken
            kept += 1
        }
        body(UnsafeBufferPointer(start: slots, count: kept))
    }

    package func removeAll() {
        slots.update(repeating: 0, count: mask + 1)
        count = 0
        hasZero = false
    }
}
