package import Core
package import Limits

/// A key that senders and clients prove themselves with. What is kept of it is a digest: who reads the file has no key.
package struct APIKey: Hashable, Sendable {
    /// For people: in lists, and in what is logged.
    package var name: String
    package var digest: KeyDigest
    package var grant: Grant
    /// From then on it is refused.
    package var expires: Timestamp?
    /// Its own, beside those of the tenants that it names.
    package var limits = TenantLimits.none

    package init(name: String, digest: KeyDigest, grant: Grant, expires: Timestamp? = nil) {
        self.name = name
        self.digest = digest
        self.grant = grant
        self.expires = expires
    }

    /// The longest that is looked at, in bytes.
    package static let longestSecret = 8 << 10

    /// A new secret, of 256 random bits.
    package static func makeSecret() -> String {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        // The URL's alphabet: a key is then one word in shells, headers and files.
        let text = Base64.encode(bytes).map { character -> Character in
            switch character {
            case "+": "-"
            case "/": "_"
            default: character
            }
        }
        return "vrv_" + String(text.filter { $0 != "=" })
    }

    package static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "-_.@".utf8.contains(byte)
                }
            }
    }
}
