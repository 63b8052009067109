/// The settings of a YAML file: one mapping from keys to plain values, or to lists of them, which are joined by commas.
package struct SettingsFile {
    package struct Entry: Hashable {
        package var key: String
        package var value: String
        package var line: Int
    }

    package private(set) var entries: [Entry] = []
    package private(set) var problems: [ConfigurationProblem] = []
    private let path: String

    /// The entries up to the first thing that is not as it must be, which is the only problem.
    package static func read(_ bytes: [UInt8], path: String) -> SettingsFile {
        var file = SettingsFile(path: path)
        file.parse(bytes)
        return file
    }

    private init(path: String) { self.path = path }

    private enum Expectation { case document, key, value, list, end }

    private mutating func parse(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard var events = unsafe YAMLEvents(buffer) else { return fail("no memory to read it", line: 0) }
            var expectation = Expectation.document
            var key: (text: String, line: Int)?
            var list: [String] = []
            while problems.isEmpty {
                let event = events.next()
                switch (expectation, event) {
                case (_, .end): return
                case (_, .other): continue
                case (_, .failure(let message, let line)): fail(message, line: line)
                case (.document, .beginMapping): expectation = .key
                case (.document, .scalar("", _)): expectation = .end
                case (.key, .scalar(let text, let line)):
                    if let first = entries.first(where: { $0.key == text }) {
                        fail("\"\(text)\" is set twice; first in line \(first.line)", line: line)
                    }
                    key = (text, line)
                    expectation = .value
                case (.key, .endMapping): expectation = .end
                case (.value, .scalar(let text, _)):
                    if let key { entries.append(Entry(key: key.text, value: text, line: key.line)) }
                    expectation = .key
                case (.value, .beginList):
                    list = []
                    expectation = .list
                case (.list, .scalar(let text, _)): list.append(text)
                case (.list, .endList):
                    if let key {
                        entries.append(Entry(key: key.text, value: list.joined(separator: ","), line: key.line))
                    }
                    expectation = .key
                case (.value, .beginMapping(let line)):
                    fail("\"\(key?.text ?? "")\" has a plain value, not settings below it", line: line)
                case (_, .scalar(_, let line)), (_, .beginMapping(let line)), (_, .beginList(let line)):
                    fail("the file is a mapping of settings to values", line: line)
                case (_, .endMapping), (_, .endList): continue
                }
            }
        }
    }

    private mutating func fail(_ message: String, line: Int) {
        problems.append(ConfigurationProblem(place: .file(path, line: line), message: message))
    }
}
