import QueryModel

/// Numbers the series that entries belong to: the sets of labels that are left of theirs.
struct SeriesKeys {
    private let grouping: Grouping?
    private let names: Set<String>
    /// The names of `by`, sorted.
    private let groupNames: [String]
    private var byStream: [ObjectIdentifier: Int] = [:]
    /// Keeps the streams alive whose identities are keys.
    private var streams: [LogStream] = []
    private var byValues: [[String]: Int] = [:]
    private var byLabels: [Labels: Int] = [:]
    private(set) var labels: [Labels] = []

    /// - Parameter grouping: nil keeps all labels.
    init(_ grouping: Grouping?) {
        self.grouping = grouping
        names = Set(grouping?.labels ?? [])
        groupNames = grouping.map { $0.isWithout ? [] : $0.labels.sorted() } ?? []
    }

    mutating func number(of entry: PipelineEntry) -> Int {
        guard entry.hasOnlyStreamLabels else { return find(entry) }
        let identity = ObjectIdentifier(entry.stream)
        if let known = byStream[identity] { return known }
        let number = find(entry)
        byStream[identity] = number
        streams.append(entry.stream)
        return number
    }

    private mutating func find(_ entry: PipelineEntry) -> Int {
        if let grouping, !grouping.isWithout {
            let values = groupNames.map { entry.value(of: $0) ?? "" }
            if let known = byValues[values] { return known }
            byValues[values] = labels.count
            let pairs = zip(groupNames, values).filter { !$0.1.isEmpty }.map { Label($0.0, $0.1) }
            labels.append(Labels(sorted: pairs))
            return labels.count - 1
        }
        let kept = entry.allLabels.filter { !$0.value.isEmpty && !names.contains($0.name) }
        let key = Labels(sorted: kept)
        if let known = byLabels[key] { return known }
        byLabels[key] = labels.count
        labels.append(key)
        return labels.count - 1
    }
}
