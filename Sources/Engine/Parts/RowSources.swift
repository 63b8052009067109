/// Where some rows of a table's partition come from: ranges of the tenant's log, and parts that do not say more than that.
///
/// A flush puts all rows of its range of the log that belong to a partition into one part, so within a partition two parts share
/// rows just when their ranges overlap, whatever they were merged from.
package struct RowSources: Hashable, Sendable {
    /// Positions of the log, ascending; no two of them overlap or touch.
    package private(set) var positions: [ClosedRange<UInt64>] = []
    /// Numbers of parts without an origin, ascending.
    package private(set) var parts: [UInt64] = []

    /// The greatest position and number.
    static let limit: UInt64 = 1 << 62

    package init() {}

    package init(positions: ClosedRange<UInt64>) { self.positions = [positions] }

    package init(part: UInt64) { parts = [part] }

    /// Both ascend, and ranges do not touch.
    init(sortedPositions positions: [ClosedRange<UInt64>], parts: [UInt64]) {
        self.positions = positions
        self.parts = parts
    }

    package var isEmpty: Bool { positions.isEmpty && parts.isEmpty }

    package mutating func formUnion(_ other: RowSources) {
        if !other.parts.isEmpty { parts = Set(parts).union(other.parts).sorted() }
        guard !other.positions.isEmpty else { return }
        var united: [ClosedRange<UInt64>] = []
        for range in (positions + other.positions).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = united.last, range.lowerBound <= last.upperBound + 1 {
                united[united.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                united.append(range)
            }
        }
        positions = united
    }

    package func isDisjoint(with other: RowSources) -> Bool {
        var (i, j) = (0, 0)
        while i < positions.count, j < other.positions.count {
            if positions[i].overlaps(other.positions[j]) { return false }
            if positions[i].upperBound < other.positions[j].upperBound { i += 1 } else { j += 1 }
        }
        return parts.isEmpty || other.parts.isEmpty || Set(parts).isDisjoint(with: other.parts)
    }

    package func isSubset(of other: RowSources) -> Bool {
        var j = 0
        for range in positions {
            while j < other.positions.count, other.positions[j].upperBound < range.lowerBound { j += 1 }
            guard j < other.positions.count, other.positions[j].lowerBound <= range.lowerBound,
                range.upperBound <= other.positions[j].upperBound
            else { return false }
        }
        return parts.isEmpty || Set(parts).isSubset(of: other.parts)
    }
}

/// Rows of another table that are aggregated into a part of a rollup.
package struct AggregatedSources: Hashable, Sendable {
    /// The number of the table that they are of.
    package var table: UInt16
    /// The start of their partition there, nanoseconds since the epoch.
    package var partition: Int64
    package var rows: RowSources

    package init(table: UInt16, partition: Int64, rows: RowSources) {
        self.table = table
        self.partition = partition
        self.rows = rows
    }
}

/// Where all rows of a part come from: its own table's, and those of other tables that are aggregated into it.
package struct PartSources: Hashable, Sendable {
    package private(set) var own: RowSources
    /// One for each partition, by table and start.
    package private(set) var aggregated: [AggregatedSources] = []

    package init(own: RowSources = RowSources(), aggregated: [AggregatedSources] = []) {
        self.own = own
        for sources in aggregated { formUnion(sources) }
    }

    /// One for each partition, by table and start.
    init(sortedAggregated aggregated: [AggregatedSources], own: RowSources) {
        self.own = own
        self.aggregated = aggregated
    }

    package mutating func formUnion(_ other: PartSources) {
        own.formUnion(other.own)
        for sources in other.aggregated { formUnion(sources) }
    }

    private mutating func formUnion(_ other: AggregatedSources) {
        func isBefore(_ left: AggregatedSources, _ right: AggregatedSources) -> Bool {
            (left.table, left.partition) < (right.table, right.partition)
        }
        let slot = aggregated.firstIndex { !isBefore($0, other) } ?? aggregated.endIndex
        if slot < aggregated.endIndex, !isBefore(other, aggregated[slot]) {
            aggregated[slot].rows.formUnion(other.rows)
        } else {
            aggregated.insert(other, at: slot)
        }
    }

    /// The aggregated rows of a partition of another table.
    package func aggregated(of table: UInt16, partition: Int64) -> RowSources {
        aggregated.first { $0.table == table && $0.partition == partition }?.rows ?? RowSources()
    }

    package func isDisjoint(with other: PartSources) -> Bool {
        own.isDisjoint(with: other.own)
            && aggregated.allSatisfy {
                $0.rows.isDisjoint(with: other.aggregated(of: $0.table, partition: $0.partition))
            }
    }

    package func isSubset(of other: PartSources) -> Bool {
        own.isSubset(of: other.own)
            && aggregated.allSatisfy { $0.rows.isSubset(of: other.aggregated(of: $0.table, partition: $0.partition)) }
    }
}
