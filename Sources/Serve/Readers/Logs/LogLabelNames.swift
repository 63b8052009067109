internal import QueryModel

/// Which labels of the structured metadata are wanted.
struct LogLabelNames: Sendable {
    /// Nil: all of them.
    let wanted: Set<String>?
    /// What has to be looked at: the level may depend on other labels (rule M-6).
    private let needed: Set<String>?

    static let all = LogLabelNames(nil)

    init(_ wanted: Set<String>?) {
        self.wanted = wanted
        guard let wanted, wanted.contains(LogLevel.label) else {
            needed = wanted
            return
        }
        needed = wanted.union(LogLevel.labelNames)
    }

    var wantsLevel: Bool { wants(LogLevel.label) }

    func wants(_ name: String) -> Bool { wanted?.contains(name) ?? true }

    func needs(_ name: String) -> Bool { needed?.contains(name) ?? true }

    /// Whether an attribute with that key may become a label that has to be looked at.
    func mayNeed(attribute key: [UInt8]) -> Bool {
        guard let needed else { return true }
        return needed.contains { LogLabelName.canMake($0, from: key) }
    }

    /// Keeps the labels that are wanted.
    func keep(in labels: inout [Label]) {
        guard let wanted else { return }
        labels.removeAll { !wanted.contains($0.name) }
    }
}
