internal import Columns
package import Indexing

/// What a search knows of the rows that it wants, in a form that a skip index can answer.
package enum IndexProbe: Sendable {
    /// Texts that contain one of some needles: by needle, the tokens that each such text has.
    case texts(anyOf: [[TokenCondition]])
    /// Ids that are among these, by their hashes.
    case ids([UInt64])
    /// Attributes with a key that is accepted, and a value that has this text.
    case attribute(AttributeProbe)

    /// - Returns: nil if an index cannot help, since a needle has no token that is known whole.
    package static func containing(anyOf needles: [[UInt8]]) -> IndexProbe? {
        var tokenizer = Tokenizer()
        var conditions: [[TokenCondition]] = []
        for needle in needles {
            let some = needle.withUnsafeBytes { tokenizer.conditions(containing: $0) }
            guard !some.isEmpty else { return nil }
            conditions.append(some)
        }
        return .texts(anyOf: conditions)
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
