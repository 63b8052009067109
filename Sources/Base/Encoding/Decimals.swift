/// Doubles that are decimals with few digits, as integers (after Afroozeh, Kuffo and Boncz, "ALP: Adaptive
/// Lossless floating-Point Compression", SIGMOD 2023; with one correctly rounded division instead of two
/// products, so every decimal of up to 15 digits is exact). What is no such decimal is an exception, kept bit
/// for bit.
enum Decimals {
    static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21,
        1e22,
    ]
    private static let mostDigits = 16
    private static let samples = 32
    /// Adding and subtracting 1.5 * 2^52 rounds numbers below 2^51 to integers.
    static let rounder = 6_755_399_441_055_744.0
    static let greatest = 2_251_799_813_685_248.0
    /// An exception costs some ten bytes.
    private static let mostExceptionsShare = 8

    /// The integer that, divided by `power`, is `value`; nil if there is none.
    @inline(__always)
    private static func integer(_ value: Double, _ power: Double) -> Int64? {
        let scaled = value * power
        guard abs(scaled) < greatest else { return nil }
        let whole = (scaled + rounder) - rounder
        guard (whole / power).bitPattern == value.bitPattern else { return nil }
        return Int64(whole)
    }

    /// The least number of digits that suits most of a sample; nil if none does.
    static func digits(of values: UnsafeBufferPointer<Double>) -> Int? {
        let count = min(values.count, samples)
        var best: (digits: Int, fits: Int)?
        for digits in 0...mostDigits {
            var fits = 0
            for i in 0..<count where integer(values[i * values.count / count], powers[digits]) != nil { fits += 1 }
            if fits == count { return digits }
            if fits > best?.fits ?? 0 { best = (digits, fits) }
        }
        guard let best, best.fits * mostExceptionsShare >= count * (mostExceptionsShare - 1) else { return nil }
        return best.digits
    }

    /// Appends the payload; appends nothing and returns false if too many values are exceptions.
    static func append(
        _ values: UnsafeBufferPointer<Double>, digits: Int, with compressor: Compressor, to sink: inout ByteSink
    ) -> Bool {
        let power = powers[digits]
        let integers = Scratch<Int64>(values.count)
        let mostExceptions = values.count / mostExceptionsShare
        let positions = Scratch<Int64>(mostExceptions + 1)
        var exceptions = 0
        var last: Int64 = 0
        for i in 0..<values.count {
            if let integer = integer(values[i], power) {
                last = integer
            } else {
                guard exceptions < mostExceptions else { return false }
                positions.base[exceptions] = Int64(i)
                exceptions += 1
            }
            integers.base[i] = last
        }
        sink.append(UInt8(digits))
        sink.append(varint: exceptions)
        if exceptions > 0 {
            Section.append(integers: positions.prefix(exceptions), with: compressor, [], to: &sink)
            for i in 0..<exceptions { sink.append(word: values[Int(positions.base[i])].bitPattern) }
        }
        Section.append(integers: integers.elements, with: compressor, to: &sink)
        return true
    }

    static func decode(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        let digits = Int(try source.byte())
        guard digits < powers.count else { throw .corrupt }
        let exceptions = try source.count(atMost: count)
        let positions = Scratch<UInt32>(exceptions)
        var values = UnsafeRawBufferPointer(start: nil, count: 0)
        if exceptions > 0 {
            try Section.decode(&source, count: exceptions, bounds, into: positions.base)
            values = try source.take(exceptions * 8)
        }
        let integers = Scratch<Int64>(count)
        try Section.decode(&source, count: count, bounds, into: integers.base)
        if digits == 0 {
            for i in 0..<count { target[i] = Double(integers.base[i]) }
        } else {
            let power = powers[digits]
            for i in 0..<count { target[i] = Double(integers.base[i]) / power }
        }
        for i in 0..<exceptions {
            let position = Int(positions.base[i])
            guard position < count else { throw .corrupt }
            let bits = values.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)
            target[position] = Double(bitPattern: UInt64(littleEndian: bits))
        }
    }
}
