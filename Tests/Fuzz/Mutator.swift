import Corpus

/// Changes inputs a little, the same way for the same seed.
struct Mutator {
    private static let longest = 1 << 18
    private static let interesting: [UInt64] = [
        0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF,
        0x8000_0000_0000_0000, .max, 0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0000, 1 << 20, 1 << 31, 1 << 40,
    ]

    private var dice: Dice
    private let seeds: [[UInt8]]
    private var next = 0

    init(seeds: [[UInt8]], seed: UInt64) {
        dice = Dice(seed: seed)
        self.seeds = seeds.isEmpty ? [[]] : seeds
    }

    /// The seeds as they are, then mutations of them.
    mutating func input() -> [UInt8] {
        if next < seeds.count {
            next += 1
            return seeds[next - 1]
        }
        var bytes = dice.pick(seeds)
        for _ in 0..<dice.pick([1, 1, 1, 2, 3, 6]) { mutate(&bytes) }
        return bytes.count > Self.longest ? Array(bytes.prefix(Self.longest)) : bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = [UInt8(truncatingIfNeeded: dice.next())]
            return
        }
        let at = dice.int(below: bytes.count)
        switch dice.int(below: 10) {
        case 0, 1: bytes[at] ^= 1 << UInt8(dice.int(below: 8))
        case 2: bytes[at] = UInt8(truncatingIfNeeded: dice.next())
        case 3: bytes[at] = bytes[at] &+ (dice.chance(0.5) ? 1 : 255)
        case 4: overwrite(&bytes, at: at, with: dice.pick(Self.interesting), width: dice.pick([1, 2, 4, 8]))
        case 5: bytes.removeSubrange(at..<min(bytes.count, at + dice.int(in: 1...16)))
        case 6:
            let count = dice.int(in: 1...16)
            bytes.insert(contentsOf: (0..<count).map { _ in UInt8(truncatingIfNeeded: dice.next()) }, at: at)
        case 7:
            let piece = Array(bytes[at..<min(bytes.count, at + dice.int(in: 1...64))])
            bytes.insert(contentsOf: piece, at: dice.int(below: bytes.count + 1))
        case 8: bytes.removeLast(bytes.count - at)
        default:
            let other = dice.pick(seeds)
            guard !other.isEmpty else { return }
            bytes = Array(bytes[..<at]) + other[dice.int(below: other.count)...]
        }
    }

    private func overwrite(_ bytes: inout [UInt8], at start: Int, with value: UInt64, width: Int) {
        for i in 0..<width where start + i < bytes.count {
            bytes[start + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
        }
    }
}
