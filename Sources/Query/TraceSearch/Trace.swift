package import Core
package import QueryModel

/// A trace as a search answers it: complete, each span once.
package struct Trace: Sendable {
    package let id: TraceID
    /// By start, then by span id; never empty.
    package let spans: [TraceSpan]
    /// About how many bytes the spans take in memory.
    let footprint: Int

    /// A span that was stored twice, because its sender repeated a request, is kept once; spans that merely share an id stay.
    ///
    /// - Returns: nil if there are no spans.
    package init?(id: TraceID, spans: [TraceSpan]) {
        guard !spans.isEmpty else { return nil }
        self.id = id
        // Keys are sorted, not spans: to move one counts the references of all that it holds.
        let sorted = spans.indices.map { Key(spans[$0], at: $0) }.sorted { $0.isBefore($1) }
        // Equal spans are neighbours now, with few others among them, unless somebody means harm.
        var kept: [TraceSpan] = []
        kept.reserveCapacity(sorted.count)
        var first = 0
        while first < sorted.count {
            var end = first + 1
            while end < sorted.count, sorted[end].isSame(as: sorted[first]) { end += 1 }
            if end == first + 1 {
                kept.append(spans[sorted[first].index])
            } else {
                var seen: Set<SpanContent> = []
                for key in sorted[first..<end] where seen.insert(SpanContent(span: spans[key.index])).inserted {
                    kept.append(spans[key.index])
                }
            }
            first = end
        }
        self.spans = kept
        footprint = kept.reduce(0) { $0 + $1.footprint }
    }

    private struct Key {
        let start, end: Timestamp
        let id: SpanID
        /// Of those that were given.
        let index: Int

        init(_ span: TraceSpan, at index: Int) {
            (start, end, id) = (span.start, span.end, span.spanID)
            self.index = index
        }

        func isSame(as other: Key) -> Bool { (start, id, end) == (other.start, other.id, other.end) }
        func isBefore(_ other: Key) -> Bool {
            (start, id, end, index) < (other.start, other.id, other.end, other.index)
        }
    }

    /// The earliest start of any span.
    package var start: Timestamp { spans[0].start }

    /// The latest end of any span, and never before `start`.
    package var end: Timestamp { spans.reduce(start) { max($0, $1.end) } }

    /// The first span without a parent, or else the first span.
    package var root: TraceSpan { spans.first { $0.parentSpanID.isZero } ?? spans[0] }
}

extension Trace: FoundTrace {}

extension TraceSpan {
    fileprivate var footprint: Int {
        var bytes = MemoryLayout<TraceSpan>.stride + attributes.footprint
        for event in events { bytes += MemoryLayout<Event>.stride + event.attributes.footprint }
        for link in links { bytes += MemoryLayout<Link>.stride + link.attributes.footprint }
        return bytes
    }
}

extension [Attribute] {
    fileprivate var footprint: Int {
        reduce(0) { $0 + MemoryLayout<Attribute>.stride + $1.key.utf8.count + $1.value.footprint }
    }
}

extension AttributeValue {
    fileprivate var footprint: Int {
        switch self {
        case .empty, .bool, .int, .double: 16
        case .string(let text): 32 + text.utf8.count
        case .bytes(let bytes): 32 + bytes.count
        case .array(let elements): elements.reduce(32) { $0 + $1.footprint }
        case .map(let members): 32 + members.footprint
        }
    }
}
