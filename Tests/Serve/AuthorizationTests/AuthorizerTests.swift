import Core
import Limits
import Randomness
import Testing

@testable import Authorization

@Suite struct AuthorizerTests {
    private static let salt = [UInt8](repeating: 7, count: KeyDigest.saltByteCount)
    private static let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

    private static func key(
        _ secret: String, _ scopes: Grant.Scopes, _ signals: Grant.Signals = .all, tenants: [String] = ["default"],
        expires: Timestamp? = nil
    ) throws -> APIKey {
        APIKey(
            name: "of-\(secret)", digest: KeyDigest(salt: salt, secret: secret.utf8),
            grant: Grant(scopes: scopes, signals: signals, tenants: try #require(TenantPatterns(tenants))),
            expires: expires)
    }

    private static func authorizer(_ keys: [APIKey]) -> Authorizer {
        var file = AuthFile(salt: salt)
        for key in keys { file.add(key) }
        return Authorizer(file) { now }
    }

    /// FIPS 180-4's own example, cut in two anywhere.
    @Test(arguments: 0...3) func `a digest is SHA-256 of salt and secret`(cut: Int) {
        let message = Array("abc".utf8)
        let digest = KeyDigest(salt: Array(message[..<cut]), secret: message[cut...])
        #expect(Hex.string(digest.bytes) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `a key allows what it says, and nothing else`() throws {
        let authorizer = Self.authorizer([
            try Self.key("sender", .ingest, [.traces, .logs], tenants: ["shop", "team-*"]),
            try Self.key("reader", [.query, .admin]),
        ])
        func ask(
            _ secret: String, _ scope: Grant.Scopes, _ signals: Grant.Signals, _ tenant: String?
        ) throws(Denial) -> String {
            try authorizer.authorize(
                .secret(secret), Authorizer.Access(scope, signals), tenant: tenant.flatMap { TenantID($0) }
            ).tenant.name
        }
        #expect(try ask("sender", .ingest, .traces, nil) == "shop")
        #expect(try ask("sender", .ingest, .logs, "team-blue") == "team-blue")
        #expect(throws: Denial.signal) { try ask("sender", .ingest, .metrics, "shop") }
        #expect(throws: Denial.scope) { try ask("sender", .query, .traces, "shop") }
        #expect(throws: Denial.tenant) { try ask("sender", .ingest, .traces, "default") }
        #expect(try ask("reader", .query, .metrics, nil) == "default")
        #expect(try ask("reader", .admin, .all, nil) == "default")
        #expect(throws: Denial.tenant) { try ask("reader", .query, .metrics, "shop") }
        #expect(throws: Denial.unknown) { try ask("senderx", .ingest, .traces, "shop") }
        #expect(authorizer.denied(.tenant) == 2)
        #expect(authorizer.denied(.signal) == 1 && authorizer.denied(.scope) == 1 && authorizer.denied(.unknown) == 1)
        #expect(authorizer.denied(.missing) == 0)
    }

    @Test func `nothing, and what is no key, are refused`() throws {
        let authorizer = Self.authorizer([try Self.key("a", .query)])
        #expect(throws: Denial.missing) { try authorizer.authorize(.none, .init(.query), tenant: nil) }
        #expect(throws: Denial.malformed) { try authorizer.authorize(.malformed, .init(.query), tenant: nil) }
    }

    @Test func `a key ends when it expires`() throws {
        let authorizer = Self.authorizer([
            try Self.key("now", .query, expires: Self.now),
            try Self.key("later", .query, expires: Timestamp(nanoseconds: Self.now.nanoseconds + 1)),
        ])
        #expect(throws: Denial.expired) { try authorizer.authorize(.secret("now"), .init(.query), tenant: nil) }
        #expect(try authorizer.authorize(.secret("later"), .init(.query), tenant: nil).key.name == "of-later")
    }

    @Test func `other keys count from when they are used`() throws {
        let authorizer = Self.authorizer([try Self.key("old", .query)])
        var file = AuthFile(salt: [UInt8](repeating: 9, count: 16))
        file.add(
            APIKey(
                name: "new", digest: KeyDigest(salt: file.salt, secret: "new".utf8), grant: Grant(scopes: .query)))
        authorizer.use(file)
        #expect(throws: Denial.unknown) { try authorizer.authorize(.secret("old"), .init(.query), tenant: nil) }
        #expect(try authorizer.authorize(.secret("new"), .init(.query), tenant: nil).key.name == "new")
        #expect(authorizer.keyCount == 1)
    }

    /// Against the definition: a star is any number of letters.
    @Test(arguments: 0..<200 as Range<UInt64>) func `patterns match as they read`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        func word(_ letters: String, _ most: Int) -> String {
            String((0..<random.below(most + 1)).compactMap { _ in Array(letters)[random.below(letters.count)] })
        }
        func matches(_ text: Substring, _ pattern: Substring) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == "*" {
                return text.indices.contains { matches(text[$0...], pattern.dropFirst()) }
                    || matches("", pattern.dropFirst())
            }
            return text.first == first && matches(text.dropFirst(), pattern.dropFirst())
        }
        for _ in 0..<50 {
            let (text, pattern) = (word("ab", 7), word("ab*", 6))
            guard let tenant = TenantID(text), let patterns = TenantPatterns([pattern]) else { continue }
            #expect(patterns.allows(tenant) == matches(text[...], pattern[...]), "\(pattern) \(text)")
        }
    }

    @Test func `a request that names no tenant is the first one's`() throws {
        #expect(TenantPatterns(["a-*", "b", "c"])?.ofUnnamed?.name == "b")
        #expect(TenantPatterns(["*"])?.ofUnnamed?.name == "default")
        #expect(TenantPatterns(["a-*"])?.ofUnnamed == nil)
        #expect(TenantPatterns([]) == nil)
        #expect(TenantPatterns(["a/b"]) == nil)
    }
}
