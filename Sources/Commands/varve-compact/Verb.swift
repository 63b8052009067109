internal import Core

/// One thing that the tool does.
protocol Verb {
    static var name: String { get }
    static var summary: String { get }
    /// What follows the name.
    static var synopsis: String { get }
    /// Paragraphs below the options.
    static var notes: String { get }
    static var options: [Options.Definition] { get }

    static func run(_ options: Options) throws -> ExitStatus
}

extension Verb {
    static var help: String {
        var text = "varve-compact \(name) \(synopsis)\n\n\(summary)\n\n"
        for option in options {
            let left = "--\(option.name)" + (option.value.map { " \($0)" } ?? "")
            text += "  \(Options.padded(left, 26))\(option.help)\n"
        }
        return notes.isEmpty ? text : text + "\n\(notes)\n"
    }
}

/// A command line that cannot be understood.
struct UsageError: Error {
    var message: String

    init(_ message: String) { self.message = message }
}

/// The words behind a verb: options in any order, and operands.
struct Options {
    struct Definition {
        var name: String
        /// What stands for its value in the help; nil if it has none.
        var value: String?
        var help: String
        var mayRepeat = false
        var short: String?
    }

    private(set) var operands: [String] = []
    private var values: [String: [String]] = [:]

    init(_ words: [String], of verb: any Verb.Type) throws(UsageError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                operands += rest
                break
            }
            guard word.hasPrefix("-"), word.count > 1 else {
                operands.append(word)
                continue
            }
            try take(word, &rest, verb)
        }
    }

    private mutating func take(_ word: String, _ rest: inout ArraySlice<String>, _ verb: any Verb.Type)
        throws(UsageError)
    {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts[0]
        guard let option = verb.options.first(where: { "--\($0.name)" == name || $0.short == name }) else {
            let question = Suggestion.question(name, among: verb.options.map { "--\($0.name)" } + ["--help"])
            throw UsageError("unknown option \"\(name)\"\(question)")
        }
        var value = ""
        if option.value == nil {
            guard parts.count == 1 else { throw UsageError("--\(option.name) takes no value") }
        } else if parts.count == 2 {
            value = parts[1]
        } else if let next = rest.popFirst() {
            value = next
        } else {
            throw UsageError("--\(option.name) needs a value")
        }
        guard option.mayRepeat || values[option.name] == nil else {
            throw UsageError("--\(option.name) is given twice")
        }
        values[option.name, default: []].append(value)
    }

    func has(_ name: String) -> Bool { values[name] != nil }
    func text(_ name: String) -> String? { values[name]?.first }
    func texts(_ name: String) -> [String] { values[name] ?? [] }

    /// The one operand that every verb has.
    func directory() throws(UsageError) -> String {
        guard let first = operands.first else { throw UsageError("which directory?") }
        guard operands.count == 1 else { throw UsageError("unexpected argument \"\(operands[1])\"") }
        guard !first.isEmpty else { throw UsageError("the directory has no name") }
        return first.count > 1 && first.hasSuffix("/") ? String(first.dropLast()) : first
    }

    func time(_ name: String) throws(UsageError) -> Timestamp? {
        guard let text = text(name) else { return nil }
        guard let time = CalendarTime.parse(text) else {
            throw UsageError("--\(name): \"\(text)\" is no time; it looks like 2026-11-21 or 2026-11-21T14:30:00Z")
        }
        return time
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(
                "--\(name): \"\(text)\" is no whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
