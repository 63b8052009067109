import JSON

/// Tags as a JSON object of strings: `{"http.status_code":"500"}`.
enum TagObject {
    /// The members, in the order of the text.
    static func parse(_ text: String) throws(RequestFailure) -> [(key: String, value: String)] {
        let value: JSONValue
        do {
            value = try JSONValue.parse(Array(text.utf8), maximumDepth: 8)
        } catch {
            throw .badRequest("\(error)")
        }
        guard case .object(let members) = value else { throw .badRequest("expected an object of strings") }
        var tags: [(key: String, value: String)] = []
        for (key, value) in members {
            guard case .string(let text) = value else { throw .badRequest("the value of \"\(key)\" is not a string") }
            tags.append((key, text))
        }
        return tags
    }
}
