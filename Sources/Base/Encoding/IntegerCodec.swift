/// 64-bit integers: one look at all values, then the encoding that a sample says is smallest.
///
/// All arithmetic is modulo 2^64, so every value and every difference is exact. What each encoding's payload holds:
///
/// ```
/// plain        the values, 8 bytes each
/// constant     the value, 8 bytes
/// runs         number of runs, varint | section of run values | section of run lengths
/// packed       groups (PackedGroups)
/// deltaPacked  first value, 8 bytes | groups of the differences
/// varints      1, u8 | first value, 8 bytes | zigzag varints of the differences
/// planes       reference, 8 bytes | number of planes, u8 | a section each: byte k of all values less reference
/// scaled       divisor, varint | base, 8 bytes | section of (value less base) / divisor
/// ```
enum IntegerCodec {
    /// Which encodings may be chosen. Those that hold further integers leave themselves out inside.
    struct Features: OptionSet {
        let rawValue: Int
        static let runs = Features(rawValue: 1)
        static let scaled = Features(rawValue: 2)
        static let all: Features = [.runs, .scaled]
    }

    /// Appends the payload of `values`.
    static func encode(
        _ values: UnsafeBufferPointer<Int64>, with compressor: Compressor, _ features: Features = .all,
        into sink: inout ByteSink
    ) -> Payload {
        guard let base = values.baseAddress, let first = values.first else { return Payload(.plain, .never) }
        let traits = IntegerTraits(values)
        if traits.runs == 1 {
            sink.append(word: UInt64(bitPattern: first))
            return Payload(.constant, .never)
        }
        if features.contains(.scaled), traits.span >= 1 << 12,
            let divisor = Divisor.shared(by: values, least: traits.least), divisor.value >= 8
        {
            return encodeScaled(values, divisor, traits.least, with: compressor, features, into: &sink)
        }
        let sample = IntegerSample(base, count: values.count, traits, with: compressor)
        if features.contains(.runs), traits.runs <= values.count / 8 + 1 {
            let start = sink.count
            appendRuns(values, traits.runs, with: compressor, features, to: &sink)
            if sink.count - start <= sample.byteCount { return Payload(.runs, .never) }
            sink.removeLast(sink.count - start)
        }
        return encode(values, sample.choice, traits, with: compressor, into: &sink)
    }

    private static func encode(
        _ values: UnsafeBufferPointer<Int64>, _ choice: IntegerSample.Choice, _ traits: IntegerTraits,
        with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        switch choice {
        case .packed:
            PackedGroups.encode(values, into: &sink)
            return Payload(.packed, .never)
        case .deltaPacked:
            let differences = Scratch<Int64>(values.count - 1)
            for i in 0..<(values.count - 1) { differences.base[i] = values[i + 1] &- values[i] }
            sink.append(word: UInt64(bitPattern: values[0]))
            PackedGroups.encode(differences.elements, into: &sink)
            return Payload(.deltaPacked, .never)
        case .varintDifferences:
            Varints.appendDifferences(values, to: &sink)
            return Payload(.varints, .full)
        case .planes:
            Planes.append(
                values, reference: traits.least, count: Planes.count(traits.span), with: compressor, to: &sink)
            return Payload(.planes, .never)
        }
    }

    private static func appendRuns(
        _ values: UnsafeBufferPointer<Int64>, _ runs: Int, with compressor: Compressor, _ features: Features,
        to sink: inout ByteSink
    ) {
        let runValues = Scratch<Int64>(runs)
        let lengths = Scratch<Int64>(runs)
        var run = 0
        var start = 0
        for i in 1...values.count where i == values.count || values[i] != values[i - 1] {
            runValues.base[run] = values[start]
            lengths.base[run] = Int64(i - start)
            run += 1
            start = i
        }
        let inner = features.subtracting(.runs)
        sink.append(varint: runs)
        Section.append(integers: runValues.elements, with: compressor, inner, to: &sink)
        Section.append(integers: lengths.elements, with: compressor, [], to: &sink)
    }

    private static func encodeScaled(
        _ values: UnsafeBufferPointer<Int64>, _ divisor: Divisor, _ least: Int64, with compressor: Compressor,
        _ features: Features, into sink: inout ByteSink
    ) -> Payload {
        let quotients = Scratch<Int64>(values.count)
        for i in 0..<values.count {
            quotients.base[i] = Int64(bitPattern: divisor.quotient(UInt64(bitPattern: values[i] &- least)))
        }
        sink.append(varint: divisor.value)
        sink.append(word: UInt64(bitPattern: least))
        Section.append(integers: quotients.elements, with: compressor, features.subtracting(.scaled), to: &sink)
        return Payload(.scaled, .never)
    }
}

/// What an encoder chose, and whether compressing the payload may pay.
struct Payload {
    var encoding: EncodingID
    var effort: Compressor.Effort

    init(_ encoding: EncodingID, _ effort: Compressor.Effort) {
        self.encoding = encoding
        self.effort = effort
    }
}

/// What a look at all integers shows.
struct IntegerTraits {
    private(set) var least: Int64 = 0
    /// The distance from the least to the greatest.
    private(set) var span: UInt64 = 0
    /// Runs of equal values: 1 if all are equal.
    private(set) var runs = 1

    init(_ values: UnsafeBufferPointer<Int64>) {
        guard let base = values.baseAddress, !values.isEmpty else { return }
        var changes: Int64 = 0
        for i in 1..<values.count {
            // 1 if they differ, without a branch that real data would mispredict.
            let difference = base[i] ^ base[i &- 1]
            changes &-= (difference | (0 &- difference)) &>> 63
        }
        guard changes > 0 else { return }
        let extent = Extent(base, count: values.count)
        least = extent.least
        span = extent.span
        runs = Int(changes) + 1
    }
}
