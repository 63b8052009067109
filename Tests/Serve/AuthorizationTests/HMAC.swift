@testable import Authorization

/// HMAC (RFC 2104) over the digest of keys, so that tests sign by other code than what verifies.
enum HMAC {
    static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? KeyDigest(salt: [], secret: key).bytes : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        let inner = KeyDigest(salt: block.map { $0 ^ 0x36 }, secret: message).bytes
        return KeyDigest(salt: block.map { $0 ^ 0x5C }, secret: inner).bytes
    }
}
