import Core
private import Glibc

/// Strings, as lengths and the bytes of all.
///
/// ```
/// strings     section of lengths | length of all bytes, varint | section of the bytes
/// constant    the string that all are
/// dictionary  number of distinct strings, varint | section of them | section of each row's number
/// canonical   binary values (CanonicalForm)
/// templates   what statements write, and the variables between (TemplateCodec); of whole pages alone
/// ```
enum StringCodec {
    /// Strings where they lie, with the place of each.
    struct Strings: ~Copyable {
        let lengths: UnsafeBufferPointer<UInt32>
        let bytes: UnsafeRawBufferPointer
        private let starts: Scratch<Int>

        init(_ lengths: UnsafeBufferPointer<UInt32>, _ bytes: UnsafeRawBufferPointer) {
            self.lengths = lengths
            self.bytes = bytes
            starts = Scratch(lengths.count)
            var start = 0
            for i in 0..<lengths.count {
                starts.base[i] = start
                start += Int(lengths[i])
            }
            precondition(start == bytes.count, "lengths that do not add up to the bytes")
        }

        var count: Int { lengths.count }

        @inline(__always)
        subscript(i: Int) -> UnsafeRawBufferPointer {
            let start = starts.base[i]
            return UnsafeRawBufferPointer(rebasing: bytes[start..<(start &+ Int(lengths[i]))])
        }

        /// Where a string begins, if there are any bytes at all.
        @inline(__always)
        func start(_ i: Int) -> UnsafeRawPointer {
            guard let base = bytes.baseAddress else { preconditionFailure("strings without bytes have no variables") }
            return base + starts.base[i]
        }
    }

    /// - Parameter areTexts: whether the strings are lines that statements of programs wrote.
    static func encode(
        _ lengths: UnsafeBufferPointer<UInt32>, _ bytes: UnsafeRawBufferPointer, areTexts: Bool = false,
        with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        let strings = Strings(lengths, bytes)
        if areTexts, TemplateCodec.append(strings, with: compressor, to: &sink) { return Payload(.templates, .never) }
        if isConstant(strings) {
            sink.append(strings[0])
            return Payload(.constant, .full)
        }
        if let index = StringIndex.worthwhile(strings) {
            appendDictionary(strings, index, with: compressor, to: &sink)
            return Payload(.dictionary, .never)
        }
        return encodeDistinct(strings, with: compressor, into: &sink)
    }

    private static func encodeDistinct(
        _ strings: borrowing Strings, with compressor: Compressor, into sink: inout ByteSink
    ) -> Payload {
        if let form = CanonicalForm.shared(by: strings) {
            form.append(strings, with: compressor, to: &sink)
            return Payload(.canonical, .never)
        }
        Section.append(naturals: strings.lengths, with: compressor, to: &sink)
        sink.append(varint: strings.bytes.count)
        Section.append(bytes: strings.bytes, effort: .full, with: compressor, to: &sink)
        return Payload(.strings, .never)
    }

    private static func isConstant(_ strings: borrowing Strings) -> Bool {
        guard let first = strings.lengths.first, strings.lengths.allSatisfy({ $0 == first }) else { return false }
        guard let base = strings.bytes.baseAddress, first > 0 else { return true }
        return memcmp(base, base + Int(first), strings.bytes.count - Int(first)) == 0
    }

    private static func appendDictionary(
        _ strings: borrowing Strings, _ index: borrowing StringIndex, with compressor: Compressor,
        to sink: inout ByteSink
    ) {
        let lengths = Scratch<UInt32>(index.distinct)
        var bytes = ByteSink(capacity: 1 << 12)
        var known = 0
        for i in 0..<strings.count where index.numbers.base[i] == known {
            lengths.base[known] = strings.lengths[i]
            bytes.append(strings[i])
            known += 1
        }
        sink.append(varint: known)
        var inner = ByteSink(capacity: bytes.count + 64)
        let chosen = encodeDistinct(Strings(lengths.elements, bytes.bytes), with: compressor, into: &inner)
        Section.append(chosen, inner.bytes, with: compressor, to: &sink)
        let numbers = Scratch<Int64>(strings.count)
        for i in 0..<strings.count { numbers.base[i] = Int64(index.numbers.base[i]) }
        Section.append(integers: numbers.elements, with: compressor, to: &sink)
    }
}

extension StringCodec {
    /// Decodes `count` strings: their lengths into `lengths`, and returns their bytes.
    static func decode(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds,
        lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        var source = ByteSource(payload)
        switch encoding {
        case .constant: return try decodeConstant(payload, count: count, bounds, lengths: lengths)
        case .dictionary: return try decodeDictionary(&source, count: count, bounds, lengths: lengths)
        case .canonical: return try CanonicalForm.decode(&source, count: count, bounds, lengths: lengths)
        case .templates:
            let page = try TemplatePage(payload, count: count, bounds)
            return try page.decode(payload, lengths: lengths)
        case .strings: break
        default: throw .wrongType(encoding)
        }
        try Section.decode(&source, count: count, bounds, into: lengths)
        let total = try sum(lengths, count, bounds)
        guard try source.varint() == UInt64(total) else { throw .corrupt }
        let memory = BufferMemory<UInt8>(capacity: total)
        try Section.decode(&source, into: UnsafeMutableRawBufferPointer(start: memory.base, count: total))
        try source.end()
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    /// The bytes of `count` strings one after the other, of those that repeat once.
    static func distinctBytes(
        _ payload: UnsafeRawBufferPointer, _ encoding: EncodingID, count: Int, _ bounds: Bounds
    ) throws(EncodingError) -> Buffer<UInt8> {
        if encoding == .constant { return Buffer(payload) }
        guard encoding == .dictionary else {
            let lengths = Scratch<UInt32>(count)
            return try decode(payload, encoding, count: count, bounds, lengths: lengths.base)
        }
        var source = ByteSource(payload)
        let distinct = try source.count(atMost: count)
        let inner = try bounds.inner()
        let lengths = Scratch<UInt32>(distinct)
        var held = Buffer<UInt8>.empty
        try Section.withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            guard encoding != .templates else { throw .wrongType(encoding) }
            held = try decode(payload, encoding, count: distinct, inner, lengths: lengths.base)
        }
        return held
    }

    private static func decodeConstant(
        _ value: UnsafeRawBufferPointer, count: Int, _ bounds: Bounds, lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        guard let length = UInt32(exactly: value.count) else { throw .corrupt }
        lengths.update(repeating: length, count: count)
        let total = try sum(lengths, count, bounds)
        let memory = BufferMemory<UInt8>(capacity: total)
        if let base = value.baseAddress {
            for i in 0..<count { memcpy(memory.base + i * value.count, base, value.count) }
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    private static func decodeDictionary(
        _ source: inout ByteSource, count: Int, _ bounds: Bounds, lengths: UnsafeMutablePointer<UInt32>
    ) throws(EncodingError) -> Buffer<UInt8> {
        let distinct = try source.count(atMost: count)
        let inner = try bounds.inner()
        let distinctLengths = Scratch<UInt32>(distinct)
        var held = Buffer<UInt8>.empty
        try Section.withPayload(&source, bounds) { payload, encoding throws(EncodingError) in
            guard encoding != .templates else { throw .wrongType(encoding) }
            held = try decode(payload, encoding, count: distinct, inner, lengths: distinctLengths.base)
        }
        let starts = Scratch<Int>(distinct)
        var start = 0
        for i in 0..<distinct {
            starts.base[i] = start
            start += Int(distinctLengths.base[i])
        }
        // The numbers first, then, in their place, the lengths.
        let numbers = Scratch<UInt32>(count)
        try Section.decode(&source, count: count, bounds, into: numbers.base)
        try source.end()
        for i in 0..<count {
            let number = Int(numbers.base[i])
            guard number < distinct else { throw .corrupt }
            lengths[i] = distinctLengths.base[number]
        }
        let total = try sum(lengths, count, bounds)
        let memory = BufferMemory<UInt8>(capacity: total)
        var target = memory.base
        for i in 0..<count {
            let length = Int(lengths[i])
            memcpy(target, held.base + starts.base[Int(numbers.base[i])], length)
            target += length
        }
        return Buffer(owner: memory, base: memory.base, count: total)
    }

    /// The length of all strings, which is within bounds.
    static func sum(
        _ lengths: UnsafePointer<UInt32>, _ count: Int, _ bounds: Bounds
    ) throws(EncodingError) -> Int {
        var sum = 0
        for i in 0..<count { sum &+= Int(lengths[i]) }
        guard sum <= bounds.bytes else { throw .tooLarge(limit: bounds.bytes) }
        return sum
    }
}

/// For each string, the number of the distinct string that it is, in order of first use.
struct StringIndex: ~Copyable {
    let numbers: Scratch<Int32>
    let distinct: Int

    private static let samples = 512
    private static let emptySlot = Int32(-1)

    /// An index of strings of which at most a quarter are distinct; nil for others.
    static func worthwhile(_ strings: borrowing StringCodec.Strings) -> StringIndex? {
        guard strings.count >= 8 else { return nil }
        let sampled = min(strings.count, samples)
        let start = (strings.count - sampled) / 2
        guard let sample = StringIndex(strings, start..<(start + sampled), most: max(sampled / 2, 2)) else {
            return nil
        }
        _ = consume sample
        return StringIndex(strings, 0..<strings.count, most: max(strings.count / 4, 2))
    }

    /// Numbers the strings of `range`; nil once more than `most` are distinct.
    private init?(_ strings: borrowing StringCodec.Strings, _ range: Range<Int>, most: Int) {
        numbers = Scratch<Int32>(range.count)
        var slotCount = 64
        while slotCount < most * 2 { slotCount *= 2 }
        // A slot holds the position of a string's first use.
        let slots = Scratch<Int32>(slotCount)
        slots.base.initialize(repeating: Self.emptySlot, count: slotCount)
        var known: Int32 = 0
        let seed = HashSeed.value
        for i in 0..<range.count {
            let string = strings[range.lowerBound + i]
            var slot = Int(truncatingIfNeeded: XXH3.hash(string, seed: seed)) & (slotCount - 1)
            while true {
                let held = Int(slots.base[slot])
                if held < 0 {
                    guard known < most else { return nil }
                    slots.base[slot] = Int32(truncatingIfNeeded: i)
                    numbers.base[i] = known
                    known += 1
                    break
                }
                if Self.areEqual(strings[range.lowerBound + held], string) {
                    numbers.base[i] = numbers.base[held]
                    break
                }
                slot = (slot &+ 1) & (slotCount - 1)
            }
        }
        distinct = Int(known)
    }

    @inline(__always)
    private static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count, let left = a.baseAddress, let right = b.baseAddress else { return a.count == b.count }
        return memcmp(left, right, a.count) == 0
    }
}
