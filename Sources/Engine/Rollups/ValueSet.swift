internal import Columns
internal import Core

/// The bytes of a set of texts, the state of `groupUniqArray`; docs/FORMAT.md, "States": varints of the number of texts, and of each
/// text's length before its bytes, in ascending order of the bytes.
package enum ValueSet {
    static func bytes(sorted texts: some Collection<UnsafeRawBufferPointer>) -> [UInt8] {
        var bytes: [UInt8] = []
        append(texts.count, to: &bytes)
        for text in texts {
            append(text.count, to: &bytes)
            bytes.append(contentsOf: text)
        }
        return bytes
    }

    /// - Returns: nil if one of the states is none.
    package static func union(of states: [UnsafeRawBufferPointer]) -> [UInt8]? {
        var texts: [UnsafeRawBufferPointer] = []
        for state in states {
            guard forEach(in: state, { texts.append($0) }) else { return nil }
        }
        texts.sort { ByteOrder.compare($0, $1) < 0 }
        var unique: [UnsafeRawBufferPointer] = []
        for text in texts where unique.last.map({ ByteOrder.compare($0, text) != 0 }) ?? true { unique.append(text) }
        return bytes(sorted: unique)
    }

    /// Hands over each text.
    ///
    /// - Returns: false if the bytes are no set.
    package static func forEach(in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        var position = 0
        guard let count = number(bytes, &position), count <= bytes.count else { return false }
        var last: UnsafeRawBufferPointer?
        for _ in 0..<count {
            guard let length = number(bytes, &position), length <= bytes.count - position else { return false }
            let text = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + length)])
            if let last, ByteOrder.compare(last, text) >= 0 { return false }
            body(text)
            last = text
            position += length
        }
        return position == bytes.count
    }

    private static func append(_ value: Int, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Below 2^35.
    private static func number(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
