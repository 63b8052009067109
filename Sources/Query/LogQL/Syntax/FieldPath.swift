/// Paths into a JSON object: `request.headers["X-Id"][0]`.
extension FieldStep {
    /// - Returns: nil if `text` is no path.
    static func path(_ text: String) -> [FieldStep]? {
        let bytes = Array(text.utf8)
        var steps: [FieldStep] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "[") {
                guard let step = bracket(bytes, &position) else { return nil }
                steps.append(step)
                continue
            }
            if bytes[position] == UInt8(ascii: ".") {
                guard !steps.isEmpty else { return nil }
                position += 1
            } else if !steps.isEmpty {
                return nil
            }
            let name = bytes[position...].prefix { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "[") }
            guard !name.isEmpty, name.allSatisfy(isNamePart) else { return nil }
            steps.append(.key(String(decoding: name, as: UTF8.self)))
            position = name.endIndex
        }
        return steps.isEmpty ? nil : steps
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        Lexer.continuesName(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "@") || byte >= 0x80
    }

    /// `[3]` or `["key"]`
    private static func bracket(_ bytes: [UInt8], _ position: inout Int) -> FieldStep? {
        position += 1
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            var key: [UInt8] = []
            position += 1
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                if bytes[position] == UInt8(ascii: "\\") { position += 1 }
                guard position < bytes.count else { return nil }
                key.append(bytes[position])
                position += 1
            }
            guard position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "]") else { return nil }
            position += 2
            return .key(String(decoding: key, as: UTF8.self))
        }
        let digits = bytes[position...].prefix(while: Quantity.isDigit)
        guard let index = Int(String(decoding: digits, as: UTF8.self)), digits.endIndex < bytes.count,
            bytes[digits.endIndex] == UInt8(ascii: "]")
        else { return nil }
        position = digits.endIndex + 1
        return .index(index)
    }
}
