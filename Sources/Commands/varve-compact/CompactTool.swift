internal import Core
internal import Glibc
internal import Offline

/// `varve-compact`: works on a data directory that no server holds.
enum CompactTool {
    static let version = "0.1.0"

    static var verbs: [any Verb.Type] {
        [InspectVerb.self, VerifyVerb.self, RepairVerb.self, CompactVerb.self, PruneVerb.self, ExportVerb.self]
    }

    /// - Parameter arguments: as the process got them: the command's own name comes first.
    static func run(arguments: [String]) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(arguments.dropFirst())
        guard let first = words.first else {
            Console.error(help())
            return ExitStatus.usage.rawValue
        }
        if ["--help", "-h"].contains(first) { return print(help()) }
        if first == "--version" || first == "version" { return print("varve-compact \(version)\n") }
        if first == "help" {
            guard let word = words.dropFirst().first else { return print(help()) }
            guard let verb = verbs.first(where: { $0.name == word }) else { return unknown(word) }
            return print(verb.help)
        }
        guard let verb = verbs.first(where: { $0.name == first }) else { return unknown(first) }
        let rest = Array(words.dropFirst())
        let ends = rest.firstIndex(of: "--") ?? rest.endIndex
        if rest[..<ends].contains(where: { $0 == "--help" || $0 == "-h" }) { return print(verb.help) }
        do {
            let options = try Options(rest, of: verb)
            return try verb.run(options).rawValue
        } catch {
            return explain(error, verb)
        }
    }

    private static func explain(_ error: any Error, _ verb: any Verb.Type) -> Int32 {
        switch error {
        case let error as UsageError:
            Console.error("varve-compact: \(error.message)\nSee varve-compact \(verb.name) --help.\n")
            return ExitStatus.usage.rawValue
        case OfflineError.inUse(let path):
            Console.error("varve-compact: \(OfflineError.inUse(path))\n")
            return ExitStatus.inUse.rawValue
        case OfflineError.interrupted:
            Console.error("varve-compact: \(OfflineError.interrupted)\n")
            return ExitStatus.interrupted.rawValue
        case is ReaderHasGone: return ExitStatus.done.rawValue
        default:
            Console.error("varve-compact: \(error)\n")
            return ExitStatus.failed.rawValue
        }
    }

    private static func unknown(_ word: String) -> Int32 {
        let question = Suggestion.question(word, among: verbs.map { $0.name } + ["help", "version"])
        Console.error("varve-compact: unknown command \"\(word)\"\(question)\nSee varve-compact --help.\n")
        return ExitStatus.usage.rawValue
    }

    private static func print(_ text: String) -> Int32 {
        var output = StandardOutput()
        do throws(ReaderHasGone) {
            try output.write(text)
            try output.flush()
        } catch {}
        return ExitStatus.done.rawValue
    }

    private static func help() -> String {
        var text = "varve-compact looks after a data directory that no server holds.\n\n"
        for verb in verbs { text += "  varve-compact \(Options.padded(verb.name, 9))\(verb.summary)\n" }
        return text + """

            varve-compact COMMAND --help says more. DIR is the server's data-dir, or a copy of it.

            Exit status: 0 done, and nothing is wrong · 1 damage was found, or rows were lost to it · 2 the command line is
            wrong · 3 a server holds the directory · 4 it could not be done · 130 interrupted

            """
    }
}

/// What the process's exit status says.
enum ExitStatus: Int32 {
    case done = 0
    case damage = 1
    case usage = 2
    case inUse = 3
    case failed = 4
    case interrupted = 130
}
