internal import Columns
internal import Core

/// The bytes of a set of texts, the state of `groupUniqArray`; docs/FORMAT.md, "States": varints of the number of texts, and of each
/// text's length before its bytes, in ascending order of the bytes.
package enum ValueSet {
    /// A set to which `count` texts are appended, in ascending order.
    static func beginning(count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        Varint.append(UInt64(count), to: &bytes)
        return bytes
    }

    static func append(_ text: Span<UInt8>, to bytes: inout [UInt8]) {
        Varint.append(UInt64(text.count), to: &bytes)
        bytes.append(copying: text)
    }

    /// - Parameter states: where they are in `bytes`.
    /// - Returns: nil if one of the states is none.
    package static func union(of states: [Range<Int>], in bytes: Span<UInt8>) -> [UInt8]? {
        var texts: [Range<Int>] = []
        for state in states {
            guard forEachRange(in: bytes, state, { texts.append($0) }) else { return nil }
        }
        texts.sort { ByteOrder.compare(bytes.extracting($0), bytes.extracting($1)) < 0 }
        var unique: [Range<Int>] = []
        for text in texts {
            if let last = unique.last, bytes.extracting(last).isEqual(to: bytes.extracting(text)) { continue }
            unique.append(text)
        }
        var set = beginning(count: unique.count)
        for text in unique { append(bytes.extracting(text), to: &set) }
        return set
    }

    /// Hands over each text.
    ///
    /// - Returns: false if the bytes are no set.
    package static func forEach(in bytes: Span<UInt8>, _ body: (Span<UInt8>) -> Void) -> Bool {
        forEachRange(in: bytes, 0..<bytes.count) { body(bytes.extracting($0)) }
    }

    /// - Parameter state: where the set is.
    private static func forEachRange(
        in bytes: Span<UInt8>, _ state: Range<Int>, _ body: (Range<Int>) -> Void
    ) -> Bool {
        var position = state.lowerBound
        let state = bytes.extracting(..<state.upperBound)
        guard let count = number(state, &position), count <= state.count - position else { return false }
        var last: Range<Int>?
        for _ in 0..<count {
            guard let length = number(state, &position), length <= state.count - position else { return false }
            let text = position..<(position + length)
            if let last, ByteOrder.compare(state.extracting(last), state.extracting(text)) >= 0 { return false }
            body(text)
            last = text
            position += length
        }
        return position == state.count
    }

    /// A length: far from the end of the integers, since it is counted on.
    private static func number(_ bytes: Span<UInt8>, _ position: inout Int) -> Int? {
        Varint.read(bytes, &position).flatMap { $0 < 1 << 32 ? Int($0) : nil }
    }
}
