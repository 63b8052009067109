internal import Columns
internal import Encoding
internal import Indexing

/// What a search knows of the rows that it wants, in a form that a skip index can answer.
package enum IndexProbe: Sendable {
    /// Texts that contain one of some needles.
    case texts(TextProbe)
    /// Ids that are among these, by their hashes.
    case ids([UInt64])
    /// Attributes with a key that is accepted, and a value that has this text.
    case attribute(AttributeProbe)

    /// - Returns: nil if no index can help, since every text contains one of the needles.
    package static func containing(anyOf needles: [[UInt8]]) -> IndexProbe? {
        needles.contains { $0.isEmpty } ? nil : .texts(TextProbe(anyOf: needles))
    }
}

/// Texts that a search wants: those that contain one of some needles.
package struct TextProbe: Sendable {
    /// By needle, the tokens that each such text has; nil if a needle has no token that is known whole.
    let tokens: [[TokenCondition]]?
    let matchers: [TextMatcher]

    init(anyOf needles: [[UInt8]]) {
        var tokenizer = Tokenizer()
        let conditions = needles.map { needle in
            needle.withUnsafeBytes { tokenizer.conditions(containing: $0) }
        }
        tokens = conditions.contains { $0.isEmpty } ? nil : conditions
        matchers = needles.map { TextMatcher($0) }
    }
}

/// An attribute that a search wants.
package struct AttributeProbe: Sendable {
    package enum Match: Sendable {
        case none
        /// The attribute is meant, if it has the text.
        case whole
        /// A member may be meant, if it is a map.
        case members
    }

    package let text: String
    package let match: @Sendable ([UInt8]) -> Match

    package init(text: String, match: @escaping @Sendable ([UInt8]) -> Match) {
        self.text = text
        self.match = match
    }

    package init(key: [UInt8], text: String) {
        self.init(text: text) { $0 == key ? .whole : .none }
    }

    /// The tokens of which a row has one if it has the attribute in this subcolumn.
    func tokens(_ subcolumn: SubcolumnEntry) -> [UInt64] {
        if subcolumn.type == .overflow { return [ValueTokens.overflow] }
        let tokens = SubcolumnTokens(subcolumn)
        let odd = ValueTokens.odd(tokens.key)
        switch (match(subcolumn.key), subcolumn.type) {
        case (.none, _): return []
        case (.members, .map): return [odd]
        case (.members, _): return []
        case (.whole, .string):
            // An equal text may have other bytes: then it is not ASCII, and odd.
            guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return [odd] }
            var text = text
            return [text.withUTF8 { tokens.token(UnsafeRawBufferPointer($0)) }, odd]
        case (.whole, .int):
            guard let value = Int64(text), String(value) == text else { return [] }
            return [tokens.token(value)]
        case (.whole, .bool):
            return text == "true" ? [tokens.token(1)] : text == "false" ? [tokens.token(0)] : []
        case (.whole, _): return [odd]
        }
    }
}
