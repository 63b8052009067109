package import Columns
internal import Core
private import Synchronization

/// A value that makes groups.
package enum GroupValue: Hashable, Sendable {
    /// The row does not have the attribute, or the function says nothing.
    case absent
    case text([UInt8])
    case integer(Int64)
    /// By its bits.
    case double(UInt64)
    case boolean(Bool)
    /// An id's bytes.
    case id([UInt8])
    /// A value of attributes of another type, as it is stored.
    case stored(AttributeType, [UInt8])
}

/// Distinct values and their numbers, in the order in which they came; each is kept as bytes, the first of which is its type.
struct GroupValues: Sendable, Equatable {
    /// The first byte of a value.
    enum Tag {
        static let absent: UInt8 = 0
        static let text: UInt8 = 1
        static let integer: UInt8 = 2
        static let double: UInt8 = 3
        static let boolean: UInt8 = 4
        static let id: UInt8 = 5
        /// Plus the type's number.
        static let stored: UInt8 = 16
    }

    private var bytes: [UInt8] = []
    /// One more than there are values.
    private var offsets: [Int] = [0]
    /// The value's number plus one; 0 is free. A power of two, at most half of it in use.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    private static let seed = UInt64.random(in: .min ... .max)

    var count: Int { offsets.count - 1 }
    var byteCount: Int { bytes.capacity + offsets.capacity * 8 + slots.capacity * 4 }

    /// The number of a value, which gets one if it has none.
    mutating func number(_ tag: UInt8, _ payload: UnsafeRawBufferPointer) -> UInt32 {
        if count * 2 >= slots.count { grow() }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: XXH3.hash(payload, seed: Self.seed &+ UInt64(tag))) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if isEqual(number, tag, payload) { return UInt32(number) }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(offsets.count)
        bytes.append(tag)
        bytes.append(contentsOf: payload)
        offsets.append(bytes.count)
        return UInt32(offsets.count - 2)
    }

    private func isEqual(_ number: Int, _ tag: UInt8, _ payload: UnsafeRawBufferPointer) -> Bool {
        withBytes(number) {
            $0.count == payload.count + 1 && $0[0] == tag
                && UnsafeRawBufferPointer(rebasing: $0.dropFirst()).isEqual(to: payload)
        }
    }

    private mutating func grow() {
        let mask = slots.count * 2 - 1
        var next = [UInt32](repeating: 0, count: mask + 1)
        for number in 0..<count {
            var slot = withBytes(number) { value in
                let payload = UnsafeRawBufferPointer(rebasing: value.dropFirst())
                return Int(truncatingIfNeeded: XXH3.hash(payload, seed: Self.seed &+ UInt64(value[0]))) & mask
            }
            while next[slot] != 0 { slot = (slot + 1) & mask }
            next[slot] = UInt32(number) + 1
        }
        slots = next
    }

    /// Hands over a value's bytes, its type's first.
    func withBytes<Result>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[offsets[number]..<offsets[number + 1]])) }
    }

    subscript(number: Int) -> GroupValue {
        withBytes(number) { value in
            let payload = UnsafeRawBufferPointer(rebasing: value.dropFirst())
            func word() -> UInt64 { UInt64(littleEndian: payload.loadUnaligned(as: UInt64.self)) }
            switch value[0] {
            case Tag.text: return .text(Array(payload))
            case Tag.integer: return .integer(Int64(bitPattern: word()))
            case Tag.double: return .double(word())
            case Tag.boolean: return .boolean(payload[0] != 0)
            case Tag.id: return .id(Array(payload))
            case let tag where tag >= Tag.stored:
                return AttributeType(rawValue: tag - Tag.stored).map { .stored($0, Array(payload)) } ?? .absent
            default: return .absent
            }
        }
    }

    /// Whether the bytes are a value as it is kept.
    static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let tag = bytes.first else { return false }
        switch tag {
        case Tag.absent: return bytes.count == 1
        case Tag.text: return true
        case Tag.integer, Tag.double: return bytes.count == 9
        case Tag.boolean: return bytes.count == 2 && bytes[1] <= 1
        case Tag.id: return bytes.count == 9 || bytes.count == 17
        default: return tag >= Tag.stored && AttributeType(rawValue: tag - Tag.stored) != nil
        }
    }

    static func == (left: GroupValues, right: GroupValues) -> Bool {
        left.bytes == right.bytes && left.offsets == right.offsets
    }
}

/// The numbers of a key's values in a whole query: codes of all dictionaries become one kind of number, each once.
final class KeySpace: Sendable {
    private let values = Mutex(GroupValues())
    private let uncharged = Atomic<Int>(0)

    func number(_ tag: UInt8, _ payload: UnsafeRawBufferPointer) -> UInt32 {
        values.withLock { values in
            let before = values.byteCount
            let number = values.number(tag, payload)
            if values.byteCount > before { uncharged.add(values.byteCount - before, ordering: .relaxed) }
            return number
        }
    }

    func number(_ tag: UInt8, word: UInt64) -> UInt32 {
        var word = word.littleEndian
        return withUnsafeBytes(of: &word) { number(tag, $0) }
    }

    var absent: UInt32 { number(GroupValues.Tag.absent, UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// Bytes that nobody has counted yet.
    func takeUncharged() -> Int { uncharged.exchange(0, ordering: .relaxed) }

    var count: Int { values.withLock { $0.count } }

    func take() -> GroupValues { values.withLock { $0 } }
}
