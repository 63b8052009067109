private import CGnuTLS

/// SHA-256 (FIPS 180-4) of a salt and a secret.
///
/// Keys are random and long, so that one pass is enough: there is nothing to guess. The salt keeps digests of the same key in two files
/// apart, and what a client sends from saying anything of where in a table its digest is looked for.
package struct KeyDigest: Hashable, Sendable {
    private static let byteCount = 32
    package static let saltByteCount = 16

    package let bytes: [UInt8]

    /// - Returns: nil if these are not as many bytes as a digest has.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    package init(salt: [UInt8], secret: some Sequence<UInt8>) {
        let message = salt + secret
        var digest = [UInt8](repeating: 0, count: Self.byteCount)
        let code = unsafe gnutls_hash_fast(GNUTLS_DIG_SHA256, message, message.count, &digest)
        precondition(code == 0, "SHA-256 is in every build of GnuTLS")
        bytes = digest
    }

    package static func makeSalt() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<saltByteCount).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }
}
