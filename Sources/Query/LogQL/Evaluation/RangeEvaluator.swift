import Core
import QueryModel
import Scheduling

/// Evaluates a range aggregation over all steps in one pass over the rows, by all threads that the source has for it.
enum RangeEvaluator {
    /// - Parameter grouping: as of `RangePlan`.
    static func evaluate(
        _ aggregation: RangeAggregation, grouping: Grouping?, over grid: StepGrid, source: any LogSource,
        context: QueryContext
    ) throws(QueryError) -> [GridSeries] {
        let plan = RangePlan(aggregation, grouping: grouping, grid: grid)
        let range = plan.windows.coverage
        var total = RangeAggregate(plan, context: context)
        try context.admit(range: range)
        if !range.isEmpty {
            total = try source.aggregate(plan.request(range), plan.needs, context: context) {
                RangeAggregate(plan, context: context)
            }
        }
        return try RangeSeries(plan, context: context).series(total)
    }
}

/// Makes series of what was added up.
private struct RangeSeries {
    private let plan: RangePlan
    private let aggregation: RangeAggregation
    private let windows: StepWindows
    private let context: QueryContext

    init(_ plan: RangePlan, context: QueryContext) {
        self.plan = plan
        aggregation = plan.aggregation
        windows = plan.windows
        self.context = context
    }

    func series(_ total: RangeAggregate) throws(QueryError) -> [GridSeries] {
        if aggregation.operation == .absent { return [absence(total)].filter(\.hasAnyValue) }
        var output: [GridSeries] = []
        let order = plan.countsEntries ? [] : Self.order(of: total.blocks)
        // Which thread met which series first must not show, as it would where `topk` chooses among equal values.
        let labels = total.series.labels
        for number in labels.indices.sorted(by: { labels[$0] < labels[$1] }) {
            try context.proceed()
            try context.charge(bytes: GridSeries.cost(steps: windows.grid.count))
            var result = GridSeries(labels: labels[number], empty: windows.grid.count)
            if plan.countsEntries {
                count(total, number, into: &result)
            } else {
                try aggregate(total.samples[number], order, into: &result)
            }
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    private func count(_ total: RangeAggregate, _ number: Int, into result: inout GridSeries) {
        let isRate = aggregation.operation == .rate || aggregation.operation == .bytesRate
        let divisor = isRate ? Double(aggregation.range) / 1e9 : 1
        total.counts[number].forEach { step, count in
            if count > 0, step < result.values.count { result.values[step] = Double(count) / divisor }
        }
        guard plan.measuresBytes else { return }
        total.bytes[number].forEach { step, sum in
            if step < result.values.count, !GridSeries.isAbsent(result.values[step]) {
                result.values[step] = Double(sum) / divisor
            }
        }
    }

    /// By block: its number in the order that blocks of equal times always have.
    private static func order(of blocks: [(source: UInt64, firstRow: Int)]) -> [Int] {
        let sorted = blocks.indices.sorted {
            (blocks[$0].source, blocks[$0].firstRow) < (blocks[$1].source, blocks[$1].firstRow)
        }
        var order = Array(repeating: 0, count: blocks.count)
        for (position, block) in sorted.enumerated() { order[block] = position }
        return order
    }

    private func aggregate(
        _ unordered: [RangeSample], _ order: [Int], into result: inout GridSeries
    ) throws(QueryError) {
        // Samples of a block follow each other in the order of its rows, which a stable sort keeps.
        let samples = unordered.sorted {
            ($0.time, order[Int($0.block)]) < ($1.time, order[Int($1.block)])
        }
        var first = 0
        var end = 0
        for step in result.values.indices {
            if step % 64 == 0 { try context.proceed() }
            let window = windows.window(step)
            while end < samples.count, samples[end].time <= window.end { end += 1 }
            while first < end, samples[first].time <= window.start { first += 1 }
            guard first < end else { continue }
            let sample = SampleWindow(samples: samples[first..<end], range: aggregation.range, end: window.end)
            if let value = sample.value(aggregation.operation, parameter: aggregation.parameter) {
                result.values[step] = value
            }
        }
    }

    /// One where no entry was found; the labels are those that the selector pins down.
    private func absence(_ total: RangeAggregate) -> GridSeries {
        var result = GridSeries(
            labels: aggregation.selector.pinnedLabels, values: Array(repeating: 1, count: windows.grid.count))
        total.counts.first?.forEach { step, count in
            if count > 0, step < result.values.count { result[step] = nil }
        }
        return result
    }
}

extension StepWindows {
    /// The window of a step: behind `start`, up to `end`.
    func window(_ step: Int) -> (start: Int64, end: Int64) {
        let time = grid[step].nanoseconds
        let (end, overflow) = time.subtractingReportingOverflow(offset)
        if overflow { return offset < 0 ? (.max, .max) : (.min, .min) }
        let (start, overflow2) = end.subtractingReportingOverflow(range)
        return (overflow2 ? .min : start, end)
    }
}

extension LogSelector {
    /// Labels that one equality alone gives a value.
    fileprivate var pinnedLabels: Labels {
        let names = Dictionary(grouping: matchers, by: \.name)
        return Labels(
            matchers.filter { $0.operator == .equal && names[$0.name]?.count == 1 }.map { Label($0.name, $0.value) })
    }
}

extension Unwrap {
    /// The sample, and takes its label away. Nil: the entry has none, or a filter drops it.
    ///
    /// A value that cannot be converted is zero with an error, which the filters may look at.
    func value(_ entry: inout PipelineEntry) -> Double? {
        guard let text = entry.value(of: label) else { return nil }
        let converted: Double? =
            switch conversion {
            case .number: Numeral.parse(text)
            case .bytes: Quantity.bytes(text).map { Double($0) }
            case .duration, .durationSeconds: Quantity.duration(text).map { Double($0) / 1e9 }
            }
        if converted == nil, !entry.hasError { entry.fail(.sample, details: "\(text.quoted) is not a value to unwrap") }
        if converted != nil { entry.remove(label) }
        for filter in filters where !filter.accepts(&entry) { return nil }
        return converted ?? 0
    }
}
