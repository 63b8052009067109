import Authorization
import Core
import Limits

/// Files of keys, of limits and of issuers, which operators write; and tokens, which anybody may send.
extension FuzzTarget {
    /// What is read, written and read again is the same.
    static let authFile = FuzzTarget("auth-file", seeds: { [Array(authText.utf8)] }) { bytes in
        guard let file = try? AuthFile.read(Array(bytes), path: "f") else { return }
        guard let again = try? AuthFile.read(Array(file.text.utf8), path: "f") else {
            preconditionFailure("its own text cannot be read")
        }
        precondition(again == file, "another file came out than went in")
    }

    private static let authText = """
        salt: "\(String(repeating: "0a", count: 16))"
        keys:
          - name: a
            digest: "\(String(repeating: "1b", count: 32))"
            scopes: [ingest, query]
            signals: logs
            tenants: [shop, "team-*"]
            expires: 2027-01-31
            limits: {rows-per-second: 5, bytes-per-second: 1KiB, bytes-burst: 5B, active-series: 9}
          - {name: b, digest: "\(String(repeating: "2c", count: 32))", scopes: admin}
        """

    /// Limits that are written are read as the same.
    static let limitsFile = FuzzTarget("limits-file", seeds: { [Array(limitsText.utf8)] }) { bytes in
        guard let file = try? LimitsFile.read(Array(bytes), path: "f") else { return }
        for limits in [file.defaults] + file.tenants.values.prefix(8) {
            let text = "defaults: {" + limits.texts.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
            guard let again = try? LimitsFile.read(Array(text.utf8), path: "f") else {
                preconditionFailure("limits that were written cannot be read")
            }
            precondition(again.defaults == limits, "other limits came out than went in")
        }
    }

    private static let limitsText = """
        defaults: {rows-per-second: 1000, rows-burst: 5, query-range: 1h30m, query-memory: 64MiB}
        tenants:
          shop:
            bytes-per-second: 3MiB
            new-series-per-second: 7
            active-series: none
            query-concurrency: 3
          "a!-_.*'()": {rows-per-second: none}
        series-window: 10m
        series-learning: 0s
        """

    static let tokenFile = FuzzTarget("jwt-file", seeds: { [Array(tokenText.utf8)] }) { bytes in
        _ = try? TokenFile.read(Array(bytes), path: "f")
    }

    private static let tokenText = """
        issuers:
          - issuer: https://a
            audience: [b, c]
            tenants: team-*
            scopes: [query]
            leeway: 1m
            keys:
              - {id: x, algorithms: [HS256], secret: "\(secret)"}
              - id: y
                algorithms: ES256
                public-key: |
                  -----BEGIN PUBLIC KEY-----
                  MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwmA69m5f3phSs5dlDQ/Ac1wyJ4K4
                  tbSEVHQRkCIt7oSFsbngukZeUXyTA/2wc3xdW8aQGGPQzSM2PVMwZ0a3Sg==
                  -----END PUBLIC KEY-----
        """
    private static let secret = Base64.encode([UInt8](repeating: 7, count: 32))

    /// None of what comes of these is signed by whoever has the key.
    static let token = FuzzTarget("token", seeds: { tokenSeeds.map { Array($0.utf8) } }) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let token = WebToken(text) else { return }
        _ = (token.names("tenants"), token.names("scope"))
        let admitted = try? verifier.verify(text, at: Timestamp(nanoseconds: 1_800_000_000_000_000_000))
        precondition(admitted == nil, "a token was forged")
    }

    private static let verifier = TokenVerifier(
        (try? TokenFile.read(Array(tokenText.utf8), path: "f")) ?? TokenFile())

    private static let tokenSeeds = ["HS256", "ES256"].map { algorithm in
        func part(_ json: String) -> String { String(Base64.encode(Array(json.utf8)).filter { $0 != "=" }) }
        let head = part(#"{"alg":"\#(algorithm)","kid":"\#(algorithm == "HS256" ? "x" : "y")"}"#)
        let claims = part(
            #"{"iss":"https://a","aud":"b","exp":1900000000,"nbf":1.5,"tenants":["team-a"],"scope":"query"}"#)
        return "\(head).\(claims).\(String(repeating: "A", count: algorithm == "HS256" ? 43 : 86))"
    }
}
