internal import Core
internal import Limits
package import Settings

/// The file of keys (`auth-file`): YAML, written by `varve keys` and by people.
///
/// ```yaml
/// salt: 8c0f…                     # 16 bytes, hexadecimal
/// keys:
///   - name: collector
///     digest: 1d5a…               # SHA-256 of the salt and the key, hexadecimal
///     scopes: [ingest]            # ingest, query, admin
///     signals: [traces, logs]     # traces, logs, metrics; all of them if it is left out
///     tenants: [default, team-*]  # the default tenant alone if it is left out
///     expires: 2027-01-31T00:00:00Z
///     limits: {rows-per-second: 10000}  # as in the limits-file; they hold beside the tenant's
/// ```
package struct AuthFile: Hashable, Sendable {
    package var salt: [UInt8]
    package private(set) var keys: [APIKey] = []

    /// The most bytes of such a file that are read.
    package static let byteLimit = 8 << 20
    private static let keyLimit = 20_000

    package init(salt: [UInt8]) { self.salt = salt }

    package mutating func add(_ key: APIKey) { keys.append(key) }

    /// - Returns: whether there was one of that name.
    package mutating func remove(named name: String) -> Bool {
        let count = keys.count
        keys.removeAll { $0.name == name }
        return keys.count < count
    }

    // MARK: Reading

    /// - Throws: the first thing that is wrong with it.
    package static func read(_ bytes: [UInt8], path: String) throws(ConfigurationProblem) -> AuthFile {
        try Reader(yaml: YAMLFile(path: path)).file(YAMLNode.read(bytes, path: path))
    }

    private struct Reader {
        let yaml: YAMLFile

        func file(_ node: YAMLNode) throws(ConfigurationProblem) -> AuthFile {
            let members = try yaml.members(node, "the file", ["salt", "keys"])
            guard let salt = members["salt"] else { throw yaml.problem("there is no \"salt\"", node.line) }
            var file = AuthFile(salt: try bytes(salt, "the salt", count: KeyDigest.saltByteCount))
            guard let list = members["keys"] else { return file }
            let keys = try yaml.elements(list, "\"keys\"")
            guard keys.count <= AuthFile.keyLimit else {
                throw yaml.problem("there are more than \(AuthFile.keyLimit) keys", list.line)
            }
            var names: Set<String> = []
            var digests: Set<KeyDigest> = []
            for node in keys {
                let key = try key(node)
                guard names.insert(key.name).inserted else {
                    throw yaml.problem("two keys are named \"\(key.name)\"", node.line)
                }
                guard digests.insert(key.digest).inserted else {
                    throw yaml.problem("the key \"\(key.name)\" is the same as another", node.line)
                }
                file.add(key)
            }
            return file
        }

        private func key(_ node: YAMLNode) throws(ConfigurationProblem) -> APIKey {
            let members = try yaml.members(
                node, "a key", ["name", "digest", "scopes", "signals", "tenants", "expires", "limits"])
            func need(_ name: String) throws(ConfigurationProblem) -> YAMLNode {
                guard let value = members[name] else { throw yaml.problem("a key has no \"\(name)\"", node.line) }
                return value
            }
            let name = try yaml.text(need("name"))
            guard APIKey.isName(name) else {
                throw yaml.problem("a key's name is 1 to 100 letters, digits and -_.@", node.line)
            }
            guard let digest = KeyDigest(try bytes(need("digest"), "a digest", count: 32)) else {
                throw yaml.problem("a digest has 32 bytes", node.line)
            }
            var grant = Grant(scopes: try set(need("scopes"), "scope", Grant.Scopes.names))
            if let signals = members["signals"] { grant.signals = try set(signals, "signal", Grant.Signals.names) }
            if let tenants = members["tenants"] {
                guard let patterns = TenantPatterns(try yaml.texts(tenants)) else {
                    throw yaml.problem(
                        "\"tenants\" are names of 1 to 150 letters, digits and !-_.*'(), or patterns with *",
                        tenants.line)
                }
                grant.tenants = patterns
            }
            var key = APIKey(name: name, digest: digest, grant: grant)
            if let expires = members["expires"] {
                guard let time = CalendarTime.parse(try yaml.text(expires)) else {
                    throw yaml.problem("\"expires\" is no time: 2027-01-31, or 2027-01-31T12:00:00Z", expires.line)
                }
                key.expires = time
            }
            if let limits = members["limits"] {
                key.limits = try TenantLimits.read(limits, "\"limits\"", in: yaml).over(.none)
            }
            return key
        }

        private func set<Set: OptionSet>(
            _ node: YAMLNode, _ what: String, _ known: [(name: String, element: Set)]
        ) throws(ConfigurationProblem) -> Set where Set.Element == Set {
            var all: Set = []
            for word in try yaml.texts(node) {
                guard let element = known.first(where: { $0.name == word })?.element else {
                    let names = known.map(\.name).joined(separator: ", ")
                    throw yaml.problem("there is no \(what) \"\(word)\": it is one of \(names)", node.line)
                }
                all.insert(element)
            }
            guard !all.isEmpty else { throw yaml.problem("one \(what) is needed", node.line) }
            return all
        }

        private func bytes(_ node: YAMLNode, _ what: String, count: Int) throws(ConfigurationProblem) -> [UInt8] {
            guard let bytes = Hex.bytes(try yaml.text(node)), bytes.count == count else {
                throw yaml.problem("\(what) is \(2 * count) hexadecimal digits", node.line)
            }
            return bytes
        }
    }

    // MARK: Writing

    /// The file's text. Names, tenants and digests need no quotation marks but those here.
    package var text: String {
        var text = "# Keys of Varve, by their digests: see varve keys. Comments are lost when that changes the file.\n"
        text += "salt: \"\(Hex.string(salt))\"\n"
        text += keys.isEmpty ? "keys: []\n" : "keys:\n"
        for key in keys {
            func list<Set: OptionSet>(_ set: Set, _ names: [(name: String, element: Set)]) -> String
            where Set.Element == Set {
                "[" + names.filter { set.contains($0.element) }.map(\.name).joined(separator: ", ") + "]"
            }
            text += "  - name: \"\(key.name)\"\n    digest: \"\(Hex.string(key.digest.bytes))\"\n"
            text += "    scopes: \(list(key.grant.scopes, Grant.Scopes.names))\n"
            if key.grant.signals != .all { text += "    signals: \(list(key.grant.signals, Grant.Signals.names))\n" }
            let tenants = key.grant.tenants.patterns.map { "\"\($0)\"" }.joined(separator: ", ")
            text += "    tenants: [\(tenants)]\n"
            if let expires = key.expires { text += "    expires: \"\(CalendarTime.shortText(expires))\"\n" }
            if key.limits != .none { text += "    limits:\n" }
            for (limit, value) in key.limits.texts { text += "      \(limit): \(value)\n" }
        }
        return text
    }
}
