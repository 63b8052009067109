import Core
import Randomness
import Settings
import Testing

@testable import Authorization

@Suite struct AuthFileTests {
    private static let digests = (0..<4).map { String(repeating: "0\($0)", count: 32) }
    private static let salt = String(repeating: "ab", count: 16)

    private static func read(_ text: String) throws -> AuthFile {
        try AuthFile.read(Array(text.utf8), path: "keys.yaml")
    }

    @Test func `keys have what the file says`() throws {
        let file = try Self.read(
            """
            # of the shop
            salt: \(Self.salt)
            keys:
              - name: collector
                digest: \(Self.digests[0])
                scopes: [ingest]
                signals: [traces, logs]
                tenants: [shop, team-*]
                expires: 2027-01-31
              - {name: grafana, digest: "\(Self.digests[1])", scopes: query}
            """)
        #expect(file.salt == [UInt8](repeating: 0xAB, count: 16))
        let (first, second) = (file.keys[0], file.keys[1])
        #expect(first.name == "collector" && first.grant.scopes == .ingest && first.grant.signals == [.traces, .logs])
        #expect(first.grant.tenants.patterns == ["shop", "team-*"])
        #expect(first.expires == CalendarTime.parse("2027-01-31T00:00:00Z"))
        #expect(second.grant == Grant(scopes: .query) && second.expires == nil)
        #expect(second.digest.bytes == [UInt8](repeating: 1, count: 32))
    }

    @Test func `what is written is read`() throws {
        var file = AuthFile(salt: KeyDigest.makeSalt())
        #expect(try Self.read(file.text) == file)
        for (number, scopes) in [Grant.Scopes.ingest, .query, [.query, .admin]].enumerated() {
            let digest = KeyDigest(salt: file.salt, secret: "\(number)".utf8)
            let tenants = try #require(TenantPatterns(["t\(number)", "a!-_.*'()"]))
            file.add(
                APIKey(
                    name: "k.\(number)@x", digest: digest,
                    grant: Grant(scopes: scopes, signals: number == 1 ? .metrics : .all, tenants: tenants),
                    expires: number == 2 ? Timestamp(nanoseconds: 1_800_000_000_123_456_789) : nil))
        }
        #expect(try Self.read(file.text) == file)
        let text = file.text
        #expect(file.remove(named: "k.1@x") && !file.remove(named: "k.1@x"))
        #expect(try Self.read(file.text).keys.map(\.name) == ["k.0@x", "k.2@x"])
        #expect(text != file.text)
    }

    @Test(arguments: [
        ("", "there is no \"salt\""),
        ("salt: 12", "keys.yaml:1: the salt is 32 hexadecimal digits"),
        ("[]", "keys.yaml:1: the file is a mapping"),
        ("slat: 1", "did you mean \"salt\"?"),
        ("SALT\nkeys: {}", "keys.yaml:2: \"keys\" is a list"),
        ("SALT\nkeys:\n  - name: a", "keys.yaml:3: a key has no \"digest\""),
        ("SALT\nkeys:\n  - {name: a b, digest: D0, scopes: query}", "a key's name is"),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: [query, write]}", "there is no scope \"write\""),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: []}", "one scope is needed"),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: {}}", "a plain value is expected"),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: query, tenants: a/b}", "\"tenants\" are names"),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: query, expires: soon}", "\"expires\" is no time"),
        ("SALT\nkeys:\n  - {name: a, digest: D0, scopes: query, expired: 1}", "did you mean \"expires\"?"),
        (
            "SALT\nkeys:\n  - {name: a, digest: D0, scopes: query}\n  - {name: a, digest: D1, scopes: query}",
            "two keys are named \"a\""
        ),
        (
            "SALT\nkeys:\n  - {name: a, digest: D0, scopes: query}\n  - {name: b, digest: D0, scopes: query}",
            "is the same as another"
        ),
        ("SALT\nSALT", "\"salt\" is set twice; first in line 1"),
        ("SALT\nkeys: &a [*a]", "aliases are not supported"),
        ("SALT\n---\nSALT", "the file has one document"),
        ("{: [", "keys.yaml:1"),
    ])
    func `a wrong file says what is wrong, and where`(text: String, message: String) {
        let whole = text.replacing("SALT", with: "salt: \(Self.salt)").replacing("D0", with: Self.digests[0])
            .replacing("D1", with: Self.digests[1])
        do {
            _ = try Self.read(whole)
            Issue.record("it was read: \(whole)")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
        }
    }

    @Test func `deep nesting ends in an error`() {
        let text = String(repeating: "[", count: 100_000)
        #expect(throws: ConfigurationProblem.self) { try Self.read(text) }
    }

    /// Any bytes are read or refused.
    @Test(arguments: 0..<64 as Range<UInt64>) func `damaged files are refused or read`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var file = AuthFile(salt: [UInt8](repeating: 1, count: 16))
        for number in 0..<5 {
            let digest = KeyDigest(salt: file.salt, secret: "\(number)".utf8)
            file.add(APIKey(name: "k\(number)", digest: digest, grant: Grant(scopes: .query)))
        }
        for _ in 0..<50 {
            var bytes = Array(file.text.utf8)
            for _ in 0...random.below(4) {
                switch random.below(3) {
                case 0: bytes[random.below(bytes.count)] = UInt8(random.below(256))
                case 1: bytes.removeSubrange(random.below(bytes.count)...)
                default: bytes.insert(UInt8(random.below(128)), at: random.below(bytes.count + 1))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            if let read = try? AuthFile.read(bytes, path: "keys.yaml") { #expect(try Self.read(read.text) == read) }
        }
    }
}
