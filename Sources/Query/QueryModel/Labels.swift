/// A label: a name and its value.
package struct Label: Hashable, Comparable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func < (left: Label, right: Label) -> Bool {
        left.name == right.name ? left.value < right.value : left.name < right.name
    }
}

/// A set of labels with unique names, sorted by name, without empty values (an empty value is an absent label).
package struct Labels: Hashable, Comparable, Sendable {
    package private(set) var pairs: [Label]

    package static let empty = Labels([])

    /// Of labels with the same name the last one counts.
    package init(_ labels: some Sequence<Label>) {
        var byName: [String: String] = [:]
        for label in labels { byName[label.name] = label.value }
        pairs = byName.filter { !$0.value.isEmpty }.map { Label($0.key, $0.value) }.sorted()
    }

    /// Takes labels that are already sorted, unique and non-empty.
    package init(sorted pairs: [Label]) {
        assert(zip(pairs, pairs.dropFirst()).allSatisfy { $0.name < $1.name })
        assert(pairs.allSatisfy { !$0.value.isEmpty })
        self.pairs = pairs
    }

    /// The label's value, or the empty string if it is absent.
    package subscript(name: String) -> String {
        pairs.first { $0.name == name }?.value ?? ""
    }

    package var isEmpty: Bool { pairs.isEmpty }

    package func keeping(_ names: Set<String>) -> Labels {
        Labels(sorted: pairs.filter { names.contains($0.name) })
    }

    package func removing(_ names: Set<String>) -> Labels {
        Labels(sorted: pairs.filter { !names.contains($0.name) })
    }

    /// With `name` set to `value`; an empty value removes it.
    package func setting(_ name: String, to value: String) -> Labels {
        var next = pairs.filter { $0.name != name }
        if !value.isEmpty {
            let index = next.firstIndex { $0.name > name } ?? next.endIndex
            next.insert(Label(name, value), at: index)
        }
        return Labels(sorted: next)
    }

    package static func < (left: Labels, right: Labels) -> Bool {
        left.pairs.lexicographicallyPrecedes(right.pairs)
    }
}
