package import Core
private import Synchronization

/// Decides whose a token is, by the issuers as they are now; used by all threads.
///
/// A signature costs 18 to 480 microseconds, so that tokens that were found good are remembered by their digest until they expire, or
/// until the issuers change: so many at most, and when there is no room those that have expired go, or else all.
package final class TokenVerifier: Sendable {
    /// What a token allows.
    package struct Verified: Sendable {
        package let grant: Grant
        /// Of its issuer, for people.
        package let issuer: String
        fileprivate let notBefore: Timestamp
        fileprivate let expires: Timestamp
    }

    private struct State {
        var issuers: [String: TokenFile.Issuer]
        /// Grows with each change of the issuers: what was verified by others is not remembered.
        var generation = 0
        var known: [KeyDigest: Verified] = [:]
    }

    private static let mostKnown = 4096

    private let state: Mutex<State>
    private let salt = KeyDigest.makeSalt()

    package init(_ file: TokenFile) { state = Mutex(State(issuers: Self.issuers(file))) }

    private static func issuers(_ file: TokenFile) -> [String: TokenFile.Issuer] {
        Dictionary(file.issuers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Takes other issuers from now on.
    package func use(_ file: TokenFile) {
        let issuers = Self.issuers(file)
        state.withLock { state in
            state.issuers = issuers
            state.generation += 1
            state.known = [:]
        }
    }

    package var issuerCount: Int { state.withLock { $0.issuers.count } }
    package var knownCount: Int { state.withLock { $0.known.count } }

    package func verify(_ text: String, at now: Timestamp) throws(Denial) -> Verified {
        let digest = KeyDigest(salt: salt, secret: text.utf8)
        if let known = state.withLock({ $0.known[digest] }) { return try Self.check(known, at: now) }
        guard let token = WebToken(text) else { throw .token }
        let (issuer, generation) = state.withLock { ($0.issuers[token.issuer], $0.generation) }
        guard let issuer else { throw .token }
        // What costs the most comes last of what a stranger can ask for.
        guard now < token.expires.advanced(by: issuer.leeway) else { throw .expired }
        guard token.audiences.contains(where: { issuer.audiences.contains($0) }),
            let key = Self.key(of: token, issuer),
            key.verifies(token.signature, of: token.signed, by: token.algorithm)
        else { throw .token }
        let verified = try Self.check(Self.verified(token, issuer), at: now)
        remember(verified, digest, generation, now)
        return verified
    }

    private func remember(_ verified: Verified, _ digest: KeyDigest, _ generation: Int, _ now: Timestamp) {
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.known.count >= Self.mostKnown {
                state.known = state.known.filter { now < $0.value.expires }
                if state.known.count >= Self.mostKnown { state.known = [:] }
            }
            state.known[digest] = verified
        }
    }

    private static func check(_ verified: Verified, at now: Timestamp) throws(Denial) -> Verified {
        guard now < verified.expires else { throw .expired }
        guard now >= verified.notBefore else { throw .token }
        return verified
    }

    /// The one that the token names; if it names none, the only one of its algorithm.
    private static func key(of token: WebToken, _ issuer: TokenFile.Issuer) -> VerifyingKey? {
        let fitting = issuer.keys.filter { $0.key.algorithms.contains(token.algorithm) }
        guard let id = token.keyID else { return fitting.count == 1 ? fitting[0].key : nil }
        return fitting.first { $0.id == id || ($0.id == nil && issuer.keys.count == 1) }?.key
    }

    /// What the token says that it allows, as far as its issuer may say so.
    private static func verified(_ token: WebToken, _ issuer: TokenFile.Issuer) throws(Denial) -> Verified {
        guard let tenants = token.names(issuer.tenantsClaim), let words = token.names(issuer.scopesClaim) else {
            throw .token
        }
        var scopes: Grant.Scopes = []
        for word in words {
            let name = word.hasPrefix("varve:") ? word.dropFirst("varve:".count) : word[...]
            if let scope = Grant.Scopes.named(String(name)) { scopes.insert(scope) }
        }
        // Names alone: an issuer whose users choose their names gives nobody all tenants. `*` is for the file.
        let names = tenants.compactMap { TenantID($0) }.filter { tenant in
            !tenant.name.utf8.contains(UInt8(ascii: "*")) && issuer.tenants?.allows(tenant) ?? true
        }
        guard let patterns = TenantPatterns(names.map(\.name)) else { throw .tenant }
        return Verified(
            grant: Grant(scopes: scopes.intersection(issuer.scopes), tenants: patterns), issuer: issuer.name,
            notBefore: token.notBefore?.advanced(by: -issuer.leeway) ?? .min,
            expires: token.expires.advanced(by: issuer.leeway))
    }
}
