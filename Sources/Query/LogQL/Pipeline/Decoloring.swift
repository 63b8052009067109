import Core

/// Takes the colours out of terminal output: ANSI control sequences, `ESC [ … letter`.
enum Decoloring {
    static func plain(_ line: String) -> String {
        var kept: [UInt8] = []
        return remove(from: line.utf8Span.span, into: &kept) ? String(decoding: kept, as: UTF8.self) : line
    }

    /// - Parameter output: what is left of the line then.
    /// - Returns: false if the line has none; then the output is empty.
    static func remove(from line: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        output.removeAll(keepingCapacity: true)
        var position = line.index(of: 0x1B, from: 0)
        guard position < line.count else { return false }
        output.append(copying: line.extracting(0..<position))
        while position < line.count {
            if let end = sequenceEnd(line, position) {
                position = end
            } else {
                output.append(line[position])
                position += 1
            }
        }
        if output.count < line.count { return true }
        output.removeAll(keepingCapacity: true)
        return false
    }

    /// Parameters (0x30–0x3F), intermediates (0x20–0x2F), one final byte (0x40–0x7E). Source: ECMA-48 §5.4.
    private static func sequenceEnd(_ bytes: Span<UInt8>, _ start: Int) -> Int? {
        guard bytes[start] == 0x1B, start + 1 < bytes.count, bytes[start + 1] == UInt8(ascii: "[") else { return nil }
        var position = start + 2
        while position < bytes.count, (0x20...0x3F).contains(bytes[position]) { position += 1 }
        guard position < bytes.count, (0x40...0x7E).contains(bytes[position]) else { return nil }
        return position + 1
    }
}
