/// Doubles that were added up from decimals of few digits: next to a decimal, and off it by the errors of the additions.
///
/// ```
/// digits u8 | section of integers | section of residues
/// ```
/// A value's bits are those of its integer divided by 10^digits, rounded once, plus its residue, modulo 2^64: bit for bit
/// whatever the value is. A sum's residue changes by little from one point to the next.
enum NearDecimals {
    private static let mostDigits = 9
    private static let samples = 64
    /// A random number is that near to a decimal of nine digits in one case of ten thousand.
    private static let greatestResidue = 1 << 12

    /// The least number of digits with which most of a sample is near a decimal; nil if there is none.
    static func digits(of values: UnsafeBufferPointer<Double>) -> Int? {
        let count = min(values.count, samples)
        guard count > 0 else { return nil }
        for digits in 0...mostDigits {
            var fits = 0
            for i in 0..<count {
                let value = values[i * values.count / count]
                guard let integer = integer(value, digits) else { continue }
                let residue = residue(value, integer, digits)
                if residue.magnitude <= greatestResidue { fits += 1 }
            }
            if fits >= count - count / 16 { return digits }
        }
        return nil
    }

    static func append(
        _ values: UnsafeBufferPointer<Double>, digits: Int, with compressor: Compressor, to sink: inout ByteSink
    ) {
        let integers = Scratch<Int64>(values.count)
        let residues = Scratch<Int64>(values.count)
        var last: Int64 = 0
        for i in 0..<values.count {
            last = integer(values[i], digits) ?? last
            integers.base[i] = last
            residues.base[i] = residue(values[i], last, digits)
        }
        sink.append(UInt8(digits))
        Section.append(integers: integers.elements, with: compressor, to: &sink)
        Section.append(integers: residues.elements, with: compressor, to: &sink)
    }

    static func decode(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        let digits = Int(try source.byte())
        guard digits < Decimals.powers.count else { throw .corrupt }
        let integers = Scratch<Int64>(count)
        try Section.decode(&source, count: count, bounds, into: integers.base)
        let residues = Scratch<Int64>(count)
        try Section.decode(&source, count: count, bounds, into: residues.base)
        let power = Decimals.powers[digits]
        for i in 0..<count {
            let near = Double(integers.base[i]) / power
            target[i] = Double(bitPattern: near.bitPattern &+ UInt64(bitPattern: residues.base[i]))
        }
    }

    /// The nearest integer to a value times 10^digits; nil beyond 2^51.
    @inline(__always)
    private static func integer(_ value: Double, _ digits: Int) -> Int64? {
        let scaled = value * Decimals.powers[digits]
        guard abs(scaled) < Decimals.greatest else { return nil }
        return Int64((scaled + Decimals.rounder) - Decimals.rounder)
    }

    @inline(__always)
    private static func residue(_ value: Double, _ integer: Int64, _ digits: Int) -> Int64 {
        Int64(bitPattern: value.bitPattern &- (Double(integer) / Decimals.powers[digits]).bitPattern)
    }
}
