package import Core
package import Limits
internal import Observability
private import Synchronization

/// Decides who may do what, by the keys as they are now; used by all threads.
package final class Authorizer: Sendable {
    /// What a request wants to do.
    package struct Access: Hashable, Sendable {
        package var scope: Grant.Scopes
        /// Any of them is enough.
        package var signals: Grant.Signals

        package init(_ scope: Grant.Scopes, _ signals: Grant.Signals = .all) {
            self.scope = scope
            self.signals = signals
        }
    }

    /// A request that may go on, and as whose.
    package struct Admitted: Hashable, Sendable {
        package let tenant: TenantID
        package let key: LimitedKey
    }

    private struct Rules {
        let salt: [UInt8]
        let keys: [KeyDigest: APIKey]

        init(_ file: AuthFile) {
            salt = file.salt
            keys = Dictionary(file.keys.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private let rules: Mutex<Rules>
    /// Nil: tokens are not taken.
    private let tokens: TokenVerifier?
    private let now: @Sendable () -> Timestamp
    private let denied = Denial.allCases.map { _ in Counter() }

    package init(_ file: AuthFile, tokens: TokenVerifier? = nil, now: @escaping @Sendable () -> Timestamp) {
        self.tokens = tokens
        rules = Mutex(Rules(file))
        self.now = now
    }

    /// Takes other keys from now on.
    package func use(_ file: AuthFile) {
        let new = Rules(file)
        let old = rules.withLock { rules in
            defer { rules = new }
            return rules
        }
        withExtendedLifetime(old) {}
    }

    package var keyCount: Int { rules.withLock { $0.keys.count } }

    /// How many requests were refused so.
    package func denied(_ denial: Denial) -> Int { counter(denial).value }

    private func counter(_ denial: Denial) -> Counter {
        for (known, counter) in zip(Denial.allCases, denied) where known == denial { return counter }
        preconditionFailure("each has a counter")
    }

    /// In the same time whatever the secret is: it is looked for by its salted digest.
    ///
    /// - Parameter tenant: as the request names it; nil if it names none.
    package func authorize(
        _ credential: Credential, _ access: Access, tenant: TenantID?
    ) throws(Denial) -> Admitted {
        do throws(Denial) {
            return try decide(credential, access, tenant)
        } catch {
            counter(error).add()
            throw error
        }
    }

    private func decide(
        _ credential: Credential, _ access: Access, _ tenant: TenantID?
    ) throws(Denial) -> Admitted {
        let secret: String
        switch credential {
        case .none: throw .missing
        case .malformed: throw .malformed
        case .secret(let text): secret = text
        }
        let (grant, key) = try identify(secret)
        guard grant.scopes.isSuperset(of: access.scope) else { throw .scope }
        guard !grant.signals.isDisjoint(with: access.signals) else { throw .signal }
        guard let tenant = tenant ?? grant.tenants.ofUnnamed, grant.tenants.allows(tenant) else { throw .tenant }
        return Admitted(tenant: tenant, key: key)
    }

    private func identify(_ secret: String) throws(Denial) -> (Grant, LimitedKey) {
        if let tokens, WebToken.isPlausible(secret) {
            let verified = try tokens.verify(secret, at: now())
            return (verified.grant, LimitedKey(name: verified.issuer, limits: .none))
        }
        let rules = rules.withLock { $0 }
        guard let key = rules.keys[KeyDigest(salt: rules.salt, secret: secret.utf8)] else { throw .unknown }
        if let expires = key.expires, now() >= expires { throw .expired }
        return (key.grant, LimitedKey(name: key.name, limits: key.limits))
    }
}
