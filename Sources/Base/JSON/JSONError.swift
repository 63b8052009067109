/// Why a text is not JSON, and at which byte of it.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case invalidNumber
        case invalidEscape
        case controlCharacter
        case tooDeep(limit: Int)
        case textAfterValue
    }

    package var reason: Reason
    package var offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String {
        let what =
            switch reason {
            case .unexpectedEnd: "unexpected end of JSON input"
            case .unexpectedByte(let byte) where (0x21...0x7E).contains(byte):
                "unexpected character '\(Character(UnicodeScalar(byte)))'"
            case .unexpectedByte(let byte): "unexpected byte \(byte)"
            case .invalidNumber: "invalid number"
            case .invalidEscape: "invalid escape in string"
            case .controlCharacter: "control character in string"
            case .tooDeep(let limit): "nesting exceeds \(limit) levels"
            case .textAfterValue: "text after the JSON value"
            }
        return "\(what) at offset \(offset)"
    }
}
