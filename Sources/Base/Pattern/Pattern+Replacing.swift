/// Templates and replacements, with the syntax that label_replace and the template functions of LogQL know:
/// `$1`, `$name`, `${name}`, `$$`; a group that does not exist or took no part is empty.
extension Pattern {
    /// The most bytes that a replacement may grow to.
    package static let replacementLimit = 64 << 20

    /// `template` with its references replaced by the groups of `match`, which `firstMatch` found in `text`.
    ///
    /// - Throws: if the result would exceed `replacementLimit`.
    package func expand(_ template: String, match: [Range<Int>?], in text: String) throws(PatternError) -> String {
        var output: [UInt8] = []
        let pieces = TemplatePiece.parse(template, groupNames: groupNames)
        try Self.append(pieces, of: Array(text.utf8), match: match, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// `text` with each match replaced by `template`.
    ///
    /// - Throws: if the result would exceed `replacementLimit`.
    package func replaceAll(in text: String, with template: String) throws(PatternError) -> String {
        try replaceAll(in: text, pieces: TemplatePiece.parse(template, groupNames: groupNames))
    }

    /// `text` with each match replaced by `literal` as it stands.
    ///
    /// - Throws: if the result would exceed `replacementLimit`.
    package func replaceAll(in text: String, literal: String) throws(PatternError) -> String {
        try replaceAll(in: text, pieces: [.text(Array(literal.utf8))])
    }

    private func replaceAll(in text: String, pieces: [TemplatePiece]) throws(PatternError) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var position = 0
        var copied = 0
        while position <= bytes.count {
            let found = bytes.withUnsafeBytes { firstMatch(in: $0, from: position) }
            guard let match = found, let whole = match[0] else { break }
            output += bytes[copied..<whole.lowerBound]
            // An empty match right behind another match is not a match of its own.
            if whole.upperBound > copied || whole.lowerBound == 0 {
                try Self.append(pieces, of: bytes, match: match, to: &output)
            }
            copied = whole.upperBound
            position = max(whole.upperBound, position + Self.width(of: bytes, at: position))
        }
        if copied < bytes.count { output += bytes[copied...] }
        return String(decoding: output, as: UTF8.self)
    }

    private static func append(
        _ pieces: [TemplatePiece], of text: [UInt8], match: [Range<Int>?], to output: inout [UInt8]
    ) throws(PatternError) {
        for piece in pieces {
            switch piece {
            case .text(let literal): output += literal
            case .group(let group):
                if group < match.count, let range = match[group] { output += text[range] }
            }
            guard output.count <= replacementLimit else {
                throw PatternError(message: "a replacement exceeds \(replacementLimit) bytes")
            }
        }
    }

    /// The length of the character at `position`, at least one.
    private static func width(of bytes: [UInt8], at position: Int) -> Int {
        var end = position + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return end - position
    }
}

/// A template's literal text, or a reference to a group.
private enum TemplatePiece {
    case text([UInt8])
    case group(Int)

    static func parse(_ template: String, groupNames: [String?]) -> [TemplatePiece] {
        let bytes = Array(template.utf8)
        let dollar = UInt8(ascii: "$")
        var pieces: [TemplatePiece] = []
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            guard bytes[position] == dollar else {
                literal.append(bytes[position])
                position += 1
                continue
            }
            if position + 1 < bytes.count, bytes[position + 1] == dollar {
                literal.append(dollar)
                position += 2
            } else if let (name, end) = reference(bytes, at: position + 1) {
                pieces.append(.text(literal))
                literal = []
                if let group = group(named: name, among: groupNames) { pieces.append(.group(group)) }
                position = end
            } else {
                literal.append(dollar)
                position += 1
            }
        }
        return pieces + [.text(literal)]
    }

    /// `name` or `{name}` behind a dollar, and where it ends; nil if it is malformed.
    private static func reference(_ bytes: [UInt8], at start: Int) -> (name: String, end: Int)? {
        let braced = start < bytes.count && bytes[start] == UInt8(ascii: "{")
        let first = braced ? start + 1 : start
        var end = first
        while end < bytes.count, isNameByte(bytes[end]) { end += 1 }
        guard end > first else { return nil }
        let name = String(decoding: bytes[first..<end], as: UTF8.self)
        guard braced else { return (name, end) }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "}") else { return nil }
        return (name, end + 1)
    }

    private static func group(named name: String, among groupNames: [String?]) -> Int? {
        if name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return Int(name).flatMap { $0 < groupNames.count ? $0 : nil }
        }
        return groupNames.firstIndex(of: name)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...0xFF: true
        default: false
        }
    }
}
