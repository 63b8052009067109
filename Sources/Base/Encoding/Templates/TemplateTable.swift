/// What may stand in the place of a variable.
package struct TemplateSlot: Sendable, Equatable {
    package enum Kind: UInt8, Sendable {
        case text = 0
        /// A natural below 10^18 without leading zeros.
        case decimal = 1
        /// A natural with leading zeros up to a width.
        case padded = 2
        case uuid = 3
    }

    package var kind: Kind
    /// The number of digits, if it is padded; otherwise 0.
    package var width: UInt8 = 0
    /// The lengths that there are.
    package var shortest: Int
    package var longest: Int
    /// Of a text: which bytes below 0x80 there are, a bit each.
    package var bytes: (UInt64, UInt64) = (0, 0)
    /// Of a text: whether there are bytes from 0x80 on.
    package var hasHighBytes = false

    static let digits: (UInt64, UInt64) = (0x03FF_0000_0000_0000, 0)
    static let uuid: (UInt64, UInt64) = (0x03FF_2000_0000_0000, 0x0000_007E_0000_0000)

    init(_ kind: Kind, width: UInt8 = 0, shortest: Int, longest: Int) {
        self.kind = kind
        self.width = width
        self.shortest = shortest
        self.longest = longest
        switch kind {
        case .text: break
        case .decimal, .padded: bytes = Self.digits
        case .uuid: bytes = Self.uuid
        }
    }

    package static func == (left: TemplateSlot, right: TemplateSlot) -> Bool {
        left.kind == right.kind && left.width == right.width && left.shortest == right.shortest
            && left.longest == right.longest && left.bytes == right.bytes && left.hasHighBytes == right.hasHighBytes
    }

    @inline(__always)
    func mayHave(_ byte: UInt8) -> Bool {
        if byte < 64 { return bytes.0 &>> UInt64(byte) & 1 != 0 }
        if byte < 128 { return bytes.1 &>> UInt64(byte & 63) & 1 != 0 }
        return hasHighBytes
    }

    /// Takes in what another slot may hold.
    mutating func formUnion(_ other: TemplateSlot) {
        shortest = min(shortest, other.shortest)
        longest = max(longest, other.longest)
        bytes.0 |= other.bytes.0
        bytes.1 |= other.bytes.1
        hasHighBytes = hasHighBytes || other.hasHighBytes
        if kind != other.kind || width != other.width {
            kind = .text
            width = 0
        }
    }
}

/// Templates: constant bytes with slots between them.
///
/// ```
/// for each template:   slots, varint | for each slot: kind u8 | width u8, if it is padded
///                      shortest, varint | longest less shortest, varint | if it is a text: 16 bytes, high u8
///                      for each constant, one more than there are slots: length, varint
///                      the constants' bytes
/// ```
package struct TemplateTable: Sendable, Equatable {
    /// What a reader takes of one table.
    package static let mostTemplates = 1 << 16
    static let mostSlots = 64
    static let mostBytes = 16 << 20

    /// Of all templates, one after the other.
    private(set) var constants: [UInt8] = []
    package private(set) var slots: [TemplateSlot] = []
    /// Where each constant ends: of each template one more than it has slots.
    private(set) var ends: [Int] = []
    /// By template, and one more: the number of slots before it.
    private(set) var firstSlots: [Int] = [0]

    package init() {}

    package var count: Int { firstSlots.count - 1 }
    package var constantBytes: Int { constants.count }

    @inline(__always)
    func slotRange(_ template: Int) -> Range<Int> { firstSlots[template]..<firstSlots[template + 1] }

    /// Where the constants of a template are.
    @inline(__always)
    func constant(_ number: Int, _ template: Int) -> Range<Int> {
        let place = firstSlots[template] &+ template &+ number
        return (place == 0 ? 0 : ends[place &- 1])..<ends[place]
    }

    mutating func append(constant bytes: UnsafeRawBufferPointer) {
        constants.append(contentsOf: bytes)
        ends.append(constants.count)
    }

    mutating func append(slot: TemplateSlot) { slots.append(slot) }

    /// Ends the template whose constants and slots were appended.
    mutating func endTemplate() {
        firstSlots.append(slots.count)
        assert(ends.count == slots.count + count)
    }

    /// Appends a template of another table.
    mutating func append(_ template: Int, of other: TemplateTable) {
        let range = other.slotRange(template)
        other.constants.withUnsafeBytes { constants in
            for number in 0...range.count {
                append(constant: UnsafeRawBufferPointer(rebasing: constants[other.constant(number, template)]))
            }
        }
        slots.append(contentsOf: other.slots[range])
        endTemplate()
    }

    mutating func widen(slot: Int, by other: TemplateSlot) { slots[slot].formUnion(other) }

    // MARK: Bytes

    func append(_ template: Int, to sink: inout ByteSink) {
        let range = slotRange(template)
        sink.append(varint: range.count)
        for slot in slots[range] {
            sink.append(slot.kind.rawValue)
            if slot.kind == .padded { sink.append(slot.width) }
            sink.append(varint: slot.shortest)
            sink.append(varint: slot.longest - slot.shortest)
            guard slot.kind == .text else { continue }
            sink.append(word: slot.bytes.0)
            sink.append(word: slot.bytes.1)
            sink.append(slot.hasHighBytes ? 1 : 0)
        }
        for number in 0...range.count { sink.append(varint: constant(number, template).count) }
        constants.withUnsafeBytes {
            let all = constant(0, template).lowerBound..<constant(range.count, template).upperBound
            sink.append(UnsafeRawBufferPointer(rebasing: $0[all]))
        }
    }

    /// Reads one template.
    mutating func read(_ source: inout ByteSource) throws(EncodingError) {
        let slotCount = try source.count(atMost: Self.mostSlots)
        for _ in 0..<slotCount { slots.append(try Self.slot(&source)) }
        var lengths: [Int] = []
        var total = constants.count
        for _ in 0...slotCount {
            let length = try source.count(atMost: Self.mostBytes)
            lengths.append(length)
            total += length
            guard total <= Self.mostBytes else { throw .tooLarge(limit: Self.mostBytes) }
        }
        for length in lengths { append(constant: try source.take(length)) }
        endTemplate()
    }

    private static func slot(_ source: inout ByteSource) throws(EncodingError) -> TemplateSlot {
        guard let kind = TemplateSlot.Kind(rawValue: try source.byte()) else { throw .corrupt }
        let width = kind == .padded ? try source.byte() : 0
        guard kind != .padded || (1...18).contains(width) else { throw .corrupt }
        let shortest = try source.count(atMost: Int(UInt32.max))
        let longest = shortest + (try source.count(atMost: Int(UInt32.max)))
        var slot = TemplateSlot(kind, width: width, shortest: shortest, longest: longest)
        guard kind == .text else { return slot }
        slot.bytes = (try source.word(), try source.word())
        slot.hasHighBytes = try source.byte() != 0
        return slot
    }
}

extension TemplateTable {
    /// The bytes of all templates, and how many there are before them.
    package var encoded: [UInt8] {
        var sink = ByteSink(capacity: constants.count * 2)
        sink.append(varint: count)
        for template in 0..<count { append(template, to: &sink) }
        return Array(sink.bytes)
    }
}
