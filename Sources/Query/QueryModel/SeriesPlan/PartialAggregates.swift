import Scheduling

/// What an aggregation keeps of one group at one step, so that parts of a group can be aggregated apart and merged in any order.
protocol PartialAggregate: Sendable {
    init()
    mutating func add(_ value: Double)
    mutating func merge(_ other: Self)
    /// `GridSeries.absent` if nothing was added.
    var value: Double { get }
}

/// Sums merge to what one sum of all would be, but for the rounding of what both lost: 2^-104 of the greatest partial sum.
struct PartialSum: PartialAggregate {
    var sum = GridSeries.absent
    var compensation = 0.0

    @inline(__always)
    mutating func add(_ value: Double) {
        // The first value is taken as it is, so that a lone -0 stays one.
        if GridSeries.isAbsent(sum) { sum = value } else { append(value) }
    }

    /// Source: D. E. Knuth, "The Art of Computer Programming", 4.2.2: the exact error of a sum without a branch.
    @inline(__always)
    private mutating func append(_ value: Double) {
        let total = sum + value
        let part = total - sum
        let lost = (sum - (total - part)) + (value - part)
        compensation = total.isInfinite ? 0 : compensation + lost
        sum = total
    }

    mutating func merge(_ other: PartialSum) {
        if GridSeries.isAbsent(other.sum) { return }
        if GridSeries.isAbsent(sum) { return self = other }
        append(other.sum)
        if !sum.isInfinite { compensation += other.compensation }
    }

    var value: Double { GridSeries.isAbsent(sum) ? sum : sum + compensation }
}

struct PartialMean: PartialAggregate {
    var mean = CompensatedMean()

    mutating func add(_ value: Double) { mean.add(value) }

    mutating func merge(_ other: PartialMean) { mean.merge(other.mean) }

    var value: Double { mean.count > 0 ? mean.value : GridSeries.absent }
}

struct PartialMinimum: PartialAggregate {
    var value = GridSeries.absent

    mutating func add(_ next: Double) {
        // NaN, and so what is absent, only stays where there is nothing else.
        if next < value || value.isNaN { value = next }
    }

    mutating func merge(_ other: PartialMinimum) {
        if !GridSeries.isAbsent(other.value) { add(other.value) }
    }
}

struct PartialMaximum: PartialAggregate {
    var value = GridSeries.absent

    mutating func add(_ next: Double) {
        if next > value || value.isNaN { value = next }
    }

    mutating func merge(_ other: PartialMaximum) {
        if !GridSeries.isAbsent(other.value) { add(other.value) }
    }
}

struct PartialCount: PartialAggregate {
    var count = 0

    mutating func add(_ value: Double) { count += 1 }

    mutating func merge(_ other: PartialCount) { count &+= other.count }

    var value: Double { count > 0 ? Double(count) : GridSeries.absent }
}

struct PartialPresence: PartialAggregate {
    var isPresent = false

    mutating func add(_ value: Double) { isPresent = true }

    mutating func merge(_ other: PartialPresence) { isPresent = isPresent || other.isPresent }

    var value: Double { isPresent ? 1 : GridSeries.absent }
}

/// The partial aggregates of groups over a grid.
struct PartialGroups<State: PartialAggregate>: Sendable {
    let stepCount: Int
    private let context: QueryContext
    private var slots: [Labels: Int] = [:]
    /// By slot: its labels, and the least series that has a value in it.
    private(set) var labels: [Labels] = []
    var least: [SeriesName?] = []
    /// By slot and step.
    var states: [State] = []

    init(stepCount: Int, context: QueryContext) {
        self.stepCount = stepCount
        self.context = context
    }

    private var bytesPerGroup: Int { stepCount * MemoryLayout<State>.stride + 256 }

    mutating func slot(of group: Labels) throws(QueryError) -> Int {
        if let known = slots[group] { return known }
        try context.charge(bytes: bytesPerGroup)
        let slot = labels.count
        slots[group] = slot
        labels.append(group)
        least.append(nil)
        states.append(contentsOf: repeatElement(State(), count: stepCount))
        return slot
    }

    /// - Parameter values: by step; not all are absent.
    mutating func add(_ values: Span<Double>, of series: SeriesName, to slot: Int) {
        note(series, in: slot)
        let (count, start) = (stepCount, slot * stepCount)
        var states = states.mutableSpan
        for step in 0..<count where !GridSeries.isAbsent(values[step]) { states[start &+ step].add(values[step]) }
    }

    private mutating func note(_ series: SeriesName, in slot: Int) {
        guard let known = least[slot], !(series < known) else { return least[slot] = series }
    }

    mutating func merge(_ other: PartialGroups) throws(QueryError) {
        for (number, group) in other.labels.enumerated() {
            guard let series = other.least[number] else { continue }
            let slot = try slot(of: group)
            note(series, in: slot)
            let (start, others) = (slot * stepCount, number * stepCount)
            for step in 0..<stepCount { states[start + step].merge(other.states[others + step]) }
        }
        context.release(bytes: other.labels.count * bytesPerGroup)
    }

    /// The groups that have values, in the order of their first series.
    func series() throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        let found = labels.indices.compactMap { slot in least[slot].map { (slot: slot, first: $0) } }
        for (slot, _) in found.sorted(by: { $0.first < $1.first }) {
            try context.charge(bytes: GridSeries.cost(steps: stepCount))
            let states = states[slot * stepCount..<(slot + 1) * stepCount]
            output.append(GridSeries(labels: labels[slot], values: states.map(\.value)))
        }
        context.release(bytes: labels.count * bytesPerGroup)
        return output
    }
}

/// Labels, and one more that is not put in among them unless somebody wants to have it.
struct SeriesName: Comparable, Sendable {
    let base: Labels
    let extra: Label?
    /// Where `extra` would stand.
    private let index: Int

    init(_ base: Labels) {
        self.base = base
        extra = nil
        index = .max
    }

    /// - Parameter base: has no label of that name.
    init(_ base: Labels, _ extra: Label) {
        self.base = base
        self.extra = extra
        index = base.pairs.firstIndex { $0.name > extra.name } ?? base.pairs.count
    }

    var labels: Labels { extra.map { base.setting($0.name, to: $0.value) } ?? base }

    private var count: Int { base.pairs.count + (extra == nil ? 0 : 1) }

    private func label(_ i: Int) -> Label {
        if i < index { return base.pairs[i] }
        if i == index, let extra { return extra }
        return base.pairs[i - 1]
    }

    static func == (left: SeriesName, right: SeriesName) -> Bool { !(left < right) && !(right < left) }

    static func < (left: SeriesName, right: SeriesName) -> Bool {
        for i in 0..<Swift.min(left.count, right.count) {
            let (a, b) = (left.label(i), right.label(i))
            if a != b { return a < b }
        }
        return left.count < right.count
    }
}
