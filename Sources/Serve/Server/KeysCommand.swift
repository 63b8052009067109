private import Authorization
private import Core
private import Files
private import Glibc
private import HTTP
private import Settings

/// `varve keys`: adds, lists and revokes the keys of an `auth-file`.
enum KeysCommand {
    static let help = """
        varve keys – add, list and revoke the keys of an auth-file

          varve keys add --auth-file FILE --name NAME --scopes LIST [--signals LIST] [--tenants LIST] [--expires TIME]
          varve keys list --auth-file FILE
          varve keys revoke --auth-file FILE --name NAME

          --auth-file FILE    the file; add creates it (VARVE_AUTH_FILE)
          --name NAME         letters, digits and -_.@; by it a key is listed and revoked
          --scopes LIST       what it allows, with commas between: ingest, query, admin
          --signals LIST      of what: traces, logs, metrics (all)
          --tenants LIST      whose: names, or patterns with *; the first name is that of requests that name none (default)
          --expires TIME      2027-01-31 or 2027-01-31T12:00:00Z, in UTC (never)

        The key itself is printed once, by add: the file has its digest. A server reads a changed file again within seconds.

        """

    private struct Failure: Error { let message: String }

    static func run(_ words: [String], _ environment: [String: String]) -> Int32 {
        do throws(Failure) {
            try act(words, environment)
            return 0
        } catch {
            StandardStream.write("varve: \(error.message)\nSee varve help keys.\n", to: .error)
            return 2
        }
    }

    private static func act(_ words: [String], _ environment: [String: String]) throws(Failure) {
        guard let verb = words.first else { throw Failure(message: "keys needs add, list or revoke") }
        guard let known = verbs[verb] else {
            throw Failure(message: "keys has no \"\(verb)\"\(Suggestion.question(verb, among: verbs.keys.sorted()))")
        }
        var options = try options(Array(words.dropFirst()), of: verb, known + ["auth-file"])
        guard let path = options.removeValue(forKey: "auth-file") ?? environment["VARVE_AUTH_FILE"] else {
            throw Failure(message: "--auth-file is missing")
        }
        switch verb {
        case "add": try add(&options, path)
        case "list": list(try read(path))
        default:
            let name = try need("name", &options)
            var file = try read(path)
            guard file.remove(named: name) else { throw Failure(message: "there is no key \"\(name)\"") }
            try write(file, path)
        }
    }

    /// What each takes.
    private static let verbs = [
        "add": ["name", "scopes", "signals", "tenants", "expires"], "list": [], "revoke": ["name"],
    ]

    private static func options(
        _ words: [String], of verb: String, _ known: [String]
    ) throws(Failure) -> [String: String] {
        var options: [String: String] = [:]
        var next = 0
        while next < words.count {
            let word = words[next]
            guard word.hasPrefix("--") else { throw Failure(message: "unexpected argument \"\(word)\"") }
            let name = String(word.dropFirst(2))
            guard known.contains(name) else {
                throw Failure(message: "\(verb) takes no \(word)\(Suggestion.question(name, among: known))")
            }
            guard next + 1 < words.count else { throw Failure(message: "\(word) needs a value") }
            options[name] = words[next + 1]
            next += 2
        }
        return options
    }

    private static func need(_ name: String, _ options: inout [String: String]) throws(Failure) -> String {
        guard let value = options.removeValue(forKey: name) else { throw Failure(message: "--\(name) is missing") }
        return value
    }

    private static func add(_ options: inout [String: String], _ path: String) throws(Failure) {
        var file = try exists(path) ? read(path) : AuthFile(salt: KeyDigest.makeSalt())
        let name = try need("name", &options)
        guard APIKey.isName(name) else { throw Failure(message: "a name is 1 to 100 letters, digits and -_.@") }
        guard !file.keys.contains(where: { $0.name == name }) else {
            throw Failure(message: "there is a key \"\(name)\" already")
        }
        var grant = Grant(scopes: try set(need("scopes", &options), Grant.Scopes.names))
        if let signals = options.removeValue(forKey: "signals") {
            grant.signals = try set(signals, Grant.Signals.names)
        }
        if let tenants = options.removeValue(forKey: "tenants") {
            guard let patterns = TenantPatterns(words(tenants)) else {
                throw Failure(
                    message: "--tenants: a tenant is 1 to 150 letters, digits and !-_.*'(), or a pattern with *")
            }
            grant.tenants = patterns
        }
        let secret = APIKey.makeSecret()
        var key = APIKey(name: name, digest: KeyDigest(salt: file.salt, secret: secret.utf8), grant: grant)
        if let expires = options.removeValue(forKey: "expires") {
            guard let time = CalendarTime.parse(expires) else {
                throw Failure(message: "--expires: \"\(expires)\" is no time: 2027-01-31, or 2027-01-31T12:00:00Z")
            }
            key.expires = time
        }
        file.add(key)
        try write(file, path)
        StandardStream.write(secret + "\n", to: .output)
    }

    private static func words(_ list: String) -> [String] {
        list.split(separator: ",", omittingEmptySubsequences: false).map { ASCII.trimmed($0) }
    }

    private static func set<Set: OptionSet>(
        _ list: String, _ known: [(name: String, element: Set)]
    ) throws(Failure) -> Set where Set.Element == Set {
        var all: Set = []
        for word in words(list) {
            guard let element = known.first(where: { $0.name == word })?.element else {
                let names = known.map(\.name).joined(separator: ", ")
                throw Failure(message: "there is no \"\(word)\": it is one of \(names)")
            }
            all.insert(element)
        }
        return all
    }

    private static func list(_ file: AuthFile) {
        for key in file.keys.sorted(by: { $0.name < $1.name }) {
            let scopes = Grant.Scopes.names.filter { key.grant.scopes.contains($0.element) }.map(\.name)
            let signals = Grant.Signals.names.filter { key.grant.signals.contains($0.element) }.map(\.name)
            let fields = [
                key.name, scopes.joined(separator: ","), signals.joined(separator: ","),
                key.grant.tenants.patterns.joined(separator: ","), key.expires.map(CalendarTime.shortText) ?? "never",
            ]
            StandardStream.write(fields.joined(separator: "\t") + "\n", to: .output)
        }
    }

    // MARK: The file

    private static func exists(_ path: String) throws(Failure) -> Bool {
        do throws(FileError) { return try PosixFileSystem().exists(path) } catch { throw Failure(message: "\(error)") }
    }

    private static func read(_ path: String) throws(Failure) -> AuthFile {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try PosixFileSystem().contents(of: path, limit: AuthFile.byteLimit)
        } catch {
            throw Failure(message: "\(error)")
        }
        do throws(ConfigurationProblem) {
            return try AuthFile.read(bytes, path: path)
        } catch {
            throw Failure(message: "\(error)")
        }
    }

    /// Replaces the file at one point in time; its owner alone may read it.
    private static func write(_ file: AuthFile, _ path: String) throws(Failure) {
        umask(0o077)
        let new = "\(path).\(getpid()).new"
        let files = PosixFileSystem()
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        do {
            let text = Array(file.text.utf8)
            try unsafe text.withUnsafeBytes { bytes in
                try files.put(new) { (writer) throws(FileError) in try unsafe writer.append([bytes]) }
            }
            try files.rename(new, to: path)
            try files.syncDirectory(folder.isEmpty ? "/" : folder)
        } catch {
            throw Failure(message: "\(path) cannot be written: \(error)")
        }
    }
}
