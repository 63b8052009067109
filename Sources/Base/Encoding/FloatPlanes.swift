/// Doubles of full precision, byte by byte: signs, exponents and leading digits repeat themselves, the rest is
/// noise and stays raw.
enum FloatPlanes {
    enum Mode: UInt8 {
        case bits = 0
        /// Each value's bits, XORed with those of the value before.
        case changes = 1
    }

    /// The better mode on a sample, and what the sample takes.
    static func trial(_ values: UnsafeBufferPointer<Double>, with compressor: Compressor) -> (Mode, Int) {
        let sample = FloatCodec.middle(values)
        var sink = ByteSink(capacity: sample.count * 9)
        append(sample, .bits, with: compressor.sampling, to: &sink)
        let bits = sink.count
        sink.removeAll()
        append(sample, .changes, with: compressor.sampling, to: &sink)
        return sink.count < bits ? (.changes, sink.count) : (.bits, bits)
    }

    static func append(
        _ values: UnsafeBufferPointer<Double>, _ mode: Mode, with compressor: Compressor, to sink: inout ByteSink
    ) {
        guard let base = values.baseAddress else { return }
        let words = Scratch<UInt64>(values.count)
        var last: UInt64 = 0
        for i in 0..<values.count {
            let word = base[i].bitPattern
            words.base[i] = mode == .changes ? word ^ last : word
            last = word
        }
        sink.append(mode.rawValue)
        let plane = Scratch<UInt8>(values.count)
        for k in 0..<8 {
            let shift = UInt64(56 - 8 * k)
            for i in 0..<values.count { plane.base[i] = UInt8(truncatingIfNeeded: words.base[i] &>> shift) }
            let bytes = UnsafeRawBufferPointer(plane.elements)
            Section.append(bytes: bytes, effort: .sampled, with: compressor, to: &sink)
        }
    }

    static func decode(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Double>
    ) throws(EncodingError) {
        guard let mode = Mode(rawValue: try source.byte()) else { throw .corrupt }
        let words = Scratch<UInt64>(count)
        words.base.initialize(repeating: 0, count: count)
        let plane = Scratch<UInt8>(count)
        for _ in 0..<8 {
            try Section.decode(&source, into: plane.bytes)
            for i in 0..<count { words.base[i] = words.base[i] &<< 8 | UInt64(plane.base[i]) }
        }
        var last: UInt64 = 0
        for i in 0..<count {
            last = mode == .changes ? last ^ words.base[i] : words.base[i]
            target[i] = Double(bitPattern: last)
        }
    }
}
