package import Core

/// The states of one aggregate, a state for each group.
///
/// A state is that of some of the group's rows, and states merge in any order to that of all of them: exactly, but for sums of doubles,
/// which are off by a few units of the last place however the rows were parted.
package enum StateColumn: Hashable, Sendable {
    case counts([UInt64])
    case sums([Int128])
    case doubleSums([DoubleSum])
    case integers(Extremum, [Int64?])
    case doubles(Extremum, [Double?])
    case histograms([ExponentialHistogram])
    case distinct(DistinctValues)

    package enum Extremum: UInt8, Hashable, Sendable {
        case least = 0
        case greatest = 1

        @inline(__always)
        func isBetter<Value: Comparable>(_ value: Value, than other: Value?) -> Bool {
            guard let other else { return true }
            return self == .least ? value < other : value > other
        }
    }

    package var count: Int {
        switch self {
        case .counts(let values): values.count
        case .sums(let values): values.count
        case .doubleSums(let values): values.count
        case .integers(_, let values): values.count
        case .doubles(_, let values): values.count
        case .histograms(let values): values.count
        case .distinct(let values): values.groupCount
        }
    }

    /// About the memory that the states take, but for the buckets of histograms.
    var byteCount: Int {
        switch self {
        case .counts(let values): values.capacity * 8
        case .sums(let values): values.capacity * 16
        case .doubleSums(let values): values.capacity * 16
        case .integers(_, let values): values.capacity * 16
        case .doubles(_, let values): values.capacity * 16
        case .histograms(let values): values.capacity * MemoryLayout<ExponentialHistogram>.stride
        case .distinct(let values): values.byteCount
        }
    }

    /// Makes room for groups, each of no rows yet.
    mutating func grow(to groups: Int) {
        switch self {
        case .counts(var values):
            self = .counts([])
            Self.grow(&values, to: groups, 0)
            self = .counts(values)
        case .sums(var values):
            self = .sums([])
            Self.grow(&values, to: groups, 0)
            self = .sums(values)
        case .doubleSums(var values):
            self = .doubleSums([])
            Self.grow(&values, to: groups, DoubleSum())
            self = .doubleSums(values)
        case .integers(let extremum, var values):
            self = .integers(extremum, [])
            Self.grow(&values, to: groups, nil)
            self = .integers(extremum, values)
        case .doubles(let extremum, var values):
            self = .doubles(extremum, [])
            Self.grow(&values, to: groups, nil)
            self = .doubles(extremum, values)
        case .histograms(var values):
            self = .histograms([])
            Self.grow(&values, to: groups, ExponentialHistogram())
            self = .histograms(values)
        case .distinct(var values):
            self = .counts([])
            values.grow(to: groups)
            self = .distinct(values)
        }
    }

    private static func grow<State>(_ values: inout [State], to groups: Int, _ empty: State) {
        guard groups > values.count else { return }
        values.append(contentsOf: repeatElement(empty, count: groups - values.count))
    }

    /// Adds the states of other rows.
    ///
    /// - Parameters:
    ///   - groups: by group of `other`, the group here.
    ///   - numbers: by number of a distinct value there, the number here.
    /// - Returns: false if the columns are of different aggregates.
    mutating func merge(_ other: StateColumn, _ groups: [Int], numbers: [UInt32]?) -> Bool {
        switch (self, other) {
        case (.counts(var values), .counts(let added)):
            self = .counts([])
            for (index, group) in groups.enumerated() { values[group] &+= added[index] }
            self = .counts(values)
        case (.sums(var values), .sums(let added)):
            self = .sums([])
            for (index, group) in groups.enumerated() { values[group] &+= added[index] }
            self = .sums(values)
        case (.doubleSums(var values), .doubleSums(let added)):
            self = .doubleSums([])
            for (index, group) in groups.enumerated() { values[group].merge(added[index]) }
            self = .doubleSums(values)
        case (.integers(let extremum, var values), .integers(let other, let added)):
            guard extremum == other else { return false }
            self = .integers(extremum, [])
            Self.merge(&values, added, groups, extremum)
            self = .integers(extremum, values)
        case (.doubles(let extremum, var values), .doubles(let other, let added)):
            guard extremum == other else { return false }
            self = .doubles(extremum, [])
            Self.merge(&values, added, groups, extremum)
            self = .doubles(extremum, values)
        case (.histograms(var values), .histograms(let added)):
            self = .histograms([])
            for (index, group) in groups.enumerated() { values[group].merge(added[index]) }
            self = .histograms(values)
        case (.distinct(var values), .distinct(let added)):
            self = .counts([])
            values.merge(added, groups, numbers: numbers)
            self = .distinct(values)
        default: return false
        }
        return true
    }

    private static func merge<Value: Comparable>(
        _ values: inout [Value?], _ added: [Value?], _ groups: [Int], _ extremum: Extremum
    ) {
        for (index, group) in groups.enumerated() {
            guard let value = added[index], extremum.isBetter(value, than: values[group]) else { continue }
            values[group] = value
        }
    }
}

/// A sum of doubles that keeps what rounding loses.
///
/// Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
package struct DoubleSum: Hashable, Sendable {
    package private(set) var sum: Double
    package private(set) var compensation: Double

    package init(_ sum: Double = 0, compensation: Double = 0) {
        self.sum = sum
        self.compensation = compensation
    }

    @inline(__always)
    mutating func add(_ addend: Double) {
        let total = sum + addend
        if total.isInfinite || total.isNaN {
            compensation = 0
        } else if abs(sum) >= abs(addend) {
            compensation += (sum - total) + addend
        } else {
            compensation += (addend - total) + sum
        }
        sum = total
    }

    mutating func merge(_ other: DoubleSum) {
        let lost = compensation + other.compensation
        compensation = 0
        add(other.sum)
        compensation = sum.isFinite ? compensation + lost : 0
    }

    package var value: Double { sum + compensation }
}

/// The distinct values of each group, as numbers of a `GroupValues`, up to a limit: of a group that has more nothing else is known.
package struct DistinctValues: Hashable, Sendable {
    let limit: Int
    /// Of group and number.
    private var pairs = GroupTable(width: 2)
    /// By group; `limit` plus one: more than that.
    private(set) var counts: [UInt32] = []

    init(limit: Int) { self.limit = limit }

    var groupCount: Int { counts.count }
    var byteCount: Int { pairs.byteCount + counts.capacity * 4 }

    mutating func grow(to groups: Int) {
        guard groups > counts.count else { return }
        counts.append(contentsOf: repeatElement(0, count: groups - counts.count))
    }

    @inline(__always)
    mutating func insert(_ number: UInt32, _ group: Int) {
        guard Int(counts[group]) <= limit else { return }
        let before = pairs.count
        _ = withUnsafePointer(to: (UInt64(group), UInt64(number))) {
            $0.withMemoryRebound(to: UInt64.self, capacity: 2) { pairs.number($0) }
        }
        if pairs.count > before { counts[group] += 1 }
    }

    mutating func overflow(_ group: Int) { counts[group] = UInt32(limit) + 1 }

    mutating func merge(_ other: DistinctValues, _ groups: [Int], numbers: [UInt32]?) {
        for (index, group) in groups.enumerated() where Int(other.counts[index]) > other.limit { overflow(group) }
        other.forEach { group, number in insert(numbers.map { $0[Int(number)] } ?? number, groups[group]) }
    }

    /// Hands over the groups' values, not those of groups that have too many.
    func forEach(_ body: (_ group: Int, _ number: UInt32) -> Void) {
        for pair in 0..<pairs.count {
            let group = Int(pairs.word(pair, 0))
            if Int(counts[group]) <= limit { body(group, UInt32(pairs.word(pair, 1))) }
        }
    }

    package static func == (left: DistinctValues, right: DistinctValues) -> Bool {
        left.limit == right.limit && left.counts == right.counts && left.sorted == right.sorted
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(counts) }

    private var sorted: [[UInt32]] {
        var sets = counts.map { _ in [UInt32]() }
        forEach { sets[$0].append($1) }
        return sets.map { $0.sorted() }
    }
}
