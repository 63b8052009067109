internal import Columns
internal import Core
internal import QueryModel

/// Summaries: a series per quantile, the sum and the count.
final class SummaryCollector: PointCollector {
    private let model: SeriesModel
    private let roles: SampleRoles
    private let shared: CollectionContext
    private var counts: SampleBuilder
    private var sums: SampleBuilder
    /// Of points that say that there is no value: they have no quantiles, and end the series of all.
    private var staleTimes: [Int64] = []
    /// By the quantile's bits.
    private var quantiles: [UInt64: SampleBuilder] = [:]

    init(_ model: SeriesModel, _ roles: SampleRoles, _ shared: CollectionContext) {
        self.model = model
        self.roles = roles
        self.shared = shared
        counts = SampleBuilder(range: shared.range)
        sums = SampleBuilder(range: shared.range)
    }

    var needs: PointNeeds {
        var needs: PointNeeds = []
        if roles.contains(.count) { needs.insert(.count) }
        if roles.contains(.sum) { needs.insert(.sum) }
        if roles.contains(.quantile) { needs.insert(.quantiles) }
        return needs
    }

    var bytesPerPoint: Int { 128 }

    func append(_ rows: Range<Int>, _ points: PointColumns) {
        guard let distribution = points.distribution else { return }
        for row in rows {
            let time = points.times[row] / 1_000_000
            if points.isStale(row) {
                staleTimes.append(time)
                continue
            }
            guard let inner = distribution.inner(row) else { continue }
            if roles.contains(.count) { counts.append(time, NativeHistogram.count(distribution.counts[inner])) }
            if roles.contains(.sum), let sum = distribution.sum(inner) { sums.append(time, sum) }
            if roles.contains(.quantile) { append(time, distribution, inner) }
        }
    }

    private func append(_ time: Int64, _ distribution: DistributionColumns, _ inner: Int) {
        guard let quantiles = distribution.quantiles, let values = distribution.quantileValues,
            case .floats(let levels) = quantiles.elements, case .floats(let numbers) = values.elements
        else { return }
        for (level, number) in zip(quantiles.range(inner), values.range(inner)) {
            self.quantiles[levels[level].bitPattern, default: SampleBuilder(range: shared.range)]
                .append(time, numbers[number])
        }
    }

    func finish(into output: inout SeriesOutput) {
        let isStale = !staleTimes.isEmpty
        if isStale && roles.contains(.count) || !counts.timestamps.isEmpty {
            add(counts, model.key(.count, in: shared.directory), &output)
        }
        if isStale && roles.contains(.sum) || !sums.timestamps.isEmpty {
            add(sums, model.key(.sum, in: shared.directory), &output)
        }
        for (bits, samples) in quantiles.sorted(by: { $0.key < $1.key }) {
            let quantile = Double(bitPattern: bits)
            guard shared.selection.accepts(extra: MetricLabelText.plain(quantile), .quantile) else { continue }
            add(samples, model.key(quantile: quantile, in: shared.directory), &output)
        }
    }

    private func add(_ samples: SampleBuilder, _ key: SeriesKey, _ output: inout SeriesOutput) {
        var samples = samples
        for time in staleTimes { samples.append(time, Staleness.marker) }
        output.add(
            SeriesPiece(
                key: key, identity: model.identity, timestamps: samples.timestamps,
                values: samples.values, isAscending: samples.isAscending))
    }
}
