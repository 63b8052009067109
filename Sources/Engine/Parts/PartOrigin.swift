/// Where the rows of a part come from, as its footer says it: enough to tell from the files alone which of them a store has, should
/// its catalog be lost. docs/FORMAT.md, "Origin".
package enum PartOrigin: Hashable, Sendable {
    case flushed(FlushOrigin)
    /// All rows of its inputs, but those that had expired.
    case merged(level: UInt8, PartSources)
    /// What could be read of one part.
    case repaired(level: UInt8, PartSources)
    /// Rows of a view, which are aggregated from those of another table, and of parts of the view that it replaces, whose sources are its
    /// own. A merge of such parts is `merged`.
    case aggregated(PartSources)

    /// Without what the part's number stands for; see `PartSources.init(_:ofPart:)`.
    package var sources: PartSources {
        switch self {
        case .flushed(let flush): PartSources(own: RowSources(positions: flush.covered))
        case .merged(_, let sources), .repaired(_, let sources), .aggregated(let sources): sources
        }
    }

    package var level: UInt8 {
        switch self {
        case .flushed, .aggregated: 0
        case .merged(let level, _), .repaired(let level, _): level
        }
    }
}

/// A range of a tenant's log whose rows of one table went into parts together, one for each partition that has some.
package struct FlushOrigin: Hashable, Sendable {
    /// Up to which position the table's rows were in parts before.
    package var previous: UInt64
    /// The first and the last position that rows come from.
    package var first: UInt64
    package var last: UInt64
    /// How many parts the flush has.
    package var parts: Int

    package init(previous: UInt64, first: UInt64, last: UInt64, parts: Int) {
        precondition(previous < first && first <= last && last < RowSources.limit && parts > 0)
        self.previous = previous
        self.first = first
        self.last = last
        self.parts = parts
    }

    /// The positions whose rows the flush has; those before the first have none.
    package var covered: ClosedRange<UInt64> { (previous + 1)...last }
}

extension Part {
    /// Nil for a part that was written before there were origins, or not by a flush.
    package var origin: PartOrigin? { footer.origin }

    package func sources(number: UInt64) -> PartSources { PartSources(origin, ofPart: number) }
}

extension PartSources {
    /// - Parameter number: the part's, which stands for the rows of one without an origin.
    package init(_ origin: PartOrigin?, ofPart number: UInt64) {
        self = origin?.sources ?? PartSources(own: RowSources(part: number))
        // Its rows are in no other part, even if those were aggregated from the same.
        if case .aggregated? = origin { formUnion(PartSources(own: RowSources(part: number))) }
    }
}

extension PartOrigin {
    /// Of the part that parts of these sources are merged into.
    package static func merging(_ inputs: [PartSources], level: UInt8) -> PartOrigin {
        var united = PartSources()
        for sources in inputs { united.formUnion(sources) }
        return .merged(level: level, united)
    }
}

/// Origins at the end of a footer.
extension FooterWriter {
    mutating func origin(_ origin: PartOrigin?) {
        switch origin {
        case nil: natural(0)
        case .flushed(let flush):
            natural(1)
            word(flush.previous)
            word(flush.first - flush.previous - 1)
            word(flush.last - flush.first)
            natural(flush.parts)
        case .merged(let level, let sources):
            natural(2)
            natural(Int(level))
            self.sources(sources)
        case .repaired(let level, let sources):
            natural(3)
            natural(Int(level))
            self.sources(sources)
        case .aggregated(let sources):
            natural(4)
            self.sources(sources)
        }
    }

    private mutating func sources(_ sources: PartSources) {
        rows(sources.own)
        natural(sources.aggregated.count)
        for aggregated in sources.aggregated {
            natural(Int(aggregated.table))
            integer(aggregated.partition)
            rows(aggregated.rows)
        }
    }

    private mutating func rows(_ rows: RowSources) {
        natural(rows.positions.count)
        var next: UInt64 = 0
        for range in rows.positions {
            word(range.lowerBound - next)
            word(range.upperBound - range.lowerBound)
            next = range.upperBound + 2
        }
        natural(rows.parts.count)
        next = 0
        for part in rows.parts {
            word(part - next)
            next = part + 1
        }
    }
}

extension FooterReader {
    mutating func origin() throws(PartError) -> PartOrigin? {
        switch try natural(below: 5) {
        case 0: return nil
        case 1:
            let previous = try number(from: 0)
            let first = try number(from: previous + 1)
            let last = try number(from: first)
            let parts = try natural(below: 1 << 32)
            guard parts > 0 else { throw .corruptFooter("it is of a flush without parts") }
            return .flushed(FlushOrigin(previous: previous, first: first, last: last, parts: parts))
        case 2: return .merged(level: UInt8(try natural(below: 256)), try sources())
        case 3: return .repaired(level: UInt8(try natural(below: 256)), try sources())
        default: return .aggregated(try sources())
        }
    }

    /// A position or number that is `base` and so many more.
    private mutating func number(from base: UInt64) throws(PartError) -> UInt64 {
        let more = try word()
        guard base < RowSources.limit, more < RowSources.limit - base else {
            throw .corruptFooter("a number of its origin is out of range")
        }
        return base + more
    }

    private mutating func sources() throws(PartError) -> PartSources {
        let own = try rows()
        var aggregated: [AggregatedSources] = []
        for _ in 0..<(try count()) {
            let table = UInt16(try natural(below: 1 << 16))
            let partition = try integer()
            if let last = aggregated.last, (last.table, last.partition) >= (table, partition) {
                throw .corruptFooter("the sources of its origin are out of order")
            }
            aggregated.append(AggregatedSources(table: table, partition: partition, rows: try rows()))
        }
        return PartSources(sortedAggregated: aggregated, own: own)
    }

    private mutating func rows() throws(PartError) -> RowSources {
        var positions: [ClosedRange<UInt64>] = []
        var next: UInt64 = 0
        for _ in 0..<(try count()) {
            let lower = try number(from: next)
            let upper = try number(from: lower)
            positions.append(lower...upper)
            next = upper + 2
        }
        var parts: [UInt64] = []
        next = 0
        for _ in 0..<(try count()) {
            let part = try number(from: next)
            parts.append(part)
            next = part + 1
        }
        return RowSources(sortedPositions: positions, parts: parts)
    }
}
