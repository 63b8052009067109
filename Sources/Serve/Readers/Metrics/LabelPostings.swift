internal import Indexing
internal import QueryModel

/// Which streams have which labels: postings by name and value, of the streams' numbers.
struct LabelPostings {
    /// The values of one name.
    private final class Values {
        let name: String
        /// The streams that have the label, whatever its value.
        let streams = RoaringBitmap()
        var byText: [String: Value] = [:]

        init(_ name: String) { self.name = name }
    }

    private struct Value {
        let text: String
        let streams: RoaringBitmap
    }

    private var names: [String: Values] = [:]
    /// Of memory, about.
    private(set) var byteCount = 0

    private static let bytesPerText = 256
    private static let bytesPerEntry = 6

    /// Adds a stream's labels.
    ///
    /// - Returns: the labels, with texts that all streams share.
    mutating func insert(_ labels: Labels, stream: UInt32) -> Labels {
        Labels(sorted: labels.pairs.map { insert($0, stream) })
    }

    private mutating func insert(_ label: Label, _ stream: UInt32) -> Label {
        let values: Values
        if let known = names[label.name] {
            values = known
        } else {
            values = Values(label.name)
            names[label.name] = values
            byteCount += Self.bytesPerText + label.name.utf8.count
        }
        values.streams.insert(stream)
        byteCount += 2 * Self.bytesPerEntry
        if let known = values.byText[label.value] {
            known.streams.insert(stream)
            return Label(values.name, known.text)
        }
        values.byText[label.value] = Value(text: label.value, streams: RoaringBitmap([stream]))
        byteCount += Self.bytesPerText + label.value.utf8.count
        return Label(values.name, label.value)
    }

    // MARK: Asking

    /// Those of `all` whose labels a matcher accepts.
    func streams(matching matcher: LabelMatcher, of all: RoaringBitmap) -> RoaringBitmap {
        // A stream without the label has the empty value.
        let acceptsMissing = matcher.matchesEmpty
        guard let values = names[matcher.name] else { return acceptsMissing ? all.copy() : RoaringBitmap() }
        if matcher.operator == .equal, !acceptsMissing {
            return values.byText[matcher.value]?.streams.intersection(all) ?? RoaringBitmap()
        }
        if matcher.operator == .notEqual, acceptsMissing {
            let result = all.copy()
            if let refused = values.byText[matcher.value] { result.subtract(refused.streams) }
            return result
        }
        let found = RoaringBitmap()
        for value in values.byText.values where matcher.matches(value.text) != acceptsMissing {
            found.formUnion(value.streams)
        }
        guard acceptsMissing else { return found.intersection(all) }
        let result = all.copy()
        result.subtract(found)
        return result
    }

    /// The names of labels that any of the streams has, in no order.
    func names(in streams: RoaringBitmap) -> [String] {
        names.values.filter { $0.streams.intersects(streams) }.map(\.name)
    }

    /// The values of a label that any of the streams has, in no order.
    func values(of name: String, in streams: RoaringBitmap) -> [String] {
        names[name].map { $0.byText.values.filter { $0.streams.intersects(streams) }.map(\.text) } ?? []
    }
}
