package import Core
package import QueryModel
package import Scheduling

/// Label sets, names and values: from dictionaries, of the parts and memtables that overlap the range (rule P-21).
///
/// Which values of `le` and `quantile` a stream has is not in its identity. Where a call depends on them, they are read from the
/// rows' own columns, once per part.
extension MetricReader {
    package func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] {
        let streams = try StreamSet(reading(in: range, forDeltas: false, context: context))
        var known: Set<Int> = []
        var sets: [Labels] = []
        for matchers in selectors.isEmpty ? [[]] : selectors {
            for key in try streams.keys(matchers) where known.insert(key.number).inserted {
                sets.append(key.labels)
            }
        }
        try context.charge(bytes: sets.count * 64)
        return sets
    }

    package func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] {
        let streams = try StreamSet(reading(in: range, forDeltas: false, context: context))
        var names: Set<String> = []
        for matchers in selectors.isEmpty ? [[]] : selectors {
            try streams.forEach(matchers, needingExtra: false) { labels, family, roles in
                for pair in labels.pairs { names.insert(pair.name) }
                if family != nil { names.insert("__name__") }
                for role in SampleRoles.all where roles.contains(role) {
                    if let extra = role.extraLabel { names.insert(extra) }
                }
            }
        }
        return names.sorted()
    }

    package func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange,
        context: QueryContext
    ) throws(QueryError) -> [String] {
        let streams = try StreamSet(reading(in: range, forDeltas: false, context: context))
        let isExtra = name == "le" || name == "quantile"
        var values: Set<String> = []
        var seen: Set<Int> = []
        for matchers in selectors.isEmpty ? [[]] : selectors {
            try streams.forEach(matchers, needingExtra: isExtra) { labels, family, roles in
                if name == "__name__", let family {
                    guard seen.insert(family.number << 8 | Int(roles.rawValue)).inserted else { return }
                    for role in SampleRoles.all where roles.contains(role) {
                        values.insert(family.sampleName(role))
                    }
                } else {
                    values.insert(labels[name])
                }
            }
        }
        values.remove("")
        return values.sorted()
    }

    package func metadata(
        metric: String?, context: QueryContext
    ) throws(QueryError) -> [String: [MetricMetadata]] {
        let streams = try StreamSet(reading(in: .everything, forDeltas: false, context: context))
        var found: [String: Set<MetricMetadata>] = [:]
        for family in streams.families where metric == nil || metric == family.name {
            found[family.name, default: []].insert(
                MetricMetadata(type: family.type, help: family.help, unit: family.unit))
        }
        if metric == nil || metric == MetricTargets.name, streams.hasTargets {
            found[MetricTargets.name, default: []].insert(MetricTargets.metadata)
        }
        return found.mapValues { items in
            items.sorted { ($0.type, $0.help, $0.unit) < ($1.type, $1.help, $1.unit) }
        }
    }
}
