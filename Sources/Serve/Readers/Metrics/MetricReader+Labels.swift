package import Core
internal import Indexing
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
        let reading = reading(in: range, forDeltas: false, context: context)
        let (streams, directory) = (try StreamSet(reading), reading.directory)
        var names: Set<String> = []
        for matchers in selectors.isEmpty ? [[]] : selectors {
            let matches = try streams.matches(matchers, needingExtra: false)
            let all = RoaringBitmap()
            for (role, streams) in matches.byRole {
                all.formUnion(streams)
                if let extra = role.extraLabel { names.insert(extra) }
            }
            names.formUnion(directory.labelNames(of: all))
            if !all.isEmpty { names.insert("__name__") }
            for key in matches.keys { names.formUnion(key.labels.pairs.map(\.name)) }
        }
        try context.charge(bytes: names.count * 64)
        return names.sorted()
    }

    package func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange,
        context: QueryContext
    ) throws(QueryError) -> [String] {
        let reading = reading(in: range, forDeltas: false, context: context)
        let (streams, directory) = (try StreamSet(reading), reading.directory)
        let isExtra = name == "le" || name == "quantile"
        var values: Set<String> = []
        for matchers in selectors.isEmpty ? [[]] : selectors {
            let matches = try streams.matches(matchers, needingExtra: isExtra)
            for (role, streams) in matches.byRole {
                if name == "__name__" {
                    values.formUnion(directory.families(of: streams).map { $0.sampleName(role) })
                } else {
                    values.formUnion(directory.labelValues(of: name, in: streams))
                }
            }
            for key in matches.keys { values.insert(key.labels[name]) }
        }
        values.remove("")
        try context.charge(bytes: values.count * 64)
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
