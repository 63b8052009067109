internal import Core

/// Texts as bytes, compared as `String` compares them: equal if they are canonically equivalent.
package enum ByteText {
    package static func isEqual(_ bytes: Span<UInt8>, _ text: String) -> Bool {
        let wanted = text.utf8Span
        if bytes.isEqual(to: wanted.span) { return true }
        // Of two texts in ASCII, other bytes are another text.
        if bytes.isASCII, wanted.span.isASCII { return false }
        return String(repairing: bytes) == text
    }
}
