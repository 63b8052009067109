package import Core
package import Plans
internal import Scheduling

/// What an aggregation makes of some rows: groups, and the state of each aggregate in each group. It has bytes, and merges in any order
/// with the states of other rows by the same aggregation.
///
/// A group is there if it has a row, though none may be counted by an aggregate's filter. Groups have no order.
package struct AggregateStates: Sendable {
    package let aggregation: Aggregation
    /// By key: the distinct values.
    private(set) var values: [GroupValues]
    /// Of the numbers of a group's values, and its bucket.
    private(set) var groups: GroupTable
    /// By aggregate.
    package internal(set) var states: [StateColumn]
    /// By aggregate, if it is `distinct`: the values that its numbers mean.
    private(set) var distinct: [GroupValues?]
    /// The memory that they take, as long as somebody refers to them.
    var leases: [MemoryLease] = []

    /// Of no rows.
    package init(_ aggregation: Aggregation) {
        self.aggregation = aggregation
        values = aggregation.keys.map { _ in GroupValues() }
        groups = GroupTable(width: aggregation.keys.count + 1)
        states = []
        distinct = aggregation.aggregates.map {
            if case .distinct = $0.function { GroupValues() } else { nil }
        }
    }

    init(
        _ aggregation: Aggregation, values: [GroupValues], groups: GroupTable, states: [StateColumn],
        distinct: [GroupValues?]
    ) {
        self.aggregation = aggregation
        self.values = values
        self.groups = groups
        self.states = states
        self.distinct = distinct
    }

    package var groupCount: Int { groups.count }

    /// The value of a key in a group.
    package func value(_ key: Int, of group: Int) -> GroupValue { values[key][Int(groups.word(group, key))] }

    /// The number of the group's bucket.
    package func bucket(of group: Int) -> Int64 { Int64(bitPattern: groups.word(group, values.count)) }

    // MARK: Keys as numbers

    /// Distinct values of a key, numbered from 0 on: what is made of a value can be made once.
    package func valueCount(_ key: Int) -> Int { values[key].count }
    package func value(_ key: Int, number: Int) -> GroupValue { values[key][number] }
    package func number(_ key: Int, of group: Int) -> Int { Int(groups.word(group, key)) }

    // MARK: States

    package func count(_ aggregate: Int, of group: Int) -> UInt64 {
        guard case .counts(let values) = states[aggregate] else { preconditionFailure("aggregate \(aggregate) counts") }
        return values[group]
    }

    package func sum(_ aggregate: Int, of group: Int) -> Int128 {
        guard case .sums(let values) = states[aggregate] else { preconditionFailure("aggregate \(aggregate) is a sum") }
        return values[group]
    }

    package func doubleSum(_ aggregate: Int, of group: Int) -> Double {
        guard case .doubleSums(let values) = states[aggregate] else {
            preconditionFailure("aggregate \(aggregate) is a sum of doubles")
        }
        return values[group].value
    }

    /// Nil: no row counted.
    package func integer(_ aggregate: Int, of group: Int) -> Int64? {
        guard case .integers(_, let values) = states[aggregate] else {
            preconditionFailure("aggregate \(aggregate) is a least or greatest integer")
        }
        return values[group]
    }

    /// Nil: no row counted.
    package func double(_ aggregate: Int, of group: Int) -> Double? {
        guard case .doubles(_, let values) = states[aggregate] else {
            preconditionFailure("aggregate \(aggregate) is a least or greatest double")
        }
        return values[group]
    }

    package func histogram(_ aggregate: Int, of group: Int) -> ExponentialHistogram {
        guard case .histograms(let values) = states[aggregate] else {
            preconditionFailure("aggregate \(aggregate) is a histogram")
        }
        return values[group]
    }

    /// By group; nil where there are more than the limit.
    package func distinctValues(_ aggregate: Int) -> [[GroupValue]?] {
        guard case .distinct(let sets) = states[aggregate], let values = distinct[aggregate] else {
            preconditionFailure("aggregate \(aggregate) is distinct values")
        }
        var found: [[GroupValue]?] = sets.counts.map { Int($0) > sets.limit ? nil : [] }
        sets.forEach { found[$0]?.append(values[Int($1)]) }
        return found
    }

    // MARK: Merging

    /// Adds the states of other rows. Nothing has changed if that fails with `differentAggregations`.
    package mutating func merge(_ other: AggregateStates) throws(ExecutionError) {
        guard aggregation == other.aggregation else { throw .differentAggregations }
        leases += other.leases
        if other.groupCount == 0 { return }
        if states.isEmpty { states = other.states.map { $0.empty } }
        let numbers = values.indices.map { Self.unite(&values[$0], other.values[$0]) }
        var groupOf: [Int] = []
        groupOf.reserveCapacity(other.groupCount)
        var key = [UInt64](repeating: 0, count: groups.width)
        for group in 0..<other.groupCount {
            for index in numbers.indices { key[index] = UInt64(numbers[index][other.number(index, of: group)]) }
            key[numbers.count] = other.groups.word(group, numbers.count)
            groupOf.append(groups.number(key))
        }
        guard groups.count <= aggregation.groupLimit else { throw .tooManyGroups(limit: aggregation.groupLimit) }
        for index in states.indices {
            states[index].grow(to: groups.count)
            var map: [UInt32]?
            if let added = other.distinct[index], var known = distinct[index] {
                distinct[index] = nil
                map = Self.unite(&known, added)
                distinct[index] = known
            }
            guard states[index].merge(other.states[index], groupOf, numbers: map) else { throw .differentAggregations }
        }
    }

    /// - Returns: the numbers here of the values there.
    private static func unite(_ values: inout GroupValues, _ others: GroupValues) -> [UInt32] {
        (0..<others.count).map { number in
            others.withBytes(number) { values.number($0[0], UnsafeRawBufferPointer(rebasing: $0.dropFirst())) }
        }
    }
}

extension StateColumn {
    /// The same aggregate, of no groups.
    var empty: StateColumn {
        switch self {
        case .counts: .counts([])
        case .sums: .sums([])
        case .doubleSums: .doubleSums([])
        case .integers(let extremum, _): .integers(extremum, [])
        case .doubles(let extremum, _): .doubles(extremum, [])
        case .histograms: .histograms([])
        case .distinct(let values): .distinct(DistinctValues(limit: values.limit))
        }
    }
}
