internal import Core
package import Files
package import Settings

/// Puts the configuration together: flags win over variables, these over the file, and that over what is built in.
///
/// All problems are found, not only the first. A variable `VARVE_…` that is no setting is a problem only if it is nearly one:
/// orchestrators and test runners have variables of that prefix too (a Kubernetes service named `varve` makes `VARVE_PORT`).
package struct ConfigurationLoader {
    package struct Result: Sendable {
        package var configuration = Configuration()
        package var problems: [ConfigurationProblem] = []
        /// What may be a mistake, but need not be.
        package var warnings: [String] = []
    }

    /// The most bytes that a configuration file may have.
    private static let fileLimit = 1 << 20

    private let fileSystem: any ReadableFiles
    private var result = Result()

    /// - Parameters:
    ///   - flags: names without their dashes, and values; `config` names the file.
    ///   - environment: of the process; only `VARVE_…` is looked at.
    package static func load(
        flags: [(name: String, value: String)], environment: [String: String], fileSystem: any ReadableFiles
    ) -> Result {
        var loader = ConfigurationLoader(fileSystem: fileSystem)
        let path = flags.last { $0.name == "config" }?.value ?? environment["VARVE_CONFIG"]
        if let path { loader.applyFile(path) }
        loader.applyEnvironment(environment)
        for flag in flags where flag.name != "config" { loader.apply(flag.name, flag.value, .flag(flag.name)) }
        loader.checkTogether()
        return loader.result
    }

    /// What is wrong only of several settings at once.
    private mutating func checkTogether() {
        let configuration = result.configuration
        func isWrong(_ key: String, _ message: String) {
            result.problems.append(ConfigurationProblem(place: .flag(key), message: message))
        }
        if configuration.tlsCertificate != nil, configuration.tlsKey == nil {
            isWrong("tls-certificate", "needs tls-key, too")
        }
        if configuration.tlsKey != nil, configuration.tlsCertificate == nil {
            isWrong("tls-key", "needs tls-certificate, too")
        }
        if configuration.tlsClientCA != nil, configuration.tlsCertificate == nil {
            isWrong("tls-client-ca", "needs tls-certificate and tls-key, too")
        }
    }

    private init(fileSystem: any ReadableFiles) { self.fileSystem = fileSystem }

    private mutating func applyFile(_ path: String) {
        do throws(FileError) {
            let file = SettingsFile.read(try fileSystem.contents(of: path, limit: Self.fileLimit), path: path)
            for entry in file.entries { apply(entry.key, entry.value, .file(path, line: entry.line)) }
            result.problems += file.problems
        } catch {
            result.problems.append(ConfigurationProblem(place: .file(path, line: 0), message: "\(error)"))
        }
    }

    private mutating func applyEnvironment(_ environment: [String: String]) {
        let known = Setting.all.map(\.variable) + ["VARVE_CONFIG"]
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("VARVE_") {
            if let setting = Setting.all.first(where: { $0.variable == name }) {
                apply(setting.key, value, .environment(name))
            } else if let nearest = Suggestion.nearest(to: name, among: known), nearest != name {
                let message = "unknown setting; did you mean \"\(nearest)\"?"
                result.problems.append(ConfigurationProblem(place: .environment(name), message: message))
            } else if name != "VARVE_CONFIG" {
                result.warnings.append("the variable \(name) is no setting")
            }
        }
    }

    private mutating func apply(_ key: String, _ value: String, _ place: SettingPlace) {
        guard let setting = Setting.named(key) else {
            let question = Suggestion.question(key, among: Setting.all.map(\.key) + ["config"])
            result.problems.append(ConfigurationProblem(place: place, message: "unknown setting \"\(key)\"\(question)"))
            return
        }
        do throws(Setting.ValueError) {
            try setting.apply(&result.configuration, value)
        } catch {
            let message = if case .file = place { "\(key): \(error.message)" } else { error.message }
            result.problems.append(ConfigurationProblem(place: place, message: message))
        }
    }
}
