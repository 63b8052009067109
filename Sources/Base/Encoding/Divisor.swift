/// A number that divides others exactly, by multiplication with its inverse modulo 2^64 (Granlund and
/// Montgomery, PLDI 1994, §9): a tenth of the price of division.
struct Divisor {
    let value: UInt64
    private let inverse: UInt64
    private let shift: UInt64
    private let greatestQuotient: UInt64

    init(_ value: UInt64) {
        precondition(value > 0)
        self.value = value
        shift = UInt64(value.trailingZeroBitCount)
        let odd = value >> shift
        // Newton's iteration doubles the right bits: 3, 6, 12, 24, 48, 96.
        var inverse = odd
        for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
        self.inverse = inverse
        greatestQuotient = UInt64.max / value
    }

    /// The quotient, if `number` is a multiple.
    @inline(__always)
    func quotient(_ number: UInt64) -> UInt64 {
        let product = number &* inverse
        return product &>> shift | product &<< (64 &- shift)
    }

    @inline(__always)
    func divides(_ number: UInt64) -> Bool { quotient(number) <= greatestQuotient }

    private static let samples = 32

    /// The greatest common divisor of the distances from `least`; nil if that is 1.
    static func shared(by values: UnsafeBufferPointer<Int64>, least: Int64) -> Divisor? {
        guard let base = values.baseAddress else { return nil }
        var greatest: UInt64 = 0
        for i in 0..<samples {
            greatest = common(greatest, UInt64(bitPattern: base[i * values.count / samples] &- least))
            if greatest == 1 { return nil }
        }
        // Zero: all samples equal the least. Some other value does not.
        if greatest == 0 {
            guard let other = values.first(where: { $0 != least }) else { return nil }
            greatest = UInt64(bitPattern: other &- least)
        }
        var divisor = Divisor(greatest)
        for i in 0..<values.count {
            let distance = UInt64(bitPattern: base[i] &- least)
            if !divisor.divides(distance) {
                let smaller = common(divisor.value, distance)
                if smaller == 1 { return nil }
                divisor = Divisor(smaller)
            }
        }
        return divisor
    }

    private static func common(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}
