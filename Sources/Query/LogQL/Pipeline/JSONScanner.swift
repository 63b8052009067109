import Core

/// Walks over JSON text that it holds, for those who want values as texts: the grammar and the escapes are those of `JSONCursor`.
struct JSONScanner {
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// The kind of the value that begins here, behind blanks.
    mutating func kind() throws(JSONFault) -> JSONCursor.Kind {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        return try cursor.kind()
    }

    /// Visits an object's members; `visit` must move the scanner over the value.
    mutating func object(
        _ visit: (inout JSONScanner, ArraySlice<UInt8>) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        var hasMore = try begin(UInt8(ascii: "{"))
        while hasMore {
            let key = try key()
            try visit(&self, bytes[key])
            hasMore = try next(before: UInt8(ascii: "}"))
        }
    }

    mutating func array(_ visit: (inout JSONScanner, Int) throws(JSONFault) -> Void) throws(JSONFault) {
        var hasMore = try begin(UInt8(ascii: "["))
        var index = 0
        while hasMore {
            try visit(&self, index)
            index += 1
            hasMore = try next(before: UInt8(ascii: "]"))
        }
    }

    private mutating func begin(_ open: UInt8) throws(JSONFault) -> Bool {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        return open == UInt8(ascii: "{") ? try cursor.beginObject() : try cursor.beginArray()
    }

    private mutating func key() throws(JSONFault) -> Range<Int> {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        return try cursor.key().range
    }

    private mutating func next(before close: UInt8) throws(JSONFault) -> Bool {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        return try cursor.next(before: close)
    }

    /// Moves over a value.
    mutating func skip() throws(JSONFault) {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        try cursor.skip()
    }

    /// A value as a label's: strings without quotes and escapes, everything else as it is written.
    mutating func text() throws(JSONFault) -> String {
        let bytes = bytes
        var cursor = JSONCursor(bytes.span, at: position)
        defer { position = cursor.position }
        var plain: [UInt8] = []
        try cursor.append(try cursor.text(), to: &plain)
        return String(decoding: plain, as: UTF8.self)
    }

    static func unescaped(_ raw: ArraySlice<UInt8>) throws(JSONFault) -> String {
        guard raw.contains(UInt8(ascii: "\\")) else { return String(decoding: raw, as: UTF8.self) }
        var plain: [UInt8] = []
        try JSONCursor(raw.span).append(JSONCursor.Text(range: 0..<raw.count, hasEscapes: true), to: &plain)
        return String(decoding: plain, as: UTF8.self)
    }
}
