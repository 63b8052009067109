private import Core
private import Files
private import Glibc
private import Schema

/// The command `varve`: reads its arguments, and says what went wrong in a way that one can act on.
package enum CommandLineTool {
    /// Exit statuses: the command or its configuration is wrong; it could not do its work.
    private static let usageError: Int32 = 2
    private static let failure: Int32 = 1

    private enum Command: String, CaseIterable {
        case serve, checkConfig = "check-config", keys, parts, schema, version, help

        var help: String {
            switch self {
            case .serve: "receive telemetry and answer queries until SIGTERM or SIGINT"
            case .checkConfig: "say what is wrong with the configuration, or print what it comes to"
            case .keys: "add, list and revoke the keys of an auth-file"
            case .parts: "list the parts of a data directory that no server holds, and the bytes of each column"
            case .schema: "print the tables as SQL"
            case .version: "print the version"
            case .help: "print this text, or that of a command"
            }
        }

        var takesSettings: Bool { self == .serve || self == .checkConfig || self == .parts }
    }

    /// - Parameter arguments: as the process got them: the command's own name comes first.
    /// - Returns: the exit status.
    package static func run(arguments: [String], environment: [String: String]) -> Int32 {
        let words = Array(arguments.dropFirst())
        guard let first = words.first else {
            StandardStream.write(generalHelp(), to: .error)
            return usageError
        }
        if ["--help", "-h"].contains(first) { return help([]) }
        if first == "--version" { return run(.version, [], environment) }
        guard let command = Command(rawValue: first) else {
            let question = Suggestion.question(first, among: Command.allCases.map(\.rawValue))
            return refuse("unknown command \"\(first)\"\(question)")
        }
        let rest = Array(words.dropFirst())
        if rest.contains(where: { $0 == "--help" || $0 == "-h" }) { return help([first]) }
        return run(command, rest, environment)
    }

    private static func run(_ command: Command, _ words: [String], _ environment: [String: String]) -> Int32 {
        switch command {
        case .help: return help(words)
        case .version:
            guard words.isEmpty else { return refuse("version takes no arguments") }
            StandardStream.write("varve \(Version.current)\n", to: .output)
            return 0
        case .keys: return KeysCommand.run(words, environment)
        case .schema:
            guard words.isEmpty else { return refuse("schema takes no arguments") }
            for file in Schema.files { StandardStream.write(file.bytes + [0x0A], to: .output) }
            return 0
        case .parts:
            let asJSON = words.contains("--json")
            return withConfiguration(words.filter { $0 != "--json" }, environment) { result in
                PartListing.run(directory: result.configuration.dataDirectory, asJSON: asJSON)
            }
        case .serve, .checkConfig:
            return withConfiguration(words, environment) { result in
                if command == .serve { return Server.run(result.configuration, warnings: result.warnings) }
                for warning in result.warnings { StandardStream.write("varve: warning: \(warning)\n", to: .error) }
                for setting in Setting.all {
                    StandardStream.write("\(setting.key): \"\(setting.show(result.configuration))\"\n", to: .output)
                }
                return 0
            }
        }
    }

    private static func withConfiguration(
        _ words: [String], _ environment: [String: String], _ body: (ConfigurationLoader.Result) -> Int32
    ) -> Int32 {
        var flags: [(name: String, value: String)] = []
        var next = 0
        while next < words.count {
            let word = words[next]
            next += 1
            guard word.hasPrefix("--"), word.count > 2 else { return refuse("unexpected argument \"\(word)\"") }
            let name = word.dropFirst(2)
            if let equals = name.firstIndex(of: "=") {
                flags.append((String(name[..<equals]), String(name[name.index(after: equals)...])))
            } else if next < words.count {
                flags.append((String(name), words[next]))
                next += 1
            } else {
                let isKnown = name == "config" || Setting.named(String(name)) != nil
                let question = Suggestion.question(String(name), among: Setting.all.map(\.key) + ["config"])
                return refuse(isKnown ? "\(word) needs a value" : "unknown setting \"\(name)\"\(question)")
            }
        }
        let result = ConfigurationLoader.load(flags: flags, environment: environment, fileSystem: PosixFileSystem())
        guard result.problems.isEmpty else {
            for problem in result.problems { StandardStream.write("varve: \(problem)\n", to: .error) }
            return usageError
        }
        return body(result)
    }

    private static func refuse(_ message: String) -> Int32 {
        StandardStream.write("varve: \(message)\nSee varve help.\n", to: .error)
        return usageError
    }

    // MARK: Help

    private static func help(_ words: [String]) -> Int32 {
        guard let word = words.first else {
            StandardStream.write(generalHelp(), to: .output)
            return 0
        }
        guard words.count == 1, let command = Command(rawValue: word) else {
            return refuse("there is no command \"\(words.joined(separator: " "))\"")
        }
        if command == .keys {
            StandardStream.write(KeysCommand.help, to: .output)
            return 0
        }
        var text = "varve \(word)\(command.takesSettings ? " [--SETTING VALUE …]" : "") – \(command.help)\n"
        if command == .parts { text += "\n  \(padded("--json", 30))one JSON object a part\n" }
        if command.takesSettings { text += "\n" + settingsHelp() }
        StandardStream.write(text, to: .output)
        return 0
    }

    private static func generalHelp() -> String {
        var text = "Varve stores traces, metrics and logs, and answers Jaeger's, Prometheus's and Loki's queries.\n\n"
        for command in Command.allCases { text += "  varve \(padded(command.rawValue, 14))\(command.help)\n" }
        return text + "\n" + settingsHelp()
    }

    private static func settingsHelp() -> String {
        var text = "Settings, as flags, as variables (VARVE_DATA_DIR for data-dir) or in the YAML file of --config:\n\n"
        text += "  \(padded("--config FILE", 30))a file of settings (VARVE_CONFIG)\n"
        let defaults = Configuration()
        for setting in Setting.all {
            text += "  \(padded("--\(setting.key) \(setting.value)", 30))\(setting.help) (\(setting.show(defaults)))\n"
        }
        return text
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
