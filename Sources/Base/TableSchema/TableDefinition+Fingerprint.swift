internal import Core

extension TableDefinition {
    /// The hash of the definition's canonical text: one line for each thing that it says.
    ///
    /// Equal definitions have equal texts and different ones different texts, since names hold no blanks.
    var computedFingerprint: UInt64 {
        var lines = ["table \(id.number) \(name)", "partition \(partitionUnit.rawValue) \(partitionColumn.number)"]
        lines += order.map { expression in
            switch expression {
            case .column(let id): "order \(id.number)"
            case .startOfMinute(let id): "order toStartOfMinute \(id.number)"
            }
        }
        for column in columns {
            lines.append(column.canonicalText)
            if case .nested(let fields) = column.type { lines += fields.map { "field " + $0.canonicalText } }
        }
        lines += indexes.map { "index \($0.name) \($0.column.number) \($0.kind.canonicalText)" }
        if let timeToLive, let ttlColumn { lines.append("ttl \(ttlColumn.number) \(timeToLive)") }
        return XXH3.hash(lines.joined(separator: "\n"))
    }
}

extension ColumnDefinition {
    fileprivate var canonicalText: String {
        (["column", String(id.number), name, type.sql] + codecs).joined(separator: " ")
    }
}

extension SkipIndexDefinition.Kind {
    fileprivate var canonicalText: String {
        switch self {
        case .bloomFilter(let rate): "bloom_filter \(rate)"
        case .tokenBloom(let rate): "tokenbf \(rate)"
        case .tokenPostings: "token_postings"
        case .templates: "templates"
        case .minMax: "minmax"
        }
    }
}
