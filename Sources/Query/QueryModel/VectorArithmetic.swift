package import Scheduling

/// Operators between vectors over a time grid (rules of §3.3).
///
/// Elements match when their labels agree on `on(…)` or, without it, on all labels but the name and `ignoring(…)`. Matching looks
/// at each timestamp by itself: two series with the same matching labels are allowed as long as they are never present together.
/// So a group of series with equal matching labels is worked on series by series, and each pair timestamp by timestamp.
package struct VectorArithmetic: Sendable {
    package let stepCount: Int
    package let context: QueryContext

    package init(stepCount: Int, context: QueryContext) {
        self.stepCount = stepCount
        self.context = context
    }

    /// Arithmetic or a comparison between matching elements.
    package func combine(
        _ operator: BinaryOperator, _ left: [GridSeries], _ right: [GridSeries],
        matching: VectorMatching, returnsBool: Bool, dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        precondition(!`operator`.isSet && matching.cardinality != .manyToMany)
        let oneIsLeft = matching.cardinality == .oneToMany
        let (many, one) = oneIsLeft ? (right, left) : (left, right)
        if many.isEmpty || one.isEmpty { return [] }
        let key = MatchKey(matching)
        let groups = try group(one, by: key, many: many, side: oneIsLeft ? "left" : "right")
        var taken: [Labels: [Bool]] = [:]
        var output = GridSeriesCollector()
        for series in many {
            try context.proceed()
            let signature = key.signature(of: series.labels)
            guard let partners = groups[signature] else { continue }
            for partner in partners {
                let labels = resultLabels(
                    many: series.labels, one: one[partner].labels, operator: `operator`,
                    matching: matching, returnsBool: returnsBool)
                let pair = PairOperation(
                    operator: `operator`, oneIsLeft: oneIsLeft, returnsBool: returnsBool)
                let result = pair.apply(
                    many: series, one: one[partner], labels: labels, dropped: &dropped)
                guard result.hasAnyValue else { continue }
                try context.charge(bytes: GridSeries.cost(steps: stepCount))
                if matching.cardinality == .oneToOne {
                    try take(result, signature: signature, in: &taken)
                }
                guard output.insert(result) else {
                    throw .execution(
                        "multiple matches for labels: grouping labels must ensure unique matches")
                }
            }
        }
        return output.series
    }

    /// Series by their matching labels, as positions; two of a group may not be present at once.
    private func group(
        _ one: [GridSeries], by key: MatchKey, many: [GridSeries], side: String
    ) throws(QueryError) -> [Labels: [Int]] {
        var groups: [Labels: [Int]] = [:]
        for (position, series) in one.enumerated() {
            groups[key.signature(of: series.labels), default: []].append(position)
        }
        for (signature, members) in groups where members.count > 1 {
            try context.proceed()
            var owner = Array(repeating: -1, count: stepCount)
            for member in members {
                for step in 0..<stepCount where one[member].isPresent(step) {
                    if owner[step] < 0 {
                        owner[step] = member
                    } else if many.contains(where: { $0.isPresent(step) }) {
                        throw .execution(
                            "found duplicate series for the match group \(signature.text) on the \(side) hand-side of the "
                                + "operation: [\(one[member].labels.text), \(one[owner[step]].labels.text)];many-to-many "
                                + "matching not allowed: matching labels must be unique on one side")
                    }
                }
            }
        }
        return groups
    }

    private func take(
        _ result: GridSeries, signature: Labels, in taken: inout [Labels: [Bool]]
    ) throws(QueryError) {
        var steps = taken.removeValue(forKey: signature) ?? Array(repeating: false, count: stepCount)
        for step in 0..<stepCount where result.isPresent(step) {
            if steps[step] {
                throw .execution(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
            }
            steps[step] = true
        }
        taken[signature] = steps
    }

    private func resultLabels(
        many: Labels, one: Labels, operator: BinaryOperator, matching: VectorMatching,
        returnsBool: Bool
    ) -> Labels {
        var labels = many
        if `operator`.dropsMetricName || returnsBool { labels = labels.withoutMetricName }
        if matching.cardinality == .oneToOne {
            let names = Set(matching.labels)
            labels = matching.isOn ? labels.keeping(names) : labels.removing(names)
        }
        for name in matching.included { labels = labels.setting(name, to: one[name]) }
        return labels
    }

    /// `and`, `or`, `unless`.
    package func combineSets(
        _ operator: BinaryOperator, _ left: [GridSeries], _ right: [GridSeries],
        matching: VectorMatching
    ) throws(QueryError) -> [GridSeries] {
        precondition(`operator`.isSet)
        let key = MatchKey(matching)
        switch `operator` {
        case .or:
            // An element of the right may be the same series as one of the left at timestamps at which the left has none.
            var output = GridSeriesCollector()
            for series in try left + masked(right, by: left, key: key, keepsMatches: false) {
                guard output.insert(series) else {
                    throw .execution("vector cannot contain metrics with the same labelset")
                }
            }
            return output.series
        case .and: return try masked(left, by: right, key: key, keepsMatches: true)
        default: return try masked(left, by: right, key: key, keepsMatches: false)
        }
    }

    /// The series with only those places for which `others` has a match (or has none).
    private func masked(
        _ series: [GridSeries], by others: [GridSeries], key: MatchKey, keepsMatches: Bool
    ) throws(QueryError) -> [GridSeries] {
        var present: [Labels: [Bool]] = [:]
        for other in others {
            try context.proceed()
            let signature = key.signature(of: other.labels)
            var steps = present.removeValue(forKey: signature) ?? Array(repeating: false, count: stepCount)
            for step in 0..<stepCount where other.isPresent(step) { steps[step] = true }
            present[signature] = steps
        }
        var result: [GridSeries] = []
        for candidate in series {
            try context.proceed()
            guard let steps = present[key.signature(of: candidate.labels)] else {
                if !keepsMatches { result.append(candidate) }
                continue
            }
            var kept = candidate
            for step in 0..<stepCount where steps[step] != keepsMatches { kept[step] = nil }
            if kept.hasAnyValue { result.append(kept) }
        }
        return result
    }
}

/// Which labels decide whether two elements match.
private struct MatchKey {
    let names: Set<String>
    let isOn: Bool

    init(_ matching: VectorMatching) {
        isOn = matching.isOn
        names = Set(matching.labels).union(matching.isOn ? [] : [Labels.metricName])
    }

    func signature(of labels: Labels) -> Labels {
        isOn ? labels.keeping(names) : labels.removing(names)
    }
}

/// One operator between two series that match.
private struct PairOperation {
    let `operator`: BinaryOperator
    let oneIsLeft: Bool
    let returnsBool: Bool

    func apply(
        many: GridSeries, one: GridSeries, labels: Labels, dropped: inout Bool
    ) -> GridSeries {
        let (left, right) = oneIsLeft ? (one, many) : (many, one)
        var result = GridSeries(labels: labels, empty: many.values.count)
        if left.histograms.isEmpty && right.histograms.isEmpty {
            for step in result.values.indices {
                let (l, r) = (left.values[step], right.values[step])
                if GridSeries.isAbsent(l) || GridSeries.isAbsent(r) { continue }
                if let value = `operator`.apply(l, r, returnsBool: returnsBool, kept: l) {
                    result.values[step] = value
                }
            }
            return result
        }
        for step in result.values.indices {
            guard let l = left[step], let r = right[step] else { continue }
            result[step] = `operator`.apply(l, r, returnsBool: returnsBool, dropped: &dropped)
        }
        return result
    }
}
