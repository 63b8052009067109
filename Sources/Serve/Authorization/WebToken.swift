package import Core
internal import JSON

/// A JSON Web Token (RFC 7519) as it was sent: what it says of itself, of which nothing is true until its signature is verified.
package struct WebToken: Sendable {
    package let algorithm: TokenAlgorithm
    /// Which key of the issuer's signed it; nil if it does not say.
    package let keyID: String?
    package let issuer: String
    package let audiences: [String]
    package let expires: Timestamp
    package let notBefore: Timestamp?
    package let signature: [UInt8]
    /// What is signed: the header and the claims, as they were sent.
    package let signed: [UInt8]
    private let claims: [(key: String, value: JSONValue)]

    /// No claim lists more.
    private static let mostNames = 256
    private static let deepest = 8

    /// Whether a secret is rather a token than a key: three parts, of which the first begins as every JSON object does in Base64.
    package static func isPlausible(_ text: String) -> Bool {
        text.hasPrefix("eyJ") && text.utf8.count { $0 == UInt8(ascii: ".") } == 2
    }

    /// - Parameter text: of at most `APIKey.longestSecret` bytes.
    /// - Returns: nil if it is none that could be verified: other algorithms, header parameters that must be understood, no issuer, no
    ///   end, anything that is said twice.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
        guard text.utf8.count <= APIKey.longestSecret, parts.count == 3,
            let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Self.decode(parts[2]), !signature.isEmpty
        else { return nil }
        guard case .string(let name)? = Self.member("alg", of: header),
            let algorithm = TokenAlgorithm(rawValue: name), Self.member("crit", of: header) == nil,
            Self.member("enc", of: header) == nil
        else { return nil }
        switch Self.member("kid", of: header) {
        case nil: keyID = nil
        case .string(let id): keyID = id
        default: return nil
        }
        guard case .string(let issuer)? = Self.member("iss", of: claims),
            let expires = Self.member("exp", of: claims).flatMap(Self.time)
        else { return nil }
        let notBefore = Self.member("nbf", of: claims)
        self.notBefore = notBefore.flatMap(Self.time)
        guard notBefore == nil || self.notBefore != nil else { return nil }
        guard let audiences = Self.names(Self.member("aud", of: claims), separator: nil) else { return nil }
        self.algorithm = algorithm
        self.issuer = issuer
        self.audiences = audiences
        self.expires = expires
        self.signature = signature
        self.claims = claims
        signed = Array(text.utf8.dropLast(parts[2].utf8.count + 1))
    }

    /// The strings of a claim: a list of them, or one, in which they are separated; none if there is no such claim.
    ///
    /// - Returns: nil if it is neither.
    package func names(_ claim: String) -> [String]? {
        Self.names(Self.member(claim, of: claims), separator: " ")
    }

    private static func names(_ value: JSONValue?, separator: Character?) -> [String]? {
        switch value {
        case nil: return []
        case .string(let text):
            guard let separator else { return [text] }
            let names = text.split(separator: separator).map { String($0) }
            return names.count <= mostNames ? names : nil
        case .array(let elements):
            guard elements.count <= mostNames else { return nil }
            var names: [String] = []
            for element in elements {
                guard case .string(let name) = element else { return nil }
                names.append(name)
            }
            return names
        default: return nil
        }
    }

    // MARK: Reading

    /// Of the URL's alphabet alone, without padding (RFC 7515, 2).
    private static func decode(_ part: Substring) -> [UInt8]? {
        let isPlain = part.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
        return isPlain ? Base64.decode(String(part)) : nil
    }

    /// An object no member of which is there twice: which of the two is meant would be everybody's own choice.
    private static func object(_ part: Substring) -> [(key: String, value: JSONValue)]? {
        guard let bytes = decode(part), String(validating: bytes, as: UTF8.self) != nil,
            case .object(let members)? = try? JSONValue.parse(bytes, maximumDepth: deepest),
            Set(members.map(\.key)).count == members.count
        else { return nil }
        return members
    }

    private static func member(_ name: String, of members: [(key: String, value: JSONValue)]) -> JSONValue? {
        members.first { $0.key == name }?.value
    }

    /// Seconds since the epoch, with or without a fraction.
    private static func time(_ value: JSONValue) -> Timestamp? {
        switch value {
        case .int(let seconds):
            let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            return Timestamp(nanoseconds: overflow ? (seconds < 0 ? .min : .max) : nanoseconds)
        case .double(let seconds):
            guard seconds.isFinite, let whole = Int64(exactly: seconds.rounded(.down)) else { return nil }
            return time(.int(whole))
        default: return nil
        }
    }
}
