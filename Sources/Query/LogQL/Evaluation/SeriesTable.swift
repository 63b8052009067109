import QueryModel

/// Numbers the series that rows and entries belong to: the sets of labels that are left of theirs.
struct SeriesTable {
    private let grouping: Grouping?
    private let names: Set<String>
    /// The names of `by`, sorted.
    private let groupNames: [String]
    private var byStream: [ObjectIdentifier: Int] = [:]
    /// Keeps the streams alive whose identities are keys.
    private var streams: [LogStream] = []
    private var byKey: [[UInt8]: Int] = [:]
    private var byLabels: [Labels: Int] = [:]
    private(set) var labels: [Labels] = []

    /// - Parameter grouping: nil keeps all labels.
    init(_ grouping: Grouping?) {
        self.grouping = grouping
        names = Set(grouping?.labels ?? [])
        groupNames = grouping.map { $0.isWithout ? [] : Set($0.labels).sorted() } ?? []
    }

    mutating func number(of labels: Labels) -> Int {
        if let known = byLabels[labels] { return known }
        byLabels[labels] = self.labels.count
        self.labels.append(labels)
        return self.labels.count - 1
    }

    mutating func number(of entry: PipelineEntry) -> Int {
        guard entry.hasOnlyStreamLabels else { return number(of: kept(entry)) }
        let identity = ObjectIdentifier(entry.stream)
        if let known = byStream[identity] { return known }
        let number = number(of: kept(entry))
        byStream[identity] = number
        streams.append(entry.stream)
        return number
    }

    private func kept(_ entry: PipelineEntry) -> Labels {
        if let grouping, !grouping.isWithout {
            return Labels(
                sorted: groupNames.compactMap { name in
                    let value = entry.value(of: name) ?? ""
                    return value.isEmpty ? nil : Label(name, value)
                })
        }
        return Labels(sorted: entry.allLabels.filter { !$0.value.isEmpty && !names.contains($0.name) })
    }

    // MARK: Keys

    /// - Parameter key: the values of the labels of `by`, in order, each behind its length as `append` writes it.
    mutating func number(ofKey key: [UInt8]) -> Int {
        if let known = byKey[key] { return known }
        var position = 0
        var kept: [Label] = []
        for name in groupNames {
            let length = Self.takeLength(key, &position)
            let value = String(decoding: key[position..<position + length], as: UTF8.self)
            position += length
            if !value.isEmpty { kept.append(Label(name, value)) }
        }
        let number = number(of: Labels(sorted: kept))
        byKey[key] = number
        return number
    }

    static func append(length: Int, to key: inout [UInt8]) {
        var rest = UInt(bitPattern: length)
        while rest >= 0x80 {
            key.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        key.append(UInt8(rest))
    }

    private static func takeLength(_ key: [UInt8], _ position: inout Int) -> Int {
        var length: UInt = 0
        var shift: UInt = 0
        while key[position] >= 0x80 {
            length |= UInt(key[position] & 0x7F) << shift
            shift += 7
            position += 1
        }
        length |= UInt(key[position]) << shift
        position += 1
        return Int(bitPattern: length)
    }
}
