import Core

/// Finds bytes in bytes.
enum ByteSearch {
    static func has(_ needle: Span<UInt8>, in text: Span<UInt8>, at offset: Int) -> Bool {
        guard offset >= 0, text.count - offset >= needle.count else { return false }
        for index in needle.indices where text[offset + index] != needle[index] { return false }
        return true
    }

    static func first(_ needle: Span<UInt8>, in text: Span<UInt8>, from start: Int = 0) -> Int? {
        text.index(of: needle, from: start)
    }

    static func contains(_ needle: String, in text: String) -> Bool {
        first(needle.utf8Span.span, in: text.utf8Span.span) != nil
    }
}
