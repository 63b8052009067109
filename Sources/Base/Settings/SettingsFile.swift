private import CYAML

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

    /// What an event of the parser means here.
    private enum Event {
        case scalar(String, line: Int)
        case beginMapping(line: Int)
        case endMapping
        case beginList(line: Int)
        case endList
        case other
        case end
        case failure(String, line: Int)
        case unsupported(String, line: Int)
    }

    private mutating func parse(_ bytes: [UInt8]) {
        var parser = unsafe yaml_parser_t()
        guard unsafe yaml_parser_initialize(&parser) == 1 else { return fail("no memory to read it", line: 0) }
        defer { unsafe yaml_parser_delete(&parser) }
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            var expectation = Expectation.document
            var key: (text: String, line: Int)?
            var list: [String] = []
            while problems.isEmpty {
                let event = unsafe Self.next(&parser)
                switch (expectation, event) {
                case (_, .end): return
                case (_, .other): continue
                case (_, .failure(let message, let line)), (_, .unsupported(let message, let line)):
                    fail(message, line: line)
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

    private static func next(_ parser: inout yaml_parser_t) -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(&parser, &event) == 1 else {
            let message = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "not valid YAML"
            return unsafe .failure(message, line: Int(clamping: parser.problem_mark.line) + 1)
        }
        defer { unsafe yaml_event_delete(&event) }
        let line = unsafe Int(clamping: event.start_mark.line) + 1
        switch unsafe event.type {
        case YAML_STREAM_END_EVENT: return .end
        case YAML_MAPPING_START_EVENT: return .beginMapping(line: line)
        case YAML_MAPPING_END_EVENT: return .endMapping
        case YAML_SEQUENCE_START_EVENT: return .beginList(line: line)
        case YAML_SEQUENCE_END_EVENT: return .endList
        case YAML_ALIAS_EVENT: return .unsupported("aliases are not supported", line: line)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe .scalar(String(decoding: bytes, as: UTF8.self), line: line)
        default: return .other
        }
    }
}
