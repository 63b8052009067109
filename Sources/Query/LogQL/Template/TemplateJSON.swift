/// `fromJson`: JSON as values that templates can look into.
enum TemplateJSON {
    static func value(of text: String) throws(TemplateError) -> TemplateValue {
        var scanner = JSONScanner(Array(text.utf8))
        do throws(JSONFault) {
            return try value(&scanner, depth: 0)
        } catch {
            throw TemplateError("error calling fromJson: \(error.message)")
        }
    }

    private static func value(
        _ scanner: inout JSONScanner, depth: Int
    ) throws(JSONFault) -> TemplateValue {
        guard depth < JSONCursor.deepestNesting else { throw .init("nested too deeply") }
        switch try scanner.kind() {
        case .string: return .string(try scanner.text())
        case .number: return .number(Double(try scanner.text()) ?? .nan)
        case .boolean: return .bool(try scanner.text() == "true")
        case .null:
            try scanner.skip()
            return .nothing
        case .array:
            var values: [TemplateValue] = []
            try scanner.array { (scanner, _) throws(JSONFault) in
                values.append(try value(&scanner, depth: depth + 1))
            }
            return .list(values)
        case .object:
            var members: [String: TemplateValue] = [:]
            try scanner.object { (scanner, key) throws(JSONFault) in
                members[try JSONScanner.unescaped(key)] = try value(&scanner, depth: depth + 1)
            }
            return .map(members)
        }
    }
}
