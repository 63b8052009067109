internal import QueryModel

/// Conditions on labels, applied to rows before entries are made of them: each value is put together as an entry would show it.
struct LogLabelHints {
    private let matchers: [LabelMatcher]
    private let names: LogLabelNames
    private let texts: LogTexts

    /// - Returns: nil if there is nothing to check.
    init?(_ matchers: [LabelMatcher], _ texts: LogTexts) {
        guard !matchers.isEmpty else { return nil }
        self.matchers = matchers
        self.texts = texts
        names = LogLabelNames(Set(matchers.map(\.name)))
    }

    /// Keeps the rows whose labels are accepted; index labels come before metadata.
    func keep(in block: LogBlock) throws(QueryError) {
        guard !block.rows.isEmpty else { return }
        let blockLabels = try LogBlockLabels(block, names, texts)
        var kept: [UInt32] = []
        for row in block.rows {
            let index = block.resource(Int(row)).stream.labels
            let labels = try blockLabels.labels(block, Int(row))
            let isAccepted = matchers.allSatisfy { matcher in
                let indexed = index[matcher.name]
                if !indexed.isEmpty { return matcher.matches(indexed) }
                return matcher.matches(labels.first { $0.name == matcher.name }?.value ?? "")
            }
            if isAccepted { kept.append(row) }
        }
        block.rows = kept
    }
}
