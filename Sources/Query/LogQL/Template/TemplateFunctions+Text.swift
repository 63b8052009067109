import Core
import Pattern

/// Functions on texts. Those in capitals take the text first; those of the second family take it last, ready for pipes.
extension TemplateFunctions {
    static let texts: [String: Entry] = {
        var all: [String: Entry] = [
            "ToLower": lower, "lower": lower, "ToUpper": upper, "upper": upper,
            "title": Entry(1) { (a) throws(TemplateError) in .string(title(a.text(0))) },
            "Replace": Entry(4) { (a) throws(TemplateError) in
                .string(try replace(a.text(1), by: a.text(2), in: a.text(0), atMost: try a.integer(3)))
            },
            "replace": Entry(3) { (a) throws(TemplateError) in
                .string(try replace(a.text(0), by: a.text(1), in: a.text(2), atMost: -1))
            },
            "TrimSpace": trim, "trim": trim,
            "repeat": Entry(2) { (a) throws(TemplateError) in .string(try repeated(a.text(1), try a.size(0))) },
            "trunc": Entry(2) { (a) throws(TemplateError) in .string(truncated(a.text(1), try a.integer(0))) },
            "substr": Entry(3) { (a) throws(TemplateError) in
                .string(substring(a.text(2), from: try a.integer(0), to: try a.integer(1)))
            },
            "contains": Entry(2) { (a) throws(TemplateError) in .bool(ByteSearch.contains(a.text(0), in: a.text(1))) },
            "hasPrefix": Entry(2) { (a) throws(TemplateError) in .bool(a.text(1).hasPrefix(a.text(0))) },
            "hasSuffix": Entry(2) { (a) throws(TemplateError) in .bool(a.text(1).hasSuffix(a.text(0))) },
            "indent": Entry(2) { (a) throws(TemplateError) in .string(try indented(a.text(1), try a.size(0))) },
            "nindent": Entry(2) { (a) throws(TemplateError) in .string("\n" + (try indented(a.text(1), try a.size(0))))
            },
            "alignLeft": Entry(2) { (a) throws(TemplateError) in
                .string(aligned(a.text(1), try a.size(0), toLeft: true))
            },
            "alignRight": Entry(2) { (a) throws(TemplateError) in
                .string(aligned(a.text(1), try a.size(0), toLeft: false))
            },
        ]
        all.merge(trims) { first, _ in first }
        all.merge(patterns) { first, _ in first }
        all.merge(encodings) { first, _ in first }
        return all
    }()

    private static let lower = Entry(1) { (a) throws(TemplateError) in .string(a.text(0).lowercased()) }
    private static let upper = Entry(1) { (a) throws(TemplateError) in .string(a.text(0).uppercased()) }
    private static let trim = Entry(1) { (a) throws(TemplateError) in
        .string(trimmed(a.text(0), left: true, right: true, where: \.properties.isWhitespace))
    }

    private static let trims: [String: Entry] = [
        "Trim": Entry(2) { (a) throws(TemplateError) in
            .string(trimmed(a.text(0), of: a.text(1), left: true, right: true))
        },
        "TrimLeft": Entry(2) { (a) throws(TemplateError) in
            .string(trimmed(a.text(0), of: a.text(1), left: true, right: false))
        },
        "TrimRight": Entry(2) { (a) throws(TemplateError) in
            .string(trimmed(a.text(0), of: a.text(1), left: false, right: true))
        },
        "trimAll": Entry(2) { (a) throws(TemplateError) in
            .string(trimmed(a.text(1), of: a.text(0), left: true, right: true))
        },
        "TrimPrefix": Entry(2) { (a) throws(TemplateError) in .string(without(prefix: a.text(1), a.text(0))) },
        "trimPrefix": Entry(2) { (a) throws(TemplateError) in .string(without(prefix: a.text(0), a.text(1))) },
        "TrimSuffix": Entry(2) { (a) throws(TemplateError) in .string(without(suffix: a.text(1), a.text(0))) },
        "trimSuffix": Entry(2) { (a) throws(TemplateError) in .string(without(suffix: a.text(0), a.text(1))) },
    ]

    private static let patterns: [String: Entry] = [
        "regexReplaceAll": Entry(3) { (a) throws(TemplateError) in
            do { return .string(try a.pattern(0).replaceAll(in: a.text(1), with: a.text(2))) } catch {
                throw TemplateError("error calling regexReplaceAll: \(error)")
            }
        },
        "regexReplaceAllLiteral": Entry(3) { (a) throws(TemplateError) in
            do { return .string(try a.pattern(0).replaceAll(in: a.text(1), literal: a.text(2))) } catch {
                throw TemplateError("error calling regexReplaceAllLiteral: \(error)")
            }
        },
        "count": Entry(2) { (a) throws(TemplateError) in
            .integer(Int64(occurrences(of: try a.pattern(0), in: a.text(1))))
        },
    ]

    private static let encodings: [String: Entry] = [
        "urlencode": Entry(1) { (a) throws(TemplateError) in .string(percentEncoded(a.text(0))) },
        "urldecode": Entry(1) { (a) throws(TemplateError) in .string(try percentDecoded(a.text(0))) },
        "b64enc": Entry(1) { (a) throws(TemplateError) in .string(Base64.encode(a.text(0).utf8)) },
        "b64dec": Entry(1) { (a) throws(TemplateError) in
            guard let bytes = Base64.decode(a.text(0)) else { throw TemplateError("illegal base64 data") }
            return .string(String(decoding: bytes, as: UTF8.self))
        },
    ]

    // MARK: Replacing and cutting

    private static func replace(
        _ old: String, by new: String, in text: String, atMost limit: Int64
    ) throws(TemplateError) -> String {
        let bytes = Array(text.utf8)
        guard !old.isEmpty else { return text }
        var output: [UInt8] = []
        var position = 0
        var left = limit
        while left != 0, let found = ByteSearch.first(old.utf8Span.span, in: bytes.span, from: position) {
            output += bytes[position..<found] + new.utf8
            position = found + old.utf8.count
            left -= 1
            guard output.count <= LineTemplate.longestOutput else { throw TemplateError("line is too long") }
        }
        return String(decoding: output + bytes[position...], as: UTF8.self)
    }

    private static func repeated(_ text: String, _ count: Int) throws(TemplateError) -> String {
        guard text.utf8.count * count <= LineTemplate.longestOutput else { throw TemplateError("line is too long") }
        return String(repeating: text, count: count)
    }

    /// The first `count` characters, or, if it is negative, the last.
    private static func truncated(_ text: String, _ count: Int64) -> String {
        let scalars = text.unicodeScalars
        guard count.magnitude < UInt64(scalars.count) else { return text }
        return String(count < 0 ? scalars.suffix(Int(-count)) : scalars.prefix(Int(count)))
    }

    private static func substring(_ text: String, from start: Int64, to end: Int64) -> String {
        let scalars = Array(text.unicodeScalars)
        let first = Int(min(max(start, 0), Int64(scalars.count)))
        let last = end < 0 ? scalars.count : Int(min(end, Int64(scalars.count)))
        return first < last ? String(String.UnicodeScalarView(scalars[first..<last])) : ""
    }

    private static func trimmed(_ text: String, of cut: String, left: Bool, right: Bool) -> String {
        let cut = Set(cut.unicodeScalars)
        return trimmed(text, left: left, right: right, where: cut.contains)
    }

    private static func trimmed(
        _ text: String, left: Bool, right: Bool, where isCut: (Unicode.Scalar) -> Bool
    ) -> String {
        var scalars = text.unicodeScalars[...]
        if left { scalars = scalars.drop(while: isCut) }
        if right { while let last = scalars.last, isCut(last) { scalars.removeLast() } }
        return String(scalars)
    }

    private static func without(prefix: String, _ text: String) -> String {
        text.utf8.starts(with: prefix.utf8)
            ? String(decoding: Array(text.utf8.dropFirst(prefix.utf8.count)), as: UTF8.self) : text
    }

    private static func without(suffix: String, _ text: String) -> String {
        let bytes = Array(text.utf8)
        let start = bytes.count - suffix.utf8.count
        guard ByteSearch.has(suffix.utf8Span.span, in: bytes.span, at: start) else { return text }
        return String(decoding: bytes[..<start], as: UTF8.self)
    }

    // MARK: Layout

    private static func title(_ text: String) -> String {
        var startsWord = true
        var output = ""
        for character in text {
            output += startsWord ? character.uppercased() : String(character)
            startsWord = character.isWhitespace
        }
        return output
    }

    private static func indented(_ text: String, _ count: Int) throws(TemplateError) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count * count + text.utf8.count <= LineTemplate.longestOutput else {
            throw TemplateError("line is too long")
        }
        let blanks = String(repeating: " ", count: count)
        return lines.map { blanks + $0 }.joined(separator: "\n")
    }

    /// Cut or filled with blanks to `width` characters; the right-aligned form keeps the end of the text.
    private static func aligned(_ text: String, _ width: Int, toLeft: Bool) -> String {
        let scalars = text.unicodeScalars
        let missing = width - scalars.count
        if missing <= 0 { return String(toLeft ? scalars.prefix(width) : scalars.suffix(width)) }
        let blanks = String(repeating: " ", count: missing)
        return toLeft ? text + blanks : blanks + text
    }

    private static func occurrences(of pattern: Pattern, in text: String) -> Int {
        var count = 0
        var rest = Array(text.utf8)
        while let match = pattern.firstMatch(in: String(decoding: rest, as: UTF8.self))?.first, let whole = match {
            count += 1
            let next = whole.isEmpty ? whole.upperBound + 1 : whole.upperBound
            guard next <= rest.count, next > 0 else { break }
            rest.removeFirst(min(next, rest.count))
            if rest.isEmpty { break }
        }
        return count
    }

    // MARK: Encodings

    private static func percentEncoded(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "~"): output.append(byte)
            case _ where Lexer.continuesName(byte): output.append(byte)
            case 0x20: output.append(UInt8(ascii: "+"))
            default: output += [UInt8(ascii: "%"), upperDigit(byte >> 4), upperDigit(byte & 15)]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func upperDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }

    private static func percentDecoded(_ text: String) throws(TemplateError) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "+") {
                output.append(0x20)
            } else if byte == UInt8(ascii: "%") {
                guard position + 1 < bytes.count, let high = Hex.value(bytes[position]),
                    let low = Hex.value(bytes[position + 1])
                else { throw TemplateError("invalid URL escape") }
                output.append(high << 4 | low)
                position += 2
            } else {
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
