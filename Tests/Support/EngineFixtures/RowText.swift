package import TableSchema

/// Rows as text, a JSON object for each, so that golden files can be read and compared line by line.
package enum RowText {
    /// The row's cells by the names of their columns, in the table's order.
    package static func line(_ row: [Cell], _ table: TableDefinition) -> String {
        let fields = zip(table.columns, row).map { "\"\($0.name)\":\(text($1))" }
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func text(_ cell: Cell) -> String {
        switch cell {
        case .integer(let value): "\(value)"
        case .bits(let bits): quoted("0x" + String(bits, radix: 16))
        case .bytes(let bytes): text(bytes)
        case .list(let cells): "[" + cells.map(text).joined(separator: ",") + "]"
        case .attributes(let set):
            "[" + set.entries.map { "[\(text($0.key)),\($0.type),\(text($0.value))]" }.joined(separator: ",") + "]"
        case .rows(let rows):
            "[" + rows.map { "[" + $0.map(text).joined(separator: ",") + "]" }.joined(separator: ",") + "]"
        }
    }

    /// Plain letters and digits as they are, everything else as hexadecimal digits behind a `#`.
    private static func text(_ bytes: [UInt8]) -> String {
        let isPlain = bytes.allSatisfy {
            (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
                && $0 != UInt8(ascii: "#")
        }
        if isPlain { return quoted(String(decoding: bytes, as: UTF8.self)) }
        return quoted(
            "#" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }

    private static func quoted(_ text: String) -> String { "\"\(text)\"" }
}
