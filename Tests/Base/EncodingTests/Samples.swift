import Randomness

/// Integer columns of the shapes that tables hold, and of those that break codecs.
enum IntegerShape: CaseIterable {
    case zeros, constant, extremes, anyBits, small, runs, ascending, timestamps, seriesTimestamps, counters, outliers
    case multiples, lowOutliers, alternating

    func values(_ count: Int, _ random: inout SeededRandom) -> [Int64] {
        switch self {
        case .zeros: return Array(repeating: 0, count: count)
        case .constant: return Array(repeating: .random(in: .min ... .max, using: &random), count: count)
        case .extremes: return (0..<count).map { _ in [.min, .max, 0, -1].randomElement(using: &random) ?? 0 }
        case .anyBits: return (0..<count).map { _ in .random(in: .min ... .max, using: &random) }
        case .small: return (0..<count).map { _ in .random(in: -3...60, using: &random) }
        case .runs: return runs(count, &random)
        case .ascending: return sums(count, from: 0) { Int64.random(in: 0...2000, using: &random) }
        case .timestamps:
            return sums(count, from: 1_700_000_000_000_000_000) { Int64.random(in: 0...40_000_000, using: &random) }
        case .seriesTimestamps:
            return (0..<count).map {
                1_700_000_000_000_000_000 + Int64($0 % 120) * 15_000_000_000 + Int64($0 % 120 % 7)
            }
        case .counters: return sums(count, from: 1 << 40) { [0, 0, 0, 1, 5].randomElement(using: &random) ?? 0 }
        case .outliers:
            return (0..<count).map { _ in
                random.next() % 50 == 0 ? Int64(random.next() >> 1) : 7 + Int64(random.next() % 9)
            }
        case .multiples:
            return (0..<count).map { _ in 17 + 1_000_000 * Int64.random(in: -900_000...900_000, using: &random) }
        case .lowOutliers:
            return (0..<count).map { _ in
                random.next() % 40 == 0 ? -Int64(random.next() >> 8) : 1_000_000 + Int64(random.next() % 300)
            }
        case .alternating: return (0..<count).map { $0 % 2 == 0 ? .min : .max }
        }
    }

    private func runs(_ count: Int, _ random: inout SeededRandom) -> [Int64] {
        var values: [Int64] = []
        while values.count < count {
            let value = Int64.random(in: 0...1_000_000, using: &random)
            values += Array(repeating: value, count: Int.random(in: 1...200, using: &random))
        }
        return Array(values.prefix(count))
    }

    private func sums(_ count: Int, from first: Int64, step: () -> Int64) -> [Int64] {
        var value = first
        return (0..<count).map { _ in
            value += step()
            return value
        }
    }
}
