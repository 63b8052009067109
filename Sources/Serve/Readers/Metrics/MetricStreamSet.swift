internal import Columns
internal import Core
internal import Indexing
internal import QueryModel
internal import Telemetry

/// The streams that are in the parts and memtables of a range.
struct StreamSet {
    private let reading: MetricReading
    private let streams = RoaringBitmap()

    init(_ reading: MetricReading) throws(QueryError) {
        self.reading = reading
        for handle in reading.parts {
            if let series = try reading.open(handle)?.series { streams.formUnion(series.streams) }
        }
        for batch in reading.memory {
            streams.formUnion(reading.directory.streams(ofMemory: batch, table: reading.table))
        }
    }

    var families: [MetricFamily] { reading.directory.families(of: streams) }

    var hasTargets: Bool { reading.directory.resources(of: streams).contains { $0.target != nil } }

    /// The streams that a selector accepts, by role.
    struct Matches {
        fileprivate(set) var byRole: [(role: SampleRoles, streams: RoaringBitmap)] = []
        /// Series of which more must be known than their streams: where `le` or `quantile` decides or is asked for; and
        /// `target_info`.
        fileprivate(set) var keys: [SeriesKey] = []
    }

    func matches(_ matchers: [LabelMatcher], needingExtra: Bool) throws(QueryError) -> Matches {
        var selection = SeriesSelection(matchers)
        var result = Matches()
        var others: [Int: (model: SeriesModel, roles: SampleRoles)] = [:]
        for (role, streams) in selected(&selection) {
            if role.extraLabel == nil || !needingExtra && !selection.asksForExtra(role) {
                result.byRole.append((role, streams))
                continue
            }
            for model in reading.directory.models(streams) {
                others[model.number, default: (model, [])].roles.insert(role)
            }
        }
        let single = others.sorted { $0.key < $1.key }.map(\.value)
        result.keys = try keys(of: single, selection) + MetricTargets(reading).keys(selection, of: streams)
        return result
    }

    /// By role; none is empty.
    private func selected(
        _ selection: inout SeriesSelection
    ) -> [(role: SampleRoles, streams: RoaringBitmap)] {
        selection.resolve(in: reading.directory)
        return (selection.selected?.byRole ?? []).compactMap { role, accepted in
            let streams = accepted.intersection(streams)
            return streams.isEmpty ? nil : (role, streams)
        }
    }

    /// The series that match, each once.
    func keys(_ matchers: [LabelMatcher]) throws(QueryError) -> [SeriesKey] {
        var selection = SeriesSelection(matchers)
        let all = RoaringBitmap()
        for (_, streams) in selected(&selection) { all.formUnion(streams) }
        let found = reading.directory.models(all).map { (model: $0, roles: selection.roles(of: $0)) }
        return try keys(of: found, selection) + MetricTargets(reading).keys(selection, of: streams)
    }

    private func keys(
        of streams: [(model: SeriesModel, roles: SampleRoles)], _ selection: SeriesSelection
    ) throws(QueryError) -> [SeriesKey] {
        var layouts = SeriesLayouts()
        if streams.contains(where: { !$0.roles.isDisjoint(with: [.bucket, .quantile]) }) {
            layouts = try MetricLayouts(reading).layouts()
        }
        let directory = reading.directory
        var keys: [SeriesKey] = []
        for (index, (model, roles)) in streams.enumerated() {
            if index % 1024 == 0 { try reading.context.proceed() }
            for role in [SampleRoles.value, .count, .sum] where roles.contains(role) {
                keys.append(model.key(role, in: directory))
            }
            if roles.contains(.bucket) {
                for bounds in layouts.bounds[model.number] ?? [] {
                    for (text, key) in zip(bounds.texts, model.keys(bounds, in: directory))
                    where selection.accepts(extra: text, .bucket) { keys.append(key) }
                }
            }
            if roles.contains(.quantile) {
                for bits in (layouts.quantiles[model.number] ?? []).sorted() {
                    let quantile = Double(bitPattern: bits)
                    if selection.accepts(extra: MetricLabelText.plain(quantile), .quantile) {
                        keys.append(model.key(quantile: quantile, in: directory))
                    }
                }
            }
        }
        return keys
    }
}
