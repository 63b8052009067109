/// A value of a YAML file, with the line that it begins in; lines count from one.
package indirect enum YAMLNode: Hashable, Sendable {
    case scalar(String, line: Int)
    case list([YAMLNode], line: Int)
    /// Keys are plain, and each is there once.
    case mapping([Member], line: Int)

    package struct Member: Hashable, Sendable {
        package let key: String
        package let line: Int
        package let value: YAMLNode
    }

    /// Values inside of each other, at most.
    private static let deepest = 16

    package var line: Int {
        switch self {
        case .scalar(_, let line), .list(_, let line), .mapping(_, let line): line
        }
    }

    /// Reads a file of one document; an empty one is an empty mapping.
    ///
    /// - Throws: what is wrong with it, and where.
    package static func read(_ bytes: [UInt8], path: String) throws(ConfigurationProblem) -> YAMLNode {
        let result = unsafe bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(ConfigurationProblem) in
                guard let events = unsafe YAMLEvents(buffer) else {
                    throw ConfigurationProblem(place: .file(path, line: 0), message: "no memory to read it")
                }
                var reader = Reader(events: events, path: path)
                return try reader.document()
            }
        }
        return try result.get()
    }

    private struct Reader: ~Copyable {
        var events: YAMLEvents
        let path: String

        mutating func document() throws(ConfigurationProblem) -> YAMLNode {
            var found: YAMLNode?
            while let next = try node(depth: 0) {
                guard found == nil else { throw problem("the file has one document", next.line) }
                found = next
            }
            if let found, found != .scalar("", line: found.line) { return found }
            return .mapping([], line: 1)
        }

        /// - Returns: nil at the end of what is around it.
        private mutating func node(depth: Int) throws(ConfigurationProblem) -> YAMLNode? {
            while true {
                switch events.next() {
                case .other: continue
                case .end, .endMapping, .endList: return nil
                case .failure(let message, let line): throw problem(message, line)
                case .scalar(let text, let line): return .scalar(text, line: line)
                case .beginList(let line):
                    try check(depth, line)
                    var elements: [YAMLNode] = []
                    while let element = try node(depth: depth + 1) { elements.append(element) }
                    return .list(elements, line: line)
                case .beginMapping(let line):
                    try check(depth, line)
                    return .mapping(try members(depth: depth + 1), line: line)
                }
            }
        }

        private mutating func members(depth: Int) throws(ConfigurationProblem) -> [Member] {
            var members: [Member] = []
            var lines: [String: Int] = [:]
            while let key = try node(depth: depth) {
                guard case .scalar(let name, let line) = key else { throw problem("a key is plain text", key.line) }
                if let first = lines.updateValue(line, forKey: name) {
                    throw problem("\"\(name)\" is set twice; first in line \(first)", line)
                }
                guard let value = try node(depth: depth) else { throw problem("\"\(name)\" has no value", line) }
                members.append(Member(key: name, line: line, value: value))
            }
            return members
        }

        private func check(_ depth: Int, _ line: Int) throws(ConfigurationProblem) {
            guard depth < YAMLNode.deepest else { throw problem("values are nested too deeply", line) }
        }

        private func problem(_ message: String, _ line: Int) -> ConfigurationProblem {
            ConfigurationProblem(place: .file(path, line: line), message: message)
        }
    }
}
