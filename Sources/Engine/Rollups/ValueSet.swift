internal import Columns
internal import Core

/// The bytes of a set of texts, the state of `groupUniqArray`; docs/FORMAT.md, "States": varints of the number of texts, and of each
/// text's length before its bytes, in ascending order of the bytes.
package enum ValueSet {
    static func bytes(sorted texts: some Collection<UnsafeRawBufferPointer>) -> [UInt8] {
        var bytes: [UInt8] = []
        Varint.append(UInt64(texts.count), to: &bytes)
        for text in texts {
            Varint.append(UInt64(text.count), to: &bytes)
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

    /// A length: far from the end of the integers, since it is counted on.
    private static func number(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
        Varint.read(bytes, &position).flatMap { $0 < 1 << 32 ? Int($0) : nil }
    }
}
