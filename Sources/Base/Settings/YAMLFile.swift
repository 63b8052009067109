internal import Core

/// What the readers of files with a form of their own ask of their nodes; each fault says the file and the line.
package struct YAMLFile: Hashable, Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    /// The members of a mapping, by name; those that are not `known` are refused.
    ///
    /// - Parameter what: the mapping's name in what is said of it.
    package func members(
        _ node: YAMLNode, _ what: String, _ known: [String]
    ) throws(ConfigurationProblem) -> [String: YAMLNode] {
        let members = try members(node, what)
        for member in members where !known.contains(member.key) {
            let question = Suggestion.question(member.key, among: known)
            throw problem("\(what) has no \"\(member.key)\"\(question)", member.line)
        }
        return Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The members of a mapping whose names are not known beforehand; of what is empty there are none.
    package func members(_ node: YAMLNode, _ what: String) throws(ConfigurationProblem) -> [YAMLNode.Member] {
        if isEmpty(node) { return [] }
        guard case .mapping(let members, _) = node else { throw problem("\(what) is a mapping", node.line) }
        return members
    }

    /// The elements of a list; of what is empty there are none.
    package func elements(_ node: YAMLNode, _ what: String) throws(ConfigurationProblem) -> [YAMLNode] {
        if isEmpty(node) { return [] }
        guard case .list(let elements, _) = node else { throw problem("\(what) is a list", node.line) }
        return elements
    }

    package func text(_ node: YAMLNode) throws(ConfigurationProblem) -> String {
        guard case .scalar(let text, _) = node else { throw problem("a plain value is expected", node.line) }
        return text
    }

    /// A list of plain values, or a value alone.
    package func texts(_ node: YAMLNode) throws(ConfigurationProblem) -> [String] {
        guard case .list(let elements, _) = node else { return [try text(node)] }
        var texts: [String] = []
        for element in elements { texts.append(try text(element)) }
        return texts
    }

    /// Reads a value by what reads it wherever it stands.
    package func value<Value>(
        _ node: YAMLNode, of key: String, _ read: (String) throws(SettingError) -> Value
    ) throws(ConfigurationProblem) -> Value {
        let text = try text(node)
        do throws(SettingError) {
            return try read(text)
        } catch {
            throw problem("\(key): \(error.message)", node.line)
        }
    }

    package func problem(_ message: String, _ line: Int) -> ConfigurationProblem {
        ConfigurationProblem(place: .file(path, line: line), message: message)
    }

    private func isEmpty(_ node: YAMLNode) -> Bool { node == .scalar("", line: node.line) }
}
