import Core
import Testing

@testable import Authorization

@Suite struct CredentialTests {
    private static func read(_ headers: [(String, String)]) -> Credential {
        Credential { name in headers.filter { $0.0 == name }.map(\.1) }
    }

    private static func basic(_ pair: String) -> String { "Basic " + Base64.encode(Array(pair.utf8)) }

    @Test func `a key may come in each of the ways that clients know`() {
        for header in [
            ("authorization", "Bearer k3y"), ("authorization", "bearer  k3y"), ("authorization", "k3y"),
            ("authorization", Self.basic("grafana:k3y")), ("authorization", Self.basic("k3y:")), ("x-api-key", "k3y"),
        ] {
            #expect(Self.read([header]) == .secret("k3y"), "\(header)")
        }
        #expect(Self.read([("authorization", Self.basic("u:a:b"))]) == .secret("a:b"))
        #expect(Self.read([("x-api-key", "other"), ("authorization", "Bearer k3y")]) == .secret("k3y"))
        #expect(Self.read([]) == .none)
    }

    @Test func `what is no key is malformed`() {
        let long = String(repeating: "k", count: APIKey.longestSecret + 1)
        for value in [
            "", " ", "Bearer ", "Bearer a b", "Digest k3y", "Basic %%%", Self.basic("no colon"), Self.basic(":"),
            "Bearer \u{1}", "Bearer kéy", "Bearer \(long)", long,
        ] {
            #expect(Self.read([("authorization", value)]) == .malformed, "\(value)")
        }
        #expect(Self.read([("authorization", "Bearer a"), ("authorization", "Bearer a")]) == .malformed)
        #expect(Self.read([("x-api-key", "a"), ("x-api-key", "b")]) == .malformed)
    }

    @Test func `new keys are long, differ and can be sent`() {
        let keys = (0..<100).map { _ in APIKey.makeSecret() }
        #expect(Set(keys).count == 100)
        for key in keys {
            #expect(key.utf8.count == 47 && key.hasPrefix("vrv_"))
            #expect(Self.read([("authorization", "Bearer \(key)")]) == .secret(key))
        }
    }
}
