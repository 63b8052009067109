package import Core
package import QueryModel
package import Scheduling

/// Series in memory, for tests of what reads a `SeriesSource`.
package struct MemorySeriesSource: SeriesSource {
    package var series: [SampleSeries] = []
    package var metricMetadata: [String: [MetricMetadata]] = [:]
    package var seriesExemplars: [(labels: Labels, exemplars: [SeriesExemplar])] = []

    package init(_ series: [SampleSeries] = []) { self.series = series }

    package func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries] {
        series.compactMap { one in
            guard matchers.matches(one.labels) else { return nil }
            let kept = one.timestamps.indices.filter {
                range.contains(Timestamp(milliseconds: one.timestamps[$0]))
            }
            guard !kept.isEmpty else { return nil }
            return SampleSeries(
                labels: one.labels, timestamps: kept.map { one.timestamps[$0] },
                values: kept.map { one.values[$0] },
                histograms: one.histograms.isEmpty ? [] : kept.map { one.histograms[$0] })
        }
    }

    package func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] {
        series.filter { one in
            one.timestamps.contains { range.contains(Timestamp(milliseconds: $0)) }
                && (selectors.isEmpty || selectors.contains { $0.matches(one.labels) })
        }.map(\.labels)
    }

    package func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] {
        let sets = try labelSets(matching: selectors, in: range, context: context)
        return Set(sets.flatMap { $0.pairs.map(\.name) }).sorted()
    }

    package func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange,
        context: QueryContext
    ) throws(QueryError) -> [String] {
        let sets = try labelSets(matching: selectors, in: range, context: context)
        return Set(sets.map { $0[name] }).subtracting([""]).sorted()
    }

    package func metadata(
        metric: String?, context: QueryContext
    ) throws(QueryError) -> [String: [MetricMetadata]] {
        metricMetadata.filter { metric == nil || $0.key == metric }
    }

    package func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])] {
        seriesExemplars.compactMap { one in
            guard selectors.contains(where: { $0.matches(one.labels) }) else { return nil }
            let kept = one.exemplars.filter { range.contains(Timestamp(milliseconds: $0.timestamp)) }
            return kept.isEmpty ? nil : (one.labels, kept)
        }
    }
}
