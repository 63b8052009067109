package import Scheduling

/// The labels that group an aggregation's input: `by (…)`, `without (…)`; neither is `by ()`.
package struct Grouping: Hashable, Sendable {
    package var labels: [String]
    package var isWithout: Bool

    package init(labels: [String] = [], isWithout: Bool = false) {
        self.labels = labels
        self.isWithout = isWithout
    }

    package static let everything = Grouping()
}

/// Aggregations of vectors over a time grid (rules of §3.4).
package struct Aggregation: Sendable {
    /// The aggregations that make one element of each group.
    package enum Reduction: String, Sendable, CaseIterable {
        case sum, avg, min, max, count, group, stddev, stdvar
    }

    /// The aggregations that choose elements of each group.
    package enum Choice: String, Sendable, CaseIterable { case topk, bottomk, limitk }

    package let grouping: Grouping
    package let stepCount: Int
    package let context: QueryContext
    private let names: Set<String>

    package init(grouping: Grouping, stepCount: Int, context: QueryContext) {
        self.grouping = grouping
        self.stepCount = stepCount
        self.context = context
        names = Set(grouping.labels).union(grouping.isWithout ? [Labels.metricName] : [])
    }

    /// The labels of the group that a series belongs to.
    package func groupLabels(of labels: Labels) -> Labels {
        grouping.isWithout ? labels.removing(names) : labels.keeping(names)
    }

    /// Series by group, as positions, groups in order of their first series.
    func groups(of series: [GridSeries]) throws(QueryError) -> [(labels: Labels, members: [Int])] {
        var groups: [(labels: Labels, members: [Int])] = []
        var positions: [Labels: Int] = [:]
        for (member, one) in series.enumerated() {
            if member % 1024 == 0 { try context.proceed() }
            let labels = groupLabels(of: one.labels)
            if let position = positions[labels] {
                groups[position].members.append(member)
            } else {
                positions[labels] = groups.count
                groups.append((labels, [member]))
            }
        }
        return groups
    }

    /// - Parameter dropped: set if samples of a kind that the reduction does not take, or mixed kinds, were left out.
    package func reduce(
        _ reduction: Reduction, _ series: [GridSeries], dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        switch reduction {
        case .sum: try reduceSums(series, averages: false, dropped: &dropped)
        case .avg: try reduceSums(series, averages: true, dropped: &dropped)
        case .min: try reduce(series, with: Minimum.self, dropped: &dropped)
        case .max: try reduce(series, with: Maximum.self, dropped: &dropped)
        case .count: try reduce(series, with: Count.self, dropped: &dropped)
        case .group: try reduce(series, with: Presence.self, dropped: &dropped)
        case .stddev: try reduce(series, with: StandardDeviation.self, dropped: &dropped)
        case .stdvar: try reduce(series, with: Variance.self, dropped: &dropped)
        }
    }

    func reduce<Aggregate: SampleAggregator>(
        _ series: [GridSeries], with aggregate: Aggregate.Type, dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        for (labels, members) in try groups(of: series) {
            let bytes = stepCount * MemoryLayout<Aggregate>.stride
            try context.charge(bytes: bytes + GridSeries.cost(steps: stepCount))
            defer { context.release(bytes: bytes) }
            var aggregates = Array(repeating: Aggregate(), count: stepCount)
            for member in members {
                try context.proceed()
                let values = series[member].values
                for step in 0..<stepCount where !GridSeries.isAbsent(values[step]) {
                    aggregates[step].add(values[step])
                }
                for (step, histogram) in series[member].histograms.enumerated() where histogram != nil {
                    if Aggregate.takesHistograms { aggregates[step].add(0) } else { dropped = true }
                }
            }
            let values = aggregates.map { $0.count > 0 ? $0.value : GridSeries.absent }
            let result = GridSeries(labels: labels, values: values)
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    /// `quantile(φ, …)`; `quantile` has a value for each timestamp.
    package func quantile(
        _ quantile: [Double], _ series: [GridSeries], dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        for (labels, members) in try groups(of: series) {
            try context.charge(bytes: GridSeries.cost(steps: stepCount))
            var result = GridSeries(labels: labels, empty: stepCount)
            var column: [Double] = []
            for step in 0..<stepCount {
                if step % 64 == 0 { try context.proceed() }
                column.removeAll(keepingCapacity: true)
                for member in members {
                    let value = series[member].values[step]
                    if !GridSeries.isAbsent(value) {
                        column.append(value)
                    } else if series[member].isPresent(step) {
                        dropped = true
                    }
                }
                if !column.isEmpty { result.values[step] = Quantile.value(quantile[step], of: &column) }
            }
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    /// `count_values("name", …)`: how many elements have each value; `text` writes a value as the label's value.
    package func countValues(
        into name: String, _ series: [GridSeries], text: (Double) -> String
    ) throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        for (labels, members) in try groups(of: series) {
            var positions: [UInt64: Int] = [:]
            for step in 0..<stepCount {
                if step % 64 == 0 { try context.proceed() }
                for member in members {
                    let value = series[member].values[step]
                    if GridSeries.isAbsent(value) { continue }
                    // One text for every NaN.
                    let key = value.isNaN ? Double.nan.bitPattern : value.bitPattern
                    let position: Int
                    if let known = positions[key] {
                        position = known
                    } else {
                        try context.charge(bytes: GridSeries.cost(steps: stepCount))
                        position = output.count
                        positions[key] = position
                        let counted = labels.setting(name, to: text(value))
                        output.append(GridSeries(labels: counted, empty: stepCount))
                    }
                    let counted = output[position].values[step]
                    output[position].values[step] = GridSeries.isAbsent(counted) ? 1 : counted + 1
                }
            }
        }
        return try merged(output)
    }

    /// Adds up counts of groups that a label of theirs being overwritten has made equal.
    private func merged(_ counted: [GridSeries]) throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        var positions: [Labels: Int] = [:]
        for one in counted {
            guard let position = positions[one.labels] else {
                positions[one.labels] = output.count
                output.append(one)
                continue
            }
            for step in 0..<stepCount where one.isPresent(step) {
                let sum = output[position].values[step]
                output[position].values[step] =
                    GridSeries.isAbsent(sum) ? one.values[step] : sum + one.values[step]
            }
        }
        return output
    }
}

/// The φ-quantile of values (rules of §3.6).
package enum Quantile {
    /// Between the two nearest ranks of `φ·(n-1)`; NaN counts as the least value. Sorts `values`, which must not be empty.
    package static func value(_ quantile: Double, of values: inout [Double]) -> Double {
        if quantile.isNaN { return .nan }
        if quantile < 0 { return -.infinity }
        if quantile > 1 { return .infinity }
        values.sort { left, right in left < right || (left.isNaN && !right.isNaN) }
        let rank = quantile * Double(values.count - 1)
        let lower = Int(rank.rounded(.down))
        let upper = Swift.min(values.count - 1, lower + 1)
        let weight = rank - rank.rounded(.down)
        return values[lower] * (1 - weight) + values[upper] * weight
    }
}
