internal import Columns
package import Core
package import QueryModel
package import Scheduling
internal import Telemetry

/// Exemplars (rules P-24, T-10).
extension MetricReader {
    /// How long after an exemplar the point that carries it may come: an exemplar lies in its point's interval, and nobody
    /// exports less often than this.
    private static let longestInterval: Int64 = 600_000_000_000

    package func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])] {
        guard !range.isEmpty else { return [] }
        let points = TimeRange(start: range.start, end: range.end.advanced(by: Self.longestInterval))
        let reading = reading(in: points, forDeltas: false, context: context)
        let found = FoundExemplars()
        for matchers in selectors.isEmpty ? [[]] : selectors {
            let selection = SeriesSelection(matchers)
            let shared = CollectionContext(
                directory: reading.directory, range: range, selection: selection)
            var scan = SampleScan(reading, selection, range: points) { model, family, roles in
                ExemplarCollector(model, family, roles, shared, found, translation.names)
            }
            var output = SeriesOutput()
            try scan.collect(into: &output)
        }
        return found.sorted()
    }
}

/// The exemplars of a query by series, each once: senders repeat an exemplar until a newer one takes its place.
final class FoundExemplars {
    private var series: [Int: (key: SeriesKey, exemplars: Set<SeriesExemplar>)] = [:]

    func insert(_ exemplar: SeriesExemplar, _ key: SeriesKey) {
        series[key.number, default: (key, [])].exemplars.insert(exemplar)
    }

    func sorted() -> [(labels: Labels, exemplars: [SeriesExemplar])] {
        series.values.sorted { $0.key.labels < $1.key.labels }.map { key, exemplars in
            let sorted = exemplars.sorted {
                $0.timestamp != $1.timestamp
                    ? $0.timestamp < $1.timestamp
                    : $0.value != $1.value ? $0.value < $1.value : $0.labels < $1.labels
            }
            return (key.labels, sorted)
        }
    }
}

/// Takes the exemplars of one stream.
final class ExemplarCollector: PointCollector {
    /// The longest label set that has attributes, in characters; a longer one keeps only the ids.
    private static let longestLabels = 128

    private let model: SeriesModel
    private let kind: MetricKind
    private let roles: SampleRoles
    private let shared: CollectionContext
    private let found: FoundExemplars
    private let names: NameTranslation

    init(
        _ model: SeriesModel, _ family: MetricFamily, _ roles: SampleRoles, _ shared: CollectionContext,
        _ found: FoundExemplars, _ names: NameTranslation
    ) {
        self.model = model
        kind = family.kind
        self.roles = roles
        self.shared = shared
        self.found = found
        self.names = names
    }

    /// An exemplar of a histogram belongs to the series of its bucket; sums and counts have none.
    private var isWanted: Bool { roles.contains(kind == .histogram ? .bucket : .value) }

    var needs: PointNeeds {
        guard isWanted else { return [] }
        return kind == .histogram ? [.exemplars, .buckets] : .exemplars
    }

    var bytesPerPoint: Int { isWanted ? 64 : 0 }

    func append(_ rows: Range<Int>, _ points: PointColumns) {
        guard isWanted, let column = points.exemplars else { return }
        for row in rows {
            for inner in column.range(row) { append(row, inner, column, points) }
        }
    }

    private func append(_ row: Int, _ inner: Int, _ column: NestedColumn, _ points: PointColumns) {
        let (offset, overflow) = points.times[row].addingReportingOverflow(
            column.integer(MetricTable.ExemplarField.timeOffset, inner))
        let time = Timestamp(nanoseconds: offset)
        guard !overflow, shared.range.contains(time) else { return }
        guard let value = column.exemplarValue(inner)?.number, let key = key(of: value, row, points) else { return }
        found.insert(
            SeriesExemplar(
                labels: labels(column, inner), value: value, timestamp: time.milliseconds), key)
    }

    private func key(of value: Double, _ row: Int, _ points: PointColumns) -> SeriesKey? {
        guard kind == .histogram else { return model.key(.value, in: shared.directory) }
        guard let distribution = points.distribution, let inner = distribution.inner(row),
            let column = distribution.bounds
        else { return nil }
        let bounds = shared.bounds(column, inner)
        let bucket = bounds.bounds.firstIndex { value <= $0 } ?? bounds.bounds.count
        guard shared.selection.accepts(extra: bounds.texts[bucket], .bucket) else { return nil }
        return model.keys(bounds, in: shared.directory)[bucket]
    }

    private func labels(_ column: NestedColumn, _ inner: Int) -> Labels {
        var ids: [Label] = []
        let (trace, span) = column.exemplarIDs(inner)
        if !trace.isZero { ids.append(Label("trace_id", trace.hex)) }
        if !span.isZero { ids.append(Label("span_id", span.hex)) }
        var labels = ids
        for attribute in column.exemplarAttributes(inner) {
            let name = names.labelName(attribute.key)
            if !name.isEmpty { labels.insert(Label(name, attribute.value.text), at: 0) }
        }
        // Of equal names the last counts: the ids.
        let all = Labels(labels)
        let length = all.pairs.reduce(0) { $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count }
        return length <= Self.longestLabels ? all : Labels(ids)
    }

    func finish(into output: inout SeriesOutput) {}
}
