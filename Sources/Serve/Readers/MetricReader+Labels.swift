internal import Columns
package import Core
internal import Parts
package import QueryModel
internal import Storage
internal import Telemetry

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
        for matchers in selectors.isEmpty ? [[]] : selectors {
            try streams.forEach(matchers, needingExtra: isExtra) { labels, family, roles in
                if name == "__name__", let family {
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

/// The streams that are in the parts and memtables of a range.
struct StreamSet {
    private let reading: MetricReading
    /// Each once, in the order of their numbers.
    private let models: [SeriesModel]

    init(_ reading: MetricReading) throws(QueryError) {
        self.reading = reading
        var found: [SeriesModel?] = []
        func add(_ models: [SeriesModel]) {
            for model in models {
                if model.number >= found.count {
                    found += Array(repeating: nil, count: model.number + 1024 - found.count)
                }
                if found[model.number] == nil { found[model.number] = model }
            }
        }
        for handle in reading.parts { add(try reading.open(handle).series.models) }
        for batch in reading.memory {
            // Entries beyond the batch's own belong to requests that are not durable yet.
            let count = batch[reading.table.series].dictionary.count
            let models = reading.directory.series(ofMemory: batch, table: reading.table)
            add(Array(models.prefix(count)))
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

/// Finds the bounds and quantiles of streams.
struct MetricLayouts {
    private let reading: MetricReading

    init(_ reading: MetricReading) { self.reading = reading }

    func layouts() throws(QueryError) -> SeriesLayouts {
        var result = SeriesLayouts()
        for handle in reading.parts {
            let (part, series) = try reading.open(handle)
            guard series.runs.contains(where: { Self.hasLayout($0.family) }) else { continue }
            let found = try reading.reading(handle) { () throws(PartError) in
                try series.layouts { () throws(PartError) in try layouts(part, series) }
            }
            result.merge(found)
        }
        for batch in reading.memory {
            let models = reading.directory.series(ofMemory: batch, table: reading.table)
            let points = PointColumns(batch, table: reading.table)
            guard let distribution = points.distribution else { continue }
            find(batch[reading.table.series].codes, distribution, models, into: &result)
        }
        return result
    }

    private static func hasLayout(_ family: MetricFamily) -> Bool {
        family.kind == .histogram || family.kind == .summary
    }

    private func layouts(_ part: Part, _ series: PartSeries) throws(PartError) -> SeriesLayouts {
        let loader = PointLoader(table: reading.table, context: reading.context)
        var result = SeriesLayouts()
        for block in 0..<part.blockCount {
            let codes = try loader.seriesCodes(part, block)
            let kinds = Set(codes.unsafeElements.lazy.compactMap { series.models[Int($0)].family?.kind })
            var fields: [Int] = []
            if kinds.contains(.histogram) { fields.append(MetricTable.DistributionField.bounds) }
            if kinds.contains(.summary) { fields.append(MetricTable.DistributionField.quantiles) }
            guard !fields.isEmpty else { continue }
            let nested = try part.readNested(
                reading.table.distribution.ordinal, fields: fields, block: block,
                statistics: reading.context.statistics)
            find(codes, DistributionColumns(nested, fields: fields), series.models, into: &result)
        }
        return result
    }

    private func find(
        _ codes: Buffer<UInt32>, _ distribution: DistributionColumns, _ models: [SeriesModel],
        into result: inout SeriesLayouts
    ) {
        // The same stream and bounds mostly follow each other: they are put down once.
        var last: (code: UInt32, bounds: UInt32)?
        var known: [UInt32: BucketBounds] = [:]
        for row in codes.indices {
            let model = models[Int(codes.base[row])]
            guard let kind = model.family?.kind, kind == .histogram || kind == .summary,
                let inner = distribution.inner(row)
            else { continue }
            if kind == .histogram, let column = distribution.bounds {
                let code = column.codes[inner]
                if let last, last == (codes.base[row], code) { continue }
                last = (codes.base[row], code)
                let bounds = known[code] ?? reading.directory.bounds(column.dictionary.bytes(Int(code)))
                known[code] = bounds
                result.insert(bounds, model.number)
            } else if let column = distribution.quantiles, case .floats(let levels) = column.elements {
                for level in column.range(inner) {
                    result.quantiles[model.number, default: []].insert(levels.base[level].bitPattern)
                }
            }
        }
    }
}
