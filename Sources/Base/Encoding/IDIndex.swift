/// Distinct ids of 16 bytes in the order in which they came, and the number of each.
package struct IDIndex: Sendable {
    /// An id that finds no slot among so many is left out, so that ids chosen to collide cost no more time.
    private static let mostProbes = 64

    /// Two for each id.
    private var words: [UInt64] = []
    /// The number of an id and one, or 0.
    private var slots = [UInt32](repeating: 0, count: 1 << 10)

    package init() {}

    package var count: Int { words.count / 2 }

    /// The ids' bytes, one after the other.
    package var bytes: [UInt8] { words.withUnsafeBytes { Array($0) } }

    /// Adds the ids that are neither zero nor known yet.
    package mutating func insert(_ ids: UnsafeBufferPointer<UInt8>) {
        let bytes = UnsafeRawBufferPointer(ids)
        for start in stride(from: 0, to: bytes.count - 15, by: 16) {
            insert(
                bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self))
        }
    }

    /// Adds one id, by its two words as they lie in memory.
    package mutating func insert(_ first: UInt64, _ second: UInt64) {
        if first | second == 0 { return }
        if words.count >= slots.count { grow() }
        guard let slot = slot(first, second), slots[slot] == 0 else { return }
        words.append(first)
        words.append(second)
        slots[slot] = UInt32(truncatingIfNeeded: words.count / 2)
    }

    @inline(__always)
    func number(of first: UInt64, _ second: UInt64) -> Int? {
        guard let slot = slot(first, second), slots[slot] > 0 else { return nil }
        return Int(slots[slot]) - 1
    }

    /// The slot that the id has, or may have.
    @inline(__always)
    private func slot(_ first: UInt64, _ second: UInt64) -> Int? {
        let mask = slots.count - 1
        let mixed = (first ^ (second &* 0x9FB2_1C65_1E98_DF25)) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: (mixed ^ (mixed &>> 32))) & mask
        for _ in 0..<Self.mostProbes {
            let held = Int(slots[slot])
            if held == 0 || (words[2 * held - 2] == first && words[2 * held - 1] == second) { return slot }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 4)
        for number in 0..<count {
            // One that finds no slot keeps its number and is not found again.
            guard let slot = slot(words[2 * number], words[2 * number + 1]) else { continue }
            slots[slot] = UInt32(truncatingIfNeeded: number + 1)
        }
    }
}
