private import CGnuTLS
private import Synchronization

/// A key that tokens are verified with: a public one, or a secret that is shared with the issuer. What it is decides how it is used, not
/// what a token says.
///
/// SAFETY: GnuTLS's key is made in `init`, released in `deinit`, and used under a lock.
@safe package final class VerifyingKey: @unchecked Sendable {
    /// Why a key cannot be taken.
    package struct Failure: Error, Hashable, Sendable {
        package let reason: String
    }

    private let key: OpaquePointer?
    private let secret: [UInt8]
    /// Those that it may be used by.
    package let algorithms: [TokenAlgorithm]
    private let using = Mutex<Void>(())

    /// Below that a key can be guessed (RFC 7518, 3.3; NIST SP 800-131A).
    private static let leastBits = 2048

    /// - Parameter pem: a public key, as `openssl pkey -pubout` writes it.
    package init(pem: String, for algorithms: [TokenAlgorithm]) throws(Failure) {
        var loaded: OpaquePointer?
        var (kind, bits, curve): (Int32, UInt32, Int32) = (0, 0, 0)
        let bytes = Array(pem.utf8)
        let code = unsafe varve_key_load(&loaded, bytes, bytes.count, &kind, &bits, &curve)
        unsafe key = loaded
        secret = []
        self.algorithms = algorithms
        guard code == 0 else { throw Failure(reason: "it is no public key in PEM") }
        for algorithm in algorithms {
            guard Self.fits(algorithm, kind, Int(bits), curve) else {
                throw Failure(reason: "it is no key of \(algorithm.rawValue)")
            }
        }
    }

    /// - Parameter secret: as long as the hash of each algorithm at least (RFC 7518, 3.2).
    package init(secret: [UInt8], for algorithms: [TokenAlgorithm]) throws(Failure) {
        unsafe key = nil
        self.secret = secret
        self.algorithms = algorithms
        for algorithm in algorithms {
            guard algorithm.family == .secret else { throw Failure(reason: "\(algorithm.rawValue) has a public key") }
            guard secret.count >= Self.hash(algorithm).length else {
                throw Failure(reason: "\(algorithm.rawValue) needs \(Self.hash(algorithm).length) bytes")
            }
        }
    }

    deinit { if let key = unsafe key { unsafe gnutls_pubkey_deinit(key) } }

    private static func fits(_ algorithm: TokenAlgorithm, _ kind: Int32, _ bits: Int, _ curve: Int32) -> Bool {
        switch algorithm {
        case .rs256, .rs384, .rs512: kind == Int32(GNUTLS_PK_RSA.rawValue) && bits >= leastBits
        case .es256: curve == Int32(GNUTLS_ECC_CURVE_SECP256R1.rawValue)
        case .es384: curve == Int32(GNUTLS_ECC_CURVE_SECP384R1.rawValue)
        case .es512: curve == Int32(GNUTLS_ECC_CURVE_SECP521R1.rawValue)
        case .hs256, .hs384, .hs512: false
        }
    }

    /// Whether these bytes were signed by whoever has the key; for a secret in a time that says nothing of how.
    package func verifies(_ signature: [UInt8], of bytes: [UInt8], by algorithm: TokenAlgorithm) -> Bool {
        guard algorithms.contains(algorithm), !signature.isEmpty else { return false }
        switch algorithm.family {
        case .secret:
            let (mac, length) = Self.hash(algorithm)
            guard signature.count == length else { return false }
            var expected = [UInt8](repeating: 0, count: length)
            let code = unsafe gnutls_hmac_fast(mac, secret, secret.count, bytes, bytes.count, &expected)
            return unsafe code == 0 && gnutls_memcmp(expected, signature, length) == 0
        case .rsa: return verifies(signature, bytes, Self.signature(algorithm), isECDSA: false)
        case .ecdsa:
            guard signature.count == Self.signatureLength(algorithm) else { return false }
            return verifies(signature, bytes, Self.signature(algorithm), isECDSA: true)
        }
    }

    private func verifies(
        _ signature: [UInt8], _ bytes: [UInt8], _ algorithm: gnutls_sign_algorithm_t, isECDSA: Bool
    ) -> Bool {
        guard let key = unsafe key else { return false }
        return using.withLock { _ in
            unsafe varve_key_verifies(
                key, algorithm, isECDSA ? 1 : 0, bytes, bytes.count, signature, signature.count) == 1
        }
    }

    private static func hash(_ algorithm: TokenAlgorithm) -> (mac: gnutls_mac_algorithm_t, length: Int) {
        switch algorithm {
        case .hs384: (GNUTLS_MAC_SHA384, 48)
        case .hs512: (GNUTLS_MAC_SHA512, 64)
        default: (GNUTLS_MAC_SHA256, 32)
        }
    }

    private static func signature(_ algorithm: TokenAlgorithm) -> gnutls_sign_algorithm_t {
        switch algorithm {
        case .rs384: GNUTLS_SIGN_RSA_SHA384
        case .rs512: GNUTLS_SIGN_RSA_SHA512
        case .es256: GNUTLS_SIGN_ECDSA_SHA256
        case .es384: GNUTLS_SIGN_ECDSA_SHA384
        case .es512: GNUTLS_SIGN_ECDSA_SHA512
        default: GNUTLS_SIGN_RSA_SHA256
        }
    }

    /// Two numbers of as many bytes as the curve's field needs (RFC 7518, 3.4).
    private static func signatureLength(_ algorithm: TokenAlgorithm) -> Int {
        switch algorithm {
        case .es384: 96
        case .es512: 132
        default: 64
        }
    }
}
