import Core
import Randomness
import Settings
import Testing

@testable import Authorization

/// Tokens beside OpenSSL, which made and signed those of the public keys here, and RFC 7515's own example.
@Suite struct TokenTests {
    private static let rsa = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAulI2zzYQKWYyQVSIz9TI
        1UhLdLGGNmT87Ih6CVjY8kUXpDzaJ4cVpcLVIwiB31CGnNgeMk+95SOR8idxz0EW
        LrruqOWWzUHobKi/Xd2n/JYchG0hGdtWWXufr/56x6C5GGOc/i/ZF4Rb7HRYNWEP
        VpUJeFQbOTh1P+NoSZmNqObfgoSJvrrCNdtqbW65BjJ+JfE57TcptVHW0Ivv2tJg
        I79K46xglBNr1O40vVlYJ/UJpjlrzCIAHaUjy9FHqygJDbafdySXliuI/HB5g6n5
        GxrtwBdebaxg8nZSEqJ9VFeJvfbg5MikWL0PEwncvSy+ztFFqRQcPdRnJvj1ctFw
        4wIDAQAB
        -----END PUBLIC KEY-----
        """
    private static let p256 = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwmA69m5f3phSs5dlDQ/Ac1wyJ4K4
        tbSEVHQRkCIt7oSFsbngukZeUXyTA/2wc3xdW8aQGGPQzSM2PVMwZ0a3Sg==
        -----END PUBLIC KEY-----
        """
    private static let p521 = """
        -----BEGIN PUBLIC KEY-----
        MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAFfL10qcIQ3ucu/fUG5lmtx/G+wqX
        9N4Shn+bWugyaDugGxbCTM0HQ/PbkNK6K5KqdYKRvh+7MWTOs+d4dDdGHNwB05ih
        jhWkOezndNeko6HASAU+JvyC3/9R+4jVudHsdNHfYTmqFT+J2FCEJ7qCecjXOidF
        qpCaY894mYGK0ypA0+k=
        -----END PUBLIC KEY-----
        """
    private static let small = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDAmDwJGITmpIls8VtWrSJi4QoI
        rAcs1wDpacq8nbDWQQfuFX6GQ4YaCt8KvfrtSgpgOeOnk9VBVJZO2XCWcbr/MiEU
        NX+iT2BxyNxzNYXUrOnEcWCu5mo+o47q+XrWTvaiiD2GEmoAfjrAFe662TI7CGao
        t32sBryAo5SAoH/K1wIDAQAB
        -----END PUBLIC KEY-----
        """
    /// By RS256, ES256 and ES512, each of the same claims: for two tenants, from 2023-11-14 to 2030-03-17.
    private static let tokens = [
        """
        eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInIifQ.eyJpc3MiOiAiaHR0cHM6Ly9sb2dpbi5leGFtcGxlLmNvbSIsICJhdWQiOiBbI\
        m90aGVyIiwgInZhcnZlIl0sICJleHAiOiAxOTAwMDAwMDAwLCAibmJmIjogMTcwMDAwMDAwMCwgInRlbmFudHMiOiBbInNob3AiL\
        CAibGFiIl0sICJzY29wZSI6ICJvcGVuaWQgaW5nZXN0IHZhcnZlOnF1ZXJ5IGFkbWluIn0.NX1o10SImKAawNF_dFAh7Myv9GtO2\
        L5uRK4rdPvbzGUs1SuZlnpVzk5CFl9dOim0zCFQkyG0ZbWv6G-HNZjVfoHvhNivQ5aaH5elyx22pqpRZ-lDnRNAOMRRwRPQuyY6m\
        qetIBX2HCHai_shqofXIo8-dGIxemxAs72GIe-XtSZHAX8ajx7wWAl-nHHUf7ZCmh-8-gzGB1ceyrFJVtNRKt_HtRqXa5ex6BGyz\
        8WG0_lum1ChTGd7xCrM8x3QXTGUOMrlmlI5p_7mTGh_6VL5C8KpskVjSJbSxJPZkNOzhNZD7ebyNMvXM4dREl27CtACu-QYH5njV\
        ZyUmMkk1GeGAQ
        """,
        """
        eyJhbGciOiAiRVMyNTYiLCAia2lkIjogImUifQ.eyJpc3MiOiAiaHR0cHM6Ly9sb2dpbi5leGFtcGxlLmNvbSIsICJhdWQiOiBbI\
        m90aGVyIiwgInZhcnZlIl0sICJleHAiOiAxOTAwMDAwMDAwLCAibmJmIjogMTcwMDAwMDAwMCwgInRlbmFudHMiOiBbInNob3AiL\
        CAibGFiIl0sICJzY29wZSI6ICJvcGVuaWQgaW5nZXN0IHZhcnZlOnF1ZXJ5IGFkbWluIn0.IIamZoy0bWf0Li-yIrG_MyBFMQfbM\
        oO6oldGt-R4xCacaU7E10c-1WWUVey8lU31XaHNguoPOeHddtIIWcT25w
        """,
        """
        eyJhbGciOiAiRVM1MTIiLCAia2lkIjogImYifQ.eyJpc3MiOiAiaHR0cHM6Ly9sb2dpbi5leGFtcGxlLmNvbSIsICJhdWQiOiBbI\
        m90aGVyIiwgInZhcnZlIl0sICJleHAiOiAxOTAwMDAwMDAwLCAibmJmIjogMTcwMDAwMDAwMCwgInRlbmFudHMiOiBbInNob3AiL\
        CAibGFiIl0sICJzY29wZSI6ICJvcGVuaWQgaW5nZXN0IHZhcnZlOnF1ZXJ5IGFkbWluIn0.AUfqHas79tynv3lj6fMdHt_-ZOAr-\
        i_O_D1bu94jfWOf-YpT3jm_xUgNKvzdij-S5ZPPhOVnaDOnKG29EGdZLTqOAUW2pGzV9NQIXiGC3H6sBCDAfVgqPmLe0cNh1Yq97\
        biBuyLhpO0GqvxtVBgxcEUUT_QtDOiO5m28Nwa8qslqBV6l
        """,
    ]
    private static let secret = [UInt8](0..<64)
    private static let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

    private static func indented(_ pem: String) -> String {
        pem.split(separator: "\n").map { "          \($0)\n" }.joined()
    }

    private static func file(_ more: String = "") -> String {
        """
        issuers:
          - issuer: https://login.example.com
            audience: [varve, x]
        \(more)
            keys:
              - id: r
                algorithms: [RS256, RS512]
                public-key: |
        \(indented(rsa))
              - id: e
                algorithms: ES256
                public-key: |
        \(indented(p256))
              - {id: h, algorithms: [HS256, HS512], secret: "\(Base64.encode(secret))"}
              - id: f
                algorithms: [ES512]
                public-key: |
        \(indented(p521))
        """
    }

    private static func read(_ text: String) throws -> TokenFile {
        try TokenFile.read(Array(text.utf8), path: "jwt.yaml")
    }

    private static func text(_ json: String) -> String {
        String(Base64.encode(Array(json.utf8)).filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    /// A token that is signed with the secret, or as `signature` says.
    private static func token(
        header: String = #"{"alg":"HS256","kid":"h"}"#,
        claims: String =
            #"{"iss":"https://login.example.com","aud":"varve","exp":1900000000,"tenants":"shop","scope":"query"}"#,
        signature: ((String) -> [UInt8])? = nil
    ) -> String {
        let signed = "\(text(header)).\(text(claims))"
        let bytes = signature?(signed) ?? HMAC.sha256(key: secret, Array(signed.utf8))
        return signed + "."
            + String(Base64.encode(bytes).filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    private func verify(_ text: String, _ file: String = Self.file(), at now: Timestamp = Self.now) throws -> Grant {
        try TokenVerifier(Self.read(file)).verify(text, at: now).grant
    }

    @Test(arguments: 0..<3) func `tokens that OpenSSL signed are taken, for what they say`(number: Int) throws {
        let grant = try verify(Self.tokens[number])
        // `admin` is not for tokens unless their issuer may say so, `openid` is nothing of this server's.
        #expect(grant.scopes == [.ingest, .query] && grant.tenants.patterns == ["shop", "lab"])
        let all = try verify(Self.tokens[number], Self.file("    scopes: [ingest, query, admin]\n    tenants: l*"))
        #expect(all.scopes == [.ingest, .query, .admin] && all.tenants.patterns == ["lab"])
    }

    @Test func `a token of which any letter is another one is not taken`() throws {
        let verifier = TokenVerifier(try Self.read(Self.file()))
        for token in Self.tokens + [Self.token()] {
            let letters = Array(token.utf8)
            var random = SeededRandom(seed: 1)
            for _ in 0..<150 {
                var other = letters
                let place = random.below(letters.count - 2)
                other[place] = random.pick(Array("AZaz09-_.=".utf8))
                guard other != letters else { continue }
                #expect(throws: Denial.self) {
                    try verifier.verify(String(decoding: other, as: UTF8.self), at: Self.now)
                }
            }
            #expect(throws: Denial.token) { try verifier.verify(String(token.dropLast(8)), at: Self.now) }
        }
        #expect(verifier.knownCount == 0)
    }

    @Test func `RFC 7515's example verifies`() throws {
        let key = try #require(
            Base64.decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let signed =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
            + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let signature = try #require(Base64.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
        let verifying = try VerifyingKey(secret: key, for: [.hs256])
        #expect(verifying.verifies(signature, of: Array(signed.utf8), by: .hs256))
        #expect(!verifying.verifies(signature, of: Array((signed + "x").utf8), by: .hs256))
        #expect(!verifying.verifies(signature.dropLast(), of: Array(signed.utf8), by: .hs256))
        #expect(!verifying.verifies([], of: Array(signed.utf8), by: .hs256))
        // It is the test's own HMAC's as well.
        #expect(HMAC.sha256(key: key, Array(signed.utf8)) == signature)
    }

    /// CVE-2015-9235 and its kind: a public key must not be taken for a secret, nor a token for signed that says that it is not.
    @Test func `a token does not choose how it is verified`() throws {
        let verifier = TokenVerifier(try Self.read(Self.file()))
        let pems = [Self.rsa, Self.rsa + "\n", Self.p256, Self.p256 + "\n"]
        for (id, algorithm) in [
            ("r", "HS256"), ("e", "HS256"), ("h", "HS384"), ("r", "RS384"), ("h", "RS256"), ("e", "ES512"),
        ] {
            for pem in pems {
                let forged = Self.token(header: #"{"alg":"\#(algorithm)","kid":"\#(id)"}"#) {
                    HMAC.sha256(key: Array(pem.utf8), Array($0.utf8))
                }
                #expect(throws: Denial.token) { try verifier.verify(forged, at: Self.now) }
            }
        }
        for algorithm in ["none", "None", "NONE", "", "hs256", "HS256 ", "PS256", "EdDSA"] {
            for signature in [[], HMAC.sha256(key: Self.secret, [])] {
                let forged = Self.token(header: #"{"alg":"\#(algorithm)"}"#) { _ in signature }
                #expect(throws: Denial.token) { try verifier.verify(forged, at: Self.now) }
            }
        }
    }

    @Test(arguments: [
        (#"{"alg":"HS256","kid":"h"}"#, true), (#"{"alg":"HS256"}"#, true),
        (#"{"typ":"JWT","alg":"HS256","kid":"h"}"#, true),
        (#"{"alg":"HS256","kid":"r"}"#, false), (#"{"alg":"HS256","kid":""}"#, false),
        (#"{"alg":"HS256","kid":1}"#, false),
        (#"{"alg":"HS256","kid":null}"#, false), (#"{"alg":"HS256","alg":"HS256"}"#, false),
        (#"{"alg":"none","alg":"HS256"}"#, false), (#"{"alg":"HS256","crit":["exp"]}"#, false),
        (#"{"alg":"HS256","enc":"A128GCM"}"#, false), (#"{"alg":["HS256"]}"#, false), (#"{"kid":"h"}"#, false),
        (#"["HS256"]"#, false), ("{", false), ("", false),
    ])
    func `headers`(header: String, isTaken: Bool) throws {
        let grant = try? verify(Self.token(header: header))
        #expect((grant != nil) == isTaken)
    }

    @Test(
        arguments: [
            (#""exp":1800000001"#, nil), (#""exp":1799999971"#, nil), (#""exp":1799999970"#, .expired),
            (#""exp":1799999971.9"#, nil), (#""exp":0"#, .expired), (#""exp":-9223372036854775808"#, .expired),
            (#""exp":9223372036854775807"#, nil), (#""exp":1e300"#, .token), (#""exp":"1900000000""#, .token),
            (#""exp":null"#, .token), (#""nbf":1900000000"#, .token),
            (#""exp":1900000000,"nbf":1800000030"#, nil), (#""exp":1900000000,"nbf":1800000031"#, .token),
            (#""exp":1900000000,"nbf":"now""#, .token), (#""exp":1900000000,"nbf":-1e18"#, nil),
            (#""exp":1900000000,"exp":1900000000"#, .token),
        ] as [(String, Denial?)])
    func `times, with half a minute of leeway`(times: String, denial: Denial?) throws {
        let claims = #"{"iss":"https://login.example.com","aud":"varve","tenants":"shop","scope":"query",\#(times)}"#
        expect(claims, denial)
    }

    private func expect(_ claims: String, _ denial: Denial?) {
        var found: Denial?
        do { _ = try verify(Self.token(claims: claims)) } catch { found = error as? Denial }
        #expect(found == denial, "\(claims)")
    }

    @Test(
        arguments: [
            (#""iss":"https://login.example.com","aud":"varve""#, nil),
            (#""iss":"https://login.example.com","aud":["a","x"]"#, nil),
            (#""iss":"https://login.example.com","aud":"Varve""#, .token),
            (#""iss":"https://login.example.com","aud":[]"#, .token),
            (#""iss":"https://login.example.com","aud":["a varve"]"#, .token),
            (#""iss":"https://login.example.com","aud":"varve x""#, .token),
            (#""iss":"https://login.example.com","aud":["varve",1]"#, .token),
            (#""iss":"https://login.example.com""#, .token),
            (#""iss":"https://login.example.com/","aud":"varve""#, .token), (#""aud":"varve""#, .token),
            (#""iss":["https://login.example.com"],"aud":"varve""#, .token),
        ] as [(String, Denial?)])
    func `whose and for whom`(names: String, denial: Denial?) {
        expect(#"{"exp":1900000000,"tenants":"shop","scope":"query",\#(names)}"#, denial)
    }

    @Test(
        arguments: [
            (#""shop""#, ["shop"]), (#"["shop","b"]"#, ["shop", "b"]), (#""shop b""#, ["shop", "b"]),
            (#"["*"]"#, nil), (#"["a*","b"]"#, ["b"]), (#"["a/b","b"]"#, ["b"]), (#""""#, nil), ("[]", nil), ("1", nil),
            (#"["b",1]"#, nil), (#"{"shop":1}"#, nil), (#"[["shop"]]"#, nil),
        ] as [(String, [String]?)])
    func `tenants are names, and no patterns`(tenants: String, expected: [String]?) {
        let claims =
            #"{"iss":"https://login.example.com","aud":"varve","exp":1900000000,"scope":"query","tenants":\#(tenants)}"#
        #expect((try? verify(Self.token(claims: claims)))?.tenants.patterns == expected)
    }

    @Test func `claims have the names that the file gives them`() throws {
        let claims =
            #"{"iss":"https://login.example.com","aud":"varve","exp":1900000000,"org":"a","roles":["varve:ingest","x"],"scope":"query"}"#
        let grant = try verify(Self.token(claims: claims), Self.file("    tenants-claim: org\n    scopes-claim: roles"))
        #expect(grant.tenants.patterns == ["a"] && grant.scopes == .ingest)
        #expect(throws: Denial.tenant) { try verify(Self.token(claims: claims)) }
    }

    @Test func `a token is remembered until it expires or its issuer goes`() throws {
        let verifier = TokenVerifier(try Self.read(Self.file()))
        let token = Self.token()
        _ = try verifier.verify(token, at: Self.now)
        _ = try verifier.verify(token, at: Self.now)
        #expect(verifier.knownCount == 1)
        let end = Timestamp(nanoseconds: 1_900_000_030_000_000_000)
        #expect((try? verifier.verify(token, at: end.advanced(by: -1))) != nil)
        #expect(throws: Denial.expired) { try verifier.verify(token, at: end) }
        verifier.use(TokenFile())
        #expect(throws: Denial.token) { try verifier.verify(token, at: Self.now) }
        #expect(verifier.knownCount == 0 && verifier.issuerCount == 0)
    }

    @Test func `no more tokens are remembered than there is room for`() throws {
        let verifier = TokenVerifier(try Self.read(Self.file()))
        for number in 0..<5000 {
            let claims =
                #"{"iss":"https://login.example.com","aud":"varve","exp":1900000000,"tenants":"t\#(number)","scope":"query"}"#
            _ = try verifier.verify(Self.token(claims: claims), at: Self.now)
        }
        #expect((1...4096).contains(verifier.knownCount))
    }

    @Test func `tokens and keys are told apart, and both are refused alike`() throws {
        var file = AuthFile(salt: KeyDigest.makeSalt())
        file.add(
            APIKey(name: "k", digest: KeyDigest(salt: file.salt, secret: "key".utf8), grant: Grant(scopes: .query)))
        let authorizer = Authorizer(file, tokens: TokenVerifier(try Self.read(Self.file()))) { Self.now }
        let token = Credential.secret(Self.token())
        let shop = try #require(TenantID("shop"))
        #expect(try authorizer.authorize(token, .init(.query), tenant: nil).tenant == shop)
        #expect(try authorizer.authorize(.secret("key"), .init(.query), tenant: nil).tenant == .default)
        #expect(throws: Denial.scope) { try authorizer.authorize(token, .init(.ingest), tenant: shop) }
        #expect(throws: Denial.tenant) { try authorizer.authorize(token, .init(.query), tenant: .default) }
        #expect(throws: Denial.token) { try authorizer.authorize(.secret("eyJ.x.y"), .init(.query), tenant: nil) }
        #expect(authorizer.denied(.token) == 1)
        let without = Authorizer(file) { Self.now }
        #expect(throws: Denial.unknown) { try without.authorize(token, .init(.query), tenant: nil) }
    }

    // MARK: The file

    @Test(arguments: [
        ("x: 1", 1, "the file has no \"x\""), ("issuers: 1", 1, "\"issuers\" is a list"),
        ("{}", 1, "there is no \"issuers\""),
        ("issuers:\n  - audience: a", 2, "an issuer has no \"issuer\""),
        ("issuers:\n  - issuer: a", 2, "an issuer has no \"audience\""),
        ("issuers:\n  - {issuer: a, audience: []}", 2, "audience: one is needed"),
        ("issuers:\n  - {issuer: a, audience: a}", 2, "an issuer has no \"keys\""),
        ("issuers:\n  - {issuer: a, audience: a, keys: []}", 2, "an issuer has 1 to 100 keys"),
        ("issuers:\n  - {issuer: a, audience: a, leeway: 6m, keys: []}", 2, "leeway: 6m is more than 5m"),
        ("issuers:\n  - {issuer: a, audience: a, scopes: [all], keys: []}", 2, "scopes: there is no scope \"all\""),
        ("issuers:\n  - {issuer: a, audience: a, tenants: [a/b], keys: []}", 2, "tenants: names of"),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [none]}]}", 2,
            "algorithms: \"none\" is none of RS256"
        ),
        ("issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: []}]}", 2, "algorithms: some of one kind"),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [RS256, HS256]}]}", 2,
            "algorithms: some of one kind"
        ),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [RS256]}]}", 2,
            "such a key has no \"public-key\""
        ),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [RS256], public-key: x}]}", 2,
            "public-key: it is no public key in PEM"
        ),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [HS256], secret: c2hvcnQ=}]}", 2,
            "secret: HS256 needs 32 bytes"
        ),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [HS256], secret: '%%'}]}", 2,
            "secret: it is not in Base64"
        ),
        (
            "issuers:\n  - {issuer: a, audience: a, keys: [{algorithms: [HS256], secret: x, public-key: y}]}", 2,
            "a key is a secret or"
        ),
    ])
    func `what is wrong is named with its line`(text: String, line: Int, message: String) {
        let problem = #expect(throws: ConfigurationProblem.self) { try Self.read(text) }
        #expect(problem?.place == .file("jwt.yaml", line: line))
        #expect(problem?.message.hasPrefix(message) == true, "\(problem?.description ?? "none")")
        #expect(problem?.message.contains("c2hvcnQ") == false)
    }

    @Test func `a key must be of its algorithms' kind, and long enough`() {
        for (pem, algorithm) in [
            (Self.rsa, TokenAlgorithm.es256), (Self.p256, .rs256), (Self.p256, .es512), (Self.p521, .es256),
            (Self.p256, .es384),
            (Self.small, .rs256), (Self.rsa, .hs256),
        ] {
            #expect(throws: VerifyingKey.Failure.self) { try VerifyingKey(pem: pem, for: [algorithm]) }
        }
        #expect(throws: VerifyingKey.Failure.self) { try VerifyingKey(secret: Self.secret, for: [.rs256]) }
        #expect(throws: VerifyingKey.Failure.self) {
            try VerifyingKey(secret: Array(Self.secret.prefix(63)), for: [.hs512])
        }
    }
}
