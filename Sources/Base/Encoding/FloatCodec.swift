/// Doubles, bit for bit: NaN payloads, infinities and negative zero come back as they went in.
///
/// ```
/// plain     the values, 8 bytes each
/// constant  the value, 8 bytes
/// runs      number of runs, varint | section of run values | section of run lengths
/// decimal   digits u8 | exceptions, varint | [section of their positions | their values] | section of integers
/// nearDecimal  digits u8 | section of integers | section of residues (NearDecimals)
/// planes    mode u8 | sections of the bytes of all values: the most significant of each, then the next, to the eighth
/// ```
/// A decimal of `digits` digits after the point is its integer divided by 10^digits, correctly rounded. In
/// planes of mode 1 each value's bits are those of the value before it XORed with what is stored, the first's
/// those of zero.
enum FloatCodec {
    static func encode(
        _ values: UnsafeBufferPointer<Double>, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        guard let base = values.baseAddress, let first = values.first else { return Payload(.plain, .never) }
        let runs = countRuns(base, values.count)
        if runs == 1 {
            sink.append(word: first.bitPattern)
            return Payload(.constant, .never)
        }
        if let digits = Decimals.digits(of: values),
            Decimals.append(values, digits: digits, with: compressor, to: &sink)
        {
            return Payload(.decimal, .never)
        }
        if runs <= values.count / 4 {
            appendRuns(values, runs, with: compressor, to: &sink)
            return Payload(.runs, .never)
        }
        if let digits = NearDecimals.digits(of: values) {
            NearDecimals.append(values, digits: digits, with: compressor, to: &sink)
            return Payload(.nearDecimal, .never)
        }
        let (mode, planesCount) = FloatPlanes.trial(values, with: compressor)
        let sample = middle(values)
        let plainCount = compressor.compressedSize(UnsafeRawBufferPointer(sample))
        let rawCount = sample.count * 8
        if plainCount < planesCount && Compressor.pays(stored: plainCount, raw: rawCount) {
            sink.append(UnsafeRawBufferPointer(values))
            return Payload(.plain, .full)
        }
        if Compressor.pays(stored: planesCount, raw: rawCount) {
            FloatPlanes.append(values, mode, with: compressor, to: &sink)
            return Payload(.planes, .never)
        }
        sink.append(UnsafeRawBufferPointer(values))
        return Payload(.plain, .never)
    }

    static func middle(_ values: UnsafeBufferPointer<Double>) -> UnsafeBufferPointer<Double> {
        let count = min(values.count, 1024)
        let start = (values.count - count) / 2
        return UnsafeBufferPointer(rebasing: values[start..<(start + count)])
    }

    private static func countRuns(_ base: UnsafePointer<Double>, _ count: Int) -> Int {
        var changes: UInt64 = 0
        for i in 1..<max(count, 1) {
            let difference = base[i].bitPattern ^ base[i &- 1].bitPattern
            changes &+= (difference | (0 &- difference)) &>> 63
        }
        return Int(changes) + 1
    }

    private static func appendRuns(
        _ values: UnsafeBufferPointer<Double>, _ runs: Int, with compressor: Compressor, to sink: inout ByteSink
    ) {
        let runValues = Scratch<Double>(runs)
        let lengths = Scratch<Int64>(runs)
        var run = 0
        var start = 0
        for i in 1...values.count where i == values.count || values[i].bitPattern != values[i - 1].bitPattern {
            runValues.base[run] = values[start]
            lengths.base[run] = Int64(i - start)
            run += 1
            start = i
        }
        sink.append(varint: runs)
        Section.append(floats: runValues.elements, with: compressor, to: &sink)
        Section.append(integers: lengths.elements, with: compressor, [], to: &sink)
    }

    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        var source = ByteSource(payload)
        switch encoding {
        case .plain:
            let (length, overflow) = count.multipliedReportingOverflow(by: 8)
            guard !overflow else { throw .corrupt }
            UnsafeMutableRawBufferPointer(start: target, count: length).copyMemory(from: try source.take(length))
        case .constant:
            target.update(repeating: Double(bitPattern: try source.word()), count: count)
        case .runs:
            try decodeRuns(&source, count: count, bounds, into: target)
        case .decimal:
            try Decimals.decode(&source, count: count, bounds, into: target)
        case .nearDecimal:
            try NearDecimals.decode(&source, count: count, bounds, into: target)
        case .planes:
            try FloatPlanes.decode(&source, count: count, into: target)
        default:
            throw .wrongType(encoding)
        }
        try source.end()
    }

    private static func decodeRuns(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        let runs = try source.count(atMost: count)
        let values = Scratch<Double>(runs)
        try Section.decode(&source, count: runs, bounds, into: values.base)
        let lengths = try RunLengths(&source, runs: runs, count: count, bounds)
        var filled = target
        for run in 0..<runs {
            let length = Int(lengths.values.base[run])
            filled.update(repeating: values.base[run], count: length)
            filled += length
        }
    }
}
