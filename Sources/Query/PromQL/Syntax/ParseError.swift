/// Why a text is no PromQL expression, and where.
package struct ParseError: Error, Hashable, Sendable {
    package let position: TextPosition
    package let message: String

    init(at offset: Int, of text: [UInt8], _ message: String) {
        position = TextPosition(offset: offset, in: text)
        self.message = message
    }

    /// As clients show it (rule P-3): `1:5: parse error: …`.
    package var description: String { "\(position.description): parse error: \(message)" }
}

/// A place in a text; lines and columns count from one, columns in bytes.
package struct TextPosition: Hashable, Sendable {
    package let line: Int
    package let column: Int

    package init(offset: Int, in text: [UInt8]) {
        let before = text.prefix(offset)
        let newline = UInt8(ascii: "\n")
        line = 1 + before.lazy.filter { $0 == newline }.count
        column = offset - (before.lastIndex(of: newline).map { $0 + 1 } ?? 0) + 1
    }

    package var description: String { "\(line):\(column)" }
}

/// A failure inside lexer or parser, before its place is turned into line and column.
struct SyntaxFailure: Error {
    let offset: Int
    let message: String

    init(at offset: Int, _ message: String) {
        self.offset = offset
        self.message = message
    }
}
