/// Takes the colours out of terminal output: ANSI control sequences, `ESC [ … letter`.
enum Decoloring {
    static func plain(_ line: String) -> String {
        let bytes = Array(line.utf8)
        guard bytes.contains(0x1B) else { return line }
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            if let end = sequenceEnd(bytes, position) {
                position = end
            } else {
                kept.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: kept, as: UTF8.self)
    }

    /// Parameters (0x30–0x3F), intermediates (0x20–0x2F), one final byte (0x40–0x7E). Source: ECMA-48 §5.4.
    private static func sequenceEnd(_ bytes: [UInt8], _ start: Int) -> Int? {
        guard bytes[start] == 0x1B, start + 1 < bytes.count, bytes[start + 1] == UInt8(ascii: "[") else { return nil }
        let rest = bytes[(start + 2)...].drop { (0x20...0x3F).contains($0) }
        guard let final = rest.first, (0x40...0x7E).contains(final) else { return nil }
        return rest.startIndex + 1
    }
}
