/// Why a text is no query, and where.
package struct TraceQLError: Error, Hashable, Sendable {
    /// Both from 1, in characters.
    package let line: Int
    package let column: Int
    package let reason: String

    /// - Parameter offset: in bytes.
    init(_ reason: String, at offset: Int, in text: [UInt8]) {
        var (line, column) = (1, 1)
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.line = line
        self.column = column
        self.reason = reason
    }

    package var message: String { "parse error at line \(line), col \(column): \(reason)" }
}
