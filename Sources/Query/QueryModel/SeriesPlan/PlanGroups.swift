import Scheduling

/// The groups of a plan's reduction: those of its operator, which alone are there.
struct PlanGroups: Sendable {
    var sum: PartialGroups<PartialSum>?
    var avg: PartialGroups<PartialMean>?
    var min: PartialGroups<PartialMinimum>?
    var max: PartialGroups<PartialMaximum>?
    var count: PartialGroups<PartialCount>?
    var group: PartialGroups<PartialPresence>?

    init(_ operator: SeriesPlan.Reduction.Operator, stepCount: Int, context: QueryContext) {
        switch `operator` {
        case .sum: sum = PartialGroups(stepCount: stepCount, context: context)
        case .avg: avg = PartialGroups(stepCount: stepCount, context: context)
        case .min: min = PartialGroups(stepCount: stepCount, context: context)
        case .max: max = PartialGroups(stepCount: stepCount, context: context)
        case .count: count = PartialGroups(stepCount: stepCount, context: context)
        case .group: group = PartialGroups(stepCount: stepCount, context: context)
        }
    }

    mutating func slot(of labels: Labels) throws(QueryError) -> Int {
        if let slot = try sum?.slot(of: labels) { return slot }
        if let slot = try avg?.slot(of: labels) { return slot }
        if let slot = try min?.slot(of: labels) { return slot }
        if let slot = try max?.slot(of: labels) { return slot }
        if let slot = try count?.slot(of: labels) { return slot }
        return try group?.slot(of: labels) ?? 0
    }

    /// - Parameter values: by step; not all are absent.
    mutating func add(_ values: Span<Double>, of series: SeriesName, to slot: Int) {
        sum?.add(values, of: series, to: slot)
        avg?.add(values, of: series, to: slot)
        min?.add(values, of: series, to: slot)
        max?.add(values, of: series, to: slot)
        count?.add(values, of: series, to: slot)
        group?.add(values, of: series, to: slot)
    }

    mutating func merge(_ other: PlanGroups) throws(QueryError) {
        if let others = other.sum { try sum?.merge(others) }
        if let others = other.avg { try avg?.merge(others) }
        if let others = other.min { try min?.merge(others) }
        if let others = other.max { try max?.merge(others) }
        if let others = other.count { try count?.merge(others) }
        if let others = other.group { try group?.merge(others) }
    }

    func series() throws(QueryError) -> [GridSeries] {
        if let sum { return try sum.series() }
        if let avg { return try avg.series() }
        if let min { return try min.series() }
        if let max { return try max.series() }
        if let count { return try count.series() }
        return try group?.series() ?? []
    }
}
