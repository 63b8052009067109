#if canImport(Glibc)
    private import Glibc
#endif

/// Deterministic randomness: SplitMix64 and the few distributions that telemetry has.
///
/// Every trace gets dice of its own from `(seed, index)`, so that trace number i is the same in each corpus of a seed.
package struct Dice {
    private var state: UInt64

    package init(seed: UInt64, stream: UInt64 = 0) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 ^ (stream &+ 1) &* 0xD1B5_4A32_D192_ED03
        _ = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0 ..< `bound`.
    package mutating func int(below bound: Int) -> Int {
        precondition(bound > 0, "an empty range has no element")
        return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    package mutating func int(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + int(below: range.upperBound - range.lowerBound + 1)
    }

    /// Uniform in 0 ..< 1.
    package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    package mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[int(below: elements.count)]
    }

    /// Standard normal, by the sum of twelve uniforms: its tails end at ±6, which latencies do not miss.
    package mutating func normal() -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += unit() }
        return sum
    }

    /// Log-normal around `median`; one value in a hundred is a straggler, up to thirty times as long.
    package mutating func latency(medianMilliseconds median: Double, spread: Double = 0.45) -> Int64 {
        var milliseconds = median * exp(spread * normal())
        if chance(0.01) { milliseconds *= 3 + 27 * unit() }
        return max(1_000, Int64(milliseconds * 1_000_000) + Int64(int(below: 1_000)))
    }

    /// Poisson; by a rounded normal above 40, where the two can hardly be told apart.
    package mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        if mean > 40 { return max(0, Int((mean + mean.squareRoot() * normal()).rounded())) }
        let floor = exp(-mean)
        var product = unit()
        var count = 0
        while product > floor {
            product *= unit()
            count += 1
        }
        return count
    }

    /// `count` lower-case hexadecimal digits.
    package mutating func hex(_ count: Int) -> String {
        var text = ""
        text.reserveCapacity(count)
        var word: UInt64 = 0
        for i in 0..<count {
            if i % 16 == 0 { word = next() }
            text.unicodeScalars.append(Unicode.Scalar(Self.digits[Int(word & 15)]))
            word >>= 4
        }
        return text
    }

    /// `count` characters as Kubernetes draws them for the names of its objects.
    mutating func nameSuffix(_ count: Int) -> String {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String((0..<count).map { _ in letters[int(below: letters.count)] })
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
