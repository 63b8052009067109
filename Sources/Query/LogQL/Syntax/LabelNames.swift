import QueryModel

/// Labels that LogQL itself gives a meaning.
package enum ErrorLabel {
    package static let name = "__error__"
    package static let details = "__error_details__"
    static let all: Set<String> = [name, details]
}

extension String {
    /// Whether the text is `[A-Za-z_][A-Za-z0-9_]*`.
    var isLabelName: Bool { Labels.isPlainName(self) }

    /// The text as a string literal of LogQL.
    var quoted: String { QuotedText.quote(self) }

    /// A field's name as a label: every character but `[A-Za-z0-9_]` becomes `_`, and a leading digit gets one in front.
    var sanitizedLabelName: String {
        if isLabelName { return self }
        var bytes: [UInt8] = []
        for byte in utf8 where byte & 0xC0 != 0x80 {
            bytes.append(Lexer.continuesName(byte) ? byte : UInt8(ascii: "_"))
        }
        if let first = bytes.first, Quantity.isDigit(first) { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
