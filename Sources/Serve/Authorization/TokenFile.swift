internal import Core
package import Settings

/// The file of those whose tokens are taken (`jwt-file`): YAML.
///
/// ```yaml
/// issuers:
///   - issuer: https://login.example.com   # the claim iss
///     audience: varve                     # or a list: the claim aud has one of them
///     tenants-claim: tenants              # a list, or names with spaces between
///     scopes-claim: scope                 # likewise: ingest, query, admin; or varve:ingest …; others are passed over
///     tenants: [shop, team-*]             # which of those that a token names are taken; all if it is left out
///     scopes: [ingest, query]             # which of them a token may have; these two if it is left out
///     leeway: 30s                         # how far clocks may be apart
///     keys:
///       - id: "2027"                      # the header kid; may be left out if there is one key alone
///         algorithms: [RS256]             # RS256, RS384, RS512, ES256, ES384, ES512, with public-key;
///         public-key: |                   # HS256, HS384, HS512 with secret, in Base64
///           -----BEGIN PUBLIC KEY-----
/// ```
package struct TokenFile: Sendable {
    package struct Issuer: Sendable {
        package var name: String
        package var audiences: [String]
        package var tenantsClaim = "tenants"
        package var scopesClaim = "scope"
        /// Nil: any.
        package var tenants: TenantPatterns?
        package var scopes: Grant.Scopes = [.ingest, .query]
        /// Nanoseconds.
        package var leeway: Int64 = 30_000_000_000
        package var keys: [(id: String?, key: VerifyingKey)] = []
    }

    package private(set) var issuers: [Issuer] = []

    package static let byteLimit = 4 << 20

    /// Trusts nobody.
    package init() {}

    private static let mostIssuers = 100
    private static let mostKeys = 100
    private static let longestLeeway: Int64 = 300_000_000_000

    /// - Throws: the first thing that is wrong with it; it has nothing of a secret.
    package static func read(_ bytes: [UInt8], path: String) throws(ConfigurationProblem) -> TokenFile {
        let reader = Reader(yaml: YAMLFile(path: path))
        let root = try YAMLNode.read(bytes, path: path)
        let members = try reader.yaml.members(root, "the file", ["issuers"])
        guard let node = members["issuers"] else { throw reader.yaml.problem("there is no \"issuers\"", root.line) }
        let nodes = try reader.yaml.elements(node, "\"issuers\"")
        guard nodes.count <= mostIssuers else {
            throw reader.yaml.problem("there are more than \(mostIssuers) issuers", node.line)
        }
        var file = TokenFile()
        for node in nodes {
            let issuer = try reader.issuer(node)
            guard !file.issuers.contains(where: { $0.name == issuer.name }) else {
                throw reader.yaml.problem("the issuer \"\(issuer.name)\" is there twice", node.line)
            }
            file.issuers.append(issuer)
        }
        return file
    }

    private struct Reader {
        let yaml: YAMLFile

        func issuer(_ node: YAMLNode) throws(ConfigurationProblem) -> Issuer {
            let members = try yaml.members(
                node, "an issuer",
                ["issuer", "audience", "tenants-claim", "scopes-claim", "tenants", "scopes", "leeway", "keys"])
            guard let name = try members["issuer"].map({ (node) throws(ConfigurationProblem) in try yaml.text(node) }),
                !name.isEmpty
            else { throw missing("issuer", "an issuer", node) }
            guard let audience = members["audience"] else { throw missing("audience", "an issuer", node) }
            var issuer = Issuer(name: name, audiences: try yaml.texts(audience))
            guard !issuer.audiences.isEmpty, issuer.audiences.allSatisfy({ !$0.isEmpty }) else {
                throw yaml.problem("audience: one is needed", audience.line)
            }
            if let claim = members["tenants-claim"] { issuer.tenantsClaim = try yaml.text(claim) }
            if let claim = members["scopes-claim"] { issuer.scopesClaim = try yaml.text(claim) }
            if let node = members["tenants"] {
                guard let patterns = TenantPatterns(try yaml.texts(node)) else {
                    throw yaml.problem(
                        "tenants: names of 1 to 150 letters, digits and !-_.*'(), or patterns with *", node.line)
                }
                issuer.tenants = patterns
            }
            if let node = members["scopes"] {
                issuer.scopes = []
                for word in try yaml.texts(node) {
                    guard let scope = Grant.Scopes.named(word) else {
                        throw yaml.problem("scopes: there is no scope \"\(word)\"", node.line)
                    }
                    issuer.scopes.insert(scope)
                }
            }
            if let node = members["leeway"] {
                issuer.leeway = try yaml.value(node, of: "leeway") { text throws(SettingError) in
                    let leeway = text == "0s" ? 0 : try ValueText.duration(text)
                    guard leeway <= longestLeeway else { throw SettingError("\(text) is more than 5m") }
                    return leeway
                }
            }
            guard let keys = members["keys"] else { throw missing("keys", "an issuer", node) }
            issuer.keys = try self.keys(keys)
            return issuer
        }

        private func keys(_ list: YAMLNode) throws(ConfigurationProblem) -> [(id: String?, key: VerifyingKey)] {
            let nodes = try yaml.elements(list, "\"keys\"")
            guard (1...mostKeys).contains(nodes.count) else {
                throw yaml.problem("an issuer has 1 to \(mostKeys) keys", list.line)
            }
            var keys: [(id: String?, key: VerifyingKey)] = []
            for node in nodes {
                let key = try key(node)
                guard key.id != nil || nodes.count == 1 else {
                    throw yaml.problem("each of several keys has an \"id\"", node.line)
                }
                guard !keys.contains(where: { $0.id == key.id }) else {
                    throw yaml.problem("two keys have the same id", node.line)
                }
                keys.append(key)
            }
            return keys
        }

        private func key(_ node: YAMLNode) throws(ConfigurationProblem) -> (id: String?, key: VerifyingKey) {
            let members = try yaml.members(node, "a key", ["id", "algorithms", "public-key", "secret"])
            guard let list = members["algorithms"] else { throw missing("algorithms", "a key", node) }
            var algorithms: [TokenAlgorithm] = []
            for word in try yaml.texts(list) {
                guard let algorithm = TokenAlgorithm(rawValue: word) else {
                    let names = TokenAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                    throw yaml.problem("algorithms: \"\(word)\" is none of \(names)", list.line)
                }
                algorithms.append(algorithm)
            }
            guard let first = algorithms.first, algorithms.allSatisfy({ $0.family == first.family }) else {
                throw yaml.problem("algorithms: some of one kind are needed", list.line)
            }
            let isSecret = first.family == .secret
            let name = isSecret ? "secret" : "public-key"
            guard let place = members[name] else { throw missing(name, "such a key", node) }
            guard members[isSecret ? "public-key" : "secret"] == nil else {
                throw yaml.problem("a key is a secret or a public one", node.line)
            }
            let material = try yaml.text(place)
            let id = try members["id"].map { (node) throws(ConfigurationProblem) in try yaml.text(node) }
            do throws(VerifyingKey.Failure) {
                return (id, try Self.key(material, isSecret: isSecret, algorithms))
            } catch {
                throw yaml.problem("\(name): \(error.reason)", place.line)
            }
        }

        private static func key(
            _ material: String, isSecret: Bool, _ algorithms: [TokenAlgorithm]
        ) throws(VerifyingKey.Failure) -> VerifyingKey {
            guard isSecret else { return try VerifyingKey(pem: material, for: algorithms) }
            guard let secret = Base64.decode(material) else {
                throw VerifyingKey.Failure(reason: "it is not in Base64")
            }
            return try VerifyingKey(secret: secret, for: algorithms)
        }

        private func missing(_ name: String, _ what: String, _ node: YAMLNode) -> ConfigurationProblem {
            yaml.problem("\(what) has no \"\(name)\"", node.line)
        }
    }
}
