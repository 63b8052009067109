package import Core
package import QueryModel
package import Scheduling

/// Answers plans over the series of another source, as if several processes had shared them: plans and states go through bytes.
package struct PlannedSeriesSource: SeriesSource {
    private let base: any SeriesSource
    private let shares: Int

    /// - Parameter shares: among how many evaluations the series are dealt out.
    package init(_ base: any SeriesSource, shares: Int) {
        self.base = base
        self.shares = shares
    }

    package func evaluate(_ plan: SeriesPlan, context: QueryContext) throws(QueryError) -> SeriesPlanAnswer? {
        let plan = try Self.sending { () throws(SeriesCodingError) in try SeriesPlan(bytes: plan.bytes) }
        let series =
            plan.samples.isEmpty ? [] : try base.series(matching: plan.matchers, in: plan.samples, context: context)
        guard series.allSatisfy(\.histograms.isEmpty), plan.keepsApart(series.map(\.labels)) else { return nil }
        var evaluations: [SeriesEvaluation] = []
        for _ in 0..<shares { evaluations.append(try SeriesEvaluation(plan, context: context)) }
        for (i, one) in series.enumerated() {
            try evaluations[i % shares].add(one.labels, timestamps: one.timestamps.span, values: one.values.span)
        }
        // Merged from the last to the first: the order must not matter.
        var all = evaluations.removeLast()
        for evaluation in evaluations.reversed() {
            let bytes = evaluation.bytes
            try all.merge(
                Self.sending { () throws(SeriesCodingError) in
                    try SeriesEvaluation(bytes: bytes, context: QueryContext(tenant: .default))
                })
        }
        return try all.answer()
    }

    private static func sending<Value>(
        _ body: () throws(SeriesCodingError) -> Value
    ) throws(QueryError) -> Value {
        do throws(SeriesCodingError) { return try body() } catch { throw .execution(error.description) }
    }

    package func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries] {
        try base.series(matching: matchers, in: range, context: context)
    }

    package func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] {
        try base.labelSets(matching: selectors, in: range, context: context)
    }

    package func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] {
        try base.labelNames(matching: selectors, in: range, context: context)
    }

    package func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] {
        try base.labelValues(of: name, matching: selectors, in: range, context: context)
    }

    package func metadata(metric: String?, context: QueryContext) throws(QueryError) -> [String: [MetricMetadata]] {
        try base.metadata(metric: metric, context: context)
    }

    package func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])] {
        try base.exemplars(matching: selectors, in: range, context: context)
    }
}

/// The samples of another source, and no more: every query over it is evaluated by the engine itself.
package struct SampleSource: SeriesSource {
    private let base: any SeriesSource

    package init(_ base: any SeriesSource) { self.base = base }

    package func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries] {
        try base.series(matching: matchers, in: range, context: context)
    }

    package func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels] { [] }

    package func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] { [] }

    package func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String] { [] }

    package func metadata(metric: String?, context: QueryContext) throws(QueryError) -> [String: [MetricMetadata]] {
        [:]
    }

    package func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])] { [] }
}
