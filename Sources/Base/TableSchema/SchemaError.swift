/// What is wrong with the text of Schema/, and where.
package struct SchemaError: Error, Equatable, Sendable, CustomStringConvertible {
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1, in characters.
    package let column: Int
    package let message: String
    /// The line of the file that is wrong.
    package let source: String

    /// The message behind its place, then the line with a caret under the place.
    package var description: String {
        // A tab stays a tab, so that the caret stands under its character whatever a tab's width is.
        let indent = String(source.prefix(column - 1).map { $0 == "\t" ? "\t" : " " })
        return "\(file):\(line):\(column): \(message)\n\(source)\n\(indent)^"
    }
}

/// A file of Schema/ with the name that errors give it.
struct SourceFile: Sendable {
    let name: String
    let bytes: [UInt8]

    func error(at offset: Int, _ message: String) -> SchemaError {
        let offset = min(offset, bytes.count)
        let newline = UInt8(ascii: "\n")
        let line = bytes[..<offset].count { $0 == newline } + 1
        let start = (bytes[..<offset].lastIndex(of: newline) ?? -1) + 1
        let end = bytes[offset...].firstIndex(of: newline) ?? bytes.count
        // Bounded: a line of a file that is no schema can be the whole file.
        let shown = bytes[start..<min(end, start + 400)]
        return SchemaError(
            file: name, line: line, column: String(decoding: bytes[start..<offset], as: UTF8.self).count + 1,
            message: message, source: String(decoding: shown, as: UTF8.self))
    }
}

/// What a schema may hold at most; far above any use, so that no input costs unbounded time or memory.
enum SchemaLimit {
    static let files = 256
    static let fileBytes = 1 << 20
    /// Columns of a table, expressions of a list.
    static let list = 1024
    /// Types inside types, expressions inside expressions.
    static let depth = 16
    static let nameLength = 128
}
