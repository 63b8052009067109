/// Forms of text that stand for a binary value and are written in one way only, so the value gives the text back.
///
/// ```
/// canonical: form u8 | strings that are not empty, varint | [if some are empty: section of a bitmap of the others]
///            then, of the others:
///   uuid, hex of equal lengths:  bytes of each, varint (16 for uuid) | section of fixed values
///   hex of several lengths:      0 | section of lengths in bytes | length of all, varint | section of the bytes
///   decimal, address:            section of integers
/// ```
enum CanonicalForm: UInt8, CaseIterable {
    /// 36 characters: lower-case digits in groups of 8, 4, 4, 4 and 12, and dashes between.
    case uuid = 1
    /// Naturals below 10^18 without leading zeros.
    case decimal = 2
    /// Four naturals up to 255 without leading zeros, and dots between.
    case address = 3
    /// An even number of lower-case digits.
    case hex = 4

    /// The form of all strings that are not empty; nil if there is none.
    static func shared(by strings: borrowing StringCodec.Strings) -> CanonicalForm? {
        var seen = 0
        var candidates = CanonicalForm.allCases
        for i in 0..<strings.count where !strings[i].isEmpty {
            let text = strings[i]
            candidates.removeAll { !$0.accepts(text) }
            if candidates.isEmpty { return nil }
            seen += 1
            if seen == 8 { break }
        }
        guard seen > 0 else { return nil }
        for form in candidates where form.isShared(by: strings) { return form }
        return nil
    }

    private func isShared(by strings: borrowing StringCodec.Strings) -> Bool {
        for i in 0..<strings.count where !strings[i].isEmpty {
            guard accepts(strings[i]) else { return false }
        }
        return true
    }

    private func accepts(_ text: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .uuid: text.count == 36 && UUIDText.isCanonical(text)
        case .decimal: DecimalText.value(text) != nil
        case .address: AddressText.value(text) != nil
        case .hex: text.count % 2 == 0 && HexText.isCanonical(text)
        }
    }

    /// Appends the payload; all strings that are not empty are of this form.
    func append(_ strings: borrowing StringCodec.Strings, with compressor: Compressor, to sink: inout ByteSink) {
        let kept = strings.lengths.count { $0 > 0 }
        sink.append(rawValue)
        sink.append(varint: kept)
        if kept < strings.count {
            let bitmap = Scratch<UInt8>((strings.count + 7) / 8)
            bitmap.base.initialize(repeating: 0, count: bitmap.count)
            for i in 0..<strings.count where strings.lengths[i] > 0 { bitmap.base[i >> 3] |= 1 << UInt8(i & 7) }
            let bits = UnsafeRawBufferPointer(bitmap.elements)
            Section.append(bytes: bits, effort: .full, with: compressor, to: &sink)
        }
        switch self {
        case .uuid, .hex: appendBinary(strings, with: compressor, to: &sink)
        case .decimal, .address: appendIntegers(strings, kept, with: compressor, to: &sink)
        }
    }

    private func appendIntegers(
        _ strings: borrowing StringCodec.Strings, _ kept: Int, with compressor: Compressor, to sink: inout ByteSink
    ) {
        let values = Scratch<Int64>(kept)
        var next = 0
        for i in 0..<strings.count where strings.lengths[i] > 0 {
            let value = self == .decimal ? DecimalText.value(strings[i]) : AddressText.value(strings[i])
            values.base[next] = value ?? 0  // never nil: `shared` has looked at all
            next += 1
        }
        Section.append(integers: values.elements, with: compressor, to: &sink)
    }

    private func appendBinary(
        _ strings: borrowing StringCodec.Strings, with compressor: Compressor, to sink: inout ByteSink
    ) {
        let binary = Scratch<UInt8>(strings.bytes.count / 2)
        let lengths = Scratch<Int64>(strings.count)
        var written = 0
        var kept = 0
        for i in 0..<strings.count where strings.lengths[i] > 0 {
            let length = self == .uuid ? 16 : Int(strings.lengths[i]) / 2
            if self == .uuid {
                UUIDText.parse(strings[i], into: binary.base + written)
            } else {
                HexText.parse(strings[i], into: binary.base + written)
            }
            lengths.base[kept] = Int64(length)
            kept += 1
            written += length
        }
        let bytes = UnsafeRawBufferPointer(binary.prefix(written))
        let first = lengths.base[0]
        if lengths.prefix(kept).allSatisfy({ $0 == first }) {
            sink.append(varint: Int(first))
            Section.append(fixed: bytes, width: Int(first), with: compressor, to: &sink)
        } else {
            sink.append(varint: 0)
            Section.append(integers: lengths.prefix(kept), with: compressor, to: &sink)
            sink.append(varint: written)
            Section.append(bytes: bytes, effort: .sampled, with: compressor, to: &sink)
        }
    }
}
