internal import Core

/// What a request proves itself with.
package enum Credential: Hashable, Sendable {
    case none
    case malformed
    case secret(String)

    /// Reads `Authorization`, as `Bearer` (RFC 6750), `Basic` (RFC 7617) with the key as the password, or alone as the user, or the
    /// bare key; or else `X-API-Key`.
    ///
    /// - Parameter values: of a header or of metadata, whose name is in lower case.
    package init(_ values: (_ name: String) -> [String]) {
        let authorization = values("authorization")
        guard authorization.isEmpty else {
            self = authorization.count == 1 ? Self.read(authorization[0]) : .malformed
            return
        }
        let keys = values("x-api-key")
        guard let key = keys.first else {
            self = .none
            return
        }
        self = keys.count == 1 ? Self.secret(of: key[...]) : .malformed
    }

    private static func read(_ value: String) -> Credential {
        guard value.utf8.count <= APIKey.longestSecret + 64 else { return .malformed }
        let text = value.drop { $0 == " " }
        guard let space = text.firstIndex(of: " ") else { return secret(of: text) }
        let rest = text[text.index(after: space)...].drop { $0 == " " }
        switch text[..<space].lowercased() {
        case "bearer": return secret(of: rest)
        case "basic":
            guard let decoded = Base64.decode(String(rest)) else { return .malformed }
            let pair = String(decoding: decoded, as: UTF8.self)
            guard let colon = pair.firstIndex(of: ":") else { return .malformed }
            let password = pair[pair.index(after: colon)...]
            return secret(of: password.isEmpty ? pair[..<colon] : password)
        default: return .malformed
        }
    }

    private static func secret(of text: Substring) -> Credential {
        let isPlausible =
            !text.isEmpty && text.utf8.count <= APIKey.longestSecret
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlausible ? .secret(String(text)) : .malformed
    }
}
