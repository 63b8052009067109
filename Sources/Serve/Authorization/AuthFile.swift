internal import Core
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
        try Reader(path: path).file(YAMLNode.read(bytes, path: path))
    }

    private struct Reader {
        let path: String

        func file(_ node: YAMLNode) throws(ConfigurationProblem) -> AuthFile {
            let members = try members(node, "the file", ["salt", "keys"])
            guard let salt = members["salt"] else { throw problem("there is no \"salt\"", node.line) }
            var file = AuthFile(salt: try bytes(salt, "the salt", count: KeyDigest.saltByteCount))
            guard let list = members["keys"], !isEmpty(list) else { return file }
            guard case .list(let keys, _) = list else { throw problem("\"keys\" is a list", list.line) }
            guard keys.count <= AuthFile.keyLimit else {
                throw problem("there are more than \(AuthFile.keyLimit) keys", list.line)
            }
            var names: Set<String> = []
            var digests: Set<KeyDigest> = []
            for node in keys {
                let key = try key(node)
                guard names.insert(key.name).inserted else {
                    throw problem("two keys are named \"\(key.name)\"", node.line)
                }
                guard digests.insert(key.digest).inserted else {
                    throw problem("the key \"\(key.name)\" is the same as another", node.line)
                }
                file.add(key)
            }
            return file
        }

        private func key(_ node: YAMLNode) throws(ConfigurationProblem) -> APIKey {
            let members = try members(node, "a key", ["name", "digest", "scopes", "signals", "tenants", "expires"])
            func need(_ name: String) throws(ConfigurationProblem) -> YAMLNode {
                guard let value = members[name] else { throw problem("a key has no \"\(name)\"", node.line) }
                return value
            }
            let name = try text(need("name"))
            guard APIKey.isName(name) else {
                throw problem("a key's name is 1 to 100 letters, digits and -_.@", node.line)
            }
            guard let digest = KeyDigest(try bytes(need("digest"), "a digest", count: 32)) else {
                throw problem("a digest has 32 bytes", node.line)
            }
            var grant = Grant(scopes: try set(need("scopes"), "scope", Grant.Scopes.names))
            if let signals = members["signals"] { grant.signals = try set(signals, "signal", Grant.Signals.names) }
            if let tenants = members["tenants"] {
                guard let patterns = TenantPatterns(try texts(tenants)) else {
                    throw problem(
                        "\"tenants\" are names of 1 to 150 letters, digits and !-_.*'(), or patterns with *",
                        tenants.line)
                }
                grant.tenants = patterns
            }
            var key = APIKey(name: name, digest: digest, grant: grant)
            if let expires = members["expires"] {
                guard let time = CalendarTime.parse(try text(expires)) else {
                    throw problem("\"expires\" is no time: 2027-01-31, or 2027-01-31T12:00:00Z", expires.line)
                }
                key.expires = time
            }
            return key
        }

        private func members(
            _ node: YAMLNode, _ what: String, _ known: [String]
        ) throws(ConfigurationProblem) -> [String: YAMLNode] {
            guard case .mapping(let members, _) = node else { throw problem("\(what) is a mapping", node.line) }
            for member in members where !known.contains(member.key) {
                let question = Suggestion.question(member.key, among: known)
                throw problem("\(what) has no \"\(member.key)\"\(question)", member.line)
            }
            return Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        }

        private func set<Set: OptionSet>(
            _ node: YAMLNode, _ what: String, _ known: [(name: String, element: Set)]
        ) throws(ConfigurationProblem) -> Set where Set.Element == Set {
            var all: Set = []
            for word in try texts(node) {
                guard let element = known.first(where: { $0.name == word })?.element else {
                    let names = known.map(\.name).joined(separator: ", ")
                    throw problem("there is no \(what) \"\(word)\": it is one of \(names)", node.line)
                }
                all.insert(element)
            }
            guard !all.isEmpty else { throw problem("one \(what) is needed", node.line) }
            return all
        }

        private func text(_ node: YAMLNode) throws(ConfigurationProblem) -> String {
            guard case .scalar(let text, _) = node else { throw problem("a plain value is expected", node.line) }
            return text
        }

        /// A list, or a value alone.
        private func texts(_ node: YAMLNode) throws(ConfigurationProblem) -> [String] {
            guard case .list(let elements, _) = node else { return [try text(node)] }
            var texts: [String] = []
            for element in elements { texts.append(try text(element)) }
            return texts
        }

        private func bytes(_ node: YAMLNode, _ what: String, count: Int) throws(ConfigurationProblem) -> [UInt8] {
            guard let bytes = Hex.bytes(try text(node)), bytes.count == count else {
                throw problem("\(what) is \(2 * count) hexadecimal digits", node.line)
            }
            return bytes
        }

        private func isEmpty(_ node: YAMLNode) -> Bool { node == .scalar("", line: node.line) }

        private func problem(_ message: String, _ line: Int) -> ConfigurationProblem {
            ConfigurationProblem(place: .file(path, line: line), message: message)
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
        }
        return text
    }
}
