internal import Columns
internal import QueryModel
internal import Telemetry

/// The streams that are in the parts and memtables of a range.
struct StreamSet {
    private let reading: MetricReading
    /// Each once, in the order of their numbers.
    private let models: [SeriesModel]

    init(_ reading: MetricReading) throws(QueryError) {
        self.reading = reading
        var found: [SeriesModel?] = []
        func add(_ model: SeriesModel) {
            if model.number >= found.count {
                found += Array(repeating: nil, count: model.number + 1024 - found.count)
            }
            found[model.number] = model
        }
        for handle in reading.parts {
            guard let series = try reading.open(handle)?.series else { continue }
            for (code, number) in series.numbers.enumerated()
            where number >= found.count || found[Int(number)] == nil { add(series.models[code]) }
        }
        for batch in reading.memory {
            // Entries beyond the batch's own belong to requests that are not durable yet.
            let count = batch[reading.table.series].dictionary.count
            let models = reading.directory.series(ofMemory: batch, table: reading.table)
            for model in models.prefix(count) { add(model) }
        }
        models = found.compactMap { $0 }
    }

    var families: [MetricFamily] {
        var known: Set<Int> = []
        return models.compactMap(\.family).filter { known.insert($0.number).inserted }
    }

    var hasTargets: Bool { models.contains { $0.resource.target != nil } }

    /// Calls `body` with the labels of what matches: with the labels that a stream's series share, the family and the roles; or
    /// with all labels of one series, where `le` or `quantile` decides or is asked for, and for `target_info`.
    func forEach(
        _ matchers: [LabelMatcher], needingExtra: Bool,
        _ body: (Labels, MetricFamily?, SampleRoles) -> Void
    ) throws(QueryError) {
        var selection = SeriesSelection(matchers)
        var single: [(model: SeriesModel, roles: SampleRoles)] = []
        for model in models {
            let roles = selection.roles(of: model)
            guard !roles.isEmpty, let family = model.family else { continue }
            var direct: SampleRoles = []
            var others: SampleRoles = []
            for role in SampleRoles.all where roles.contains(role) {
                let isDirect = role.extraLabel == nil || !needingExtra && !selection.asksForExtra(role)
                if isDirect { direct.insert(role) } else { others.insert(role) }
            }
            if !direct.isEmpty { body(model.labels, family, direct) }
            if !others.isEmpty { single.append((model, others)) }
        }
        for key in try keys(of: single, selection) { body(key.labels, nil, []) }
        for key in try MetricTargets(reading).keys(selection) { body(key.labels, nil, []) }
    }

    /// The series that match, each once.
    func keys(_ matchers: [LabelMatcher]) throws(QueryError) -> [SeriesKey] {
        var selection = SeriesSelection(matchers)
        var streams: [(model: SeriesModel, roles: SampleRoles)] = []
        for model in models {
            let roles = selection.roles(of: model)
            if !roles.isEmpty { streams.append((model, roles)) }
        }
        return try keys(of: streams, selection) + MetricTargets(reading).keys(selection)
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
