package import Scheduling

/// Evaluates a plan over series that are handed in one after the other. Several of them may share the series of a plan between
/// them, each on a thread of its own, and are merged at the end.
///
/// Numbers are exactly those of evaluating each series on its own; sums and means over windows or groups may differ from sums in
/// another order, but by less than 1e-12 of their value.
package struct SeriesEvaluation: Sendable {
    let plan: SeriesPlan
    private let context: QueryContext
    private var windows: WindowValues
    private var buckets: BucketValues
    var results: PlanResults
    /// One series by step.
    private var row: [Double]

    /// Of what stands above, and in the results.
    private static let bytesPerStep = 32

    package init(_ plan: SeriesPlan, context: QueryContext) throws(QueryError) {
        self.plan = plan
        self.context = context
        // The grid may be longer than memory is large: what has an entry for each step is counted ahead.
        let (bytes, overflow) = plan.grid.count.multipliedReportingOverflow(by: Self.bytesPerStep)
        try context.charge(bytes: overflow ? Int.max / 2 : bytes)
        windows = WindowValues(plan)
        buckets = BucketValues(plan)
        results = PlanResults(plan, context: context)
        row = Array(repeating: 0, count: plan.grid.count)
    }

    /// Adds a series that no other one shares its labels with.
    ///
    /// - Parameters:
    ///   - timestamps: of its samples in the plan's range, ascending strictly, milliseconds.
    ///   - values: as many; stale markers are among them.
    package mutating func add(_ labels: Labels, timestamps: Span<Int64>, values: Span<Double>) throws(QueryError) {
        try context.proceed()
        guard !timestamps.isEmpty else { return }
        results.noteSamples(timestamps.count)
        if plan.function != .latest, Self.hasMarkers(values) {
            let kept = Self.withoutMarkers(timestamps, values)
            guard !kept.values.isEmpty else { return }
            windows.evaluate(kept.timestamps.span, kept.values.span, into: &row)
        } else {
            windows.evaluate(timestamps, values, into: &row)
        }
        results.noteSeries(labels, windows.bounds, count: 1)
        try results.add(row, SeriesName(labels))
    }

    private static func hasMarkers(_ values: Span<Double>) -> Bool {
        // Without a branch, since hardly ever one is there.
        var found = 0
        for i in 0..<values.count { found |= GridSeries.isAbsent(values[i]) ? 1 : 0 }
        return found != 0
    }

    private static func withoutMarkers(
        _ timestamps: Span<Int64>, _ values: Span<Double>
    ) -> (timestamps: [Int64], values: [Double]) {
        var kept: (timestamps: [Int64], values: [Double]) = ([], [])
        for i in 0..<values.count where !GridSeries.isAbsent(values[i]) {
            kept.timestamps.append(timestamps[i])
            kept.values.append(values[i])
        }
        return kept
    }

    /// Adds the series of a histogram's buckets, which no other series shares its labels with.
    ///
    /// - Parameters:
    ///   - timestamps: of its points in the plan's range, ascending strictly, milliseconds; none is stale.
    ///   - counts: of as many points, with as many buckets as `histogram.bounds`; of none if there is only one bucket.
    ///   - totals: of each point all observations.
    /// - Returns: false if the counts are beyond what is evaluated here; nothing is added then.
    package mutating func add(
        _ histogram: ClassicHistogram, timestamps: Span<Int64>, counts: BucketCounts, totals: Span<Int64>
    ) throws(QueryError) -> Bool {
        try context.proceed()
        guard !timestamps.isEmpty, !histogram.wanted.isEmpty else { return true }
        guard buckets.evaluate(timestamps, counts, totals: totals) else { return false }
        results.noteSamples(timestamps.count * histogram.wanted.count)
        results.noteSeries(histogram.labels, buckets.bounds, count: histogram.wanted.count)
        try results.add(buckets.values, histogram)
        return true
    }

    /// Adds what another evaluation of the same plan came to.
    package mutating func merge(_ other: consuming SeriesEvaluation) throws(QueryError) {
        try results.merge(other.results)
        context.release(bytes: plan.grid.count * Self.bytesPerStep)
    }

    package consuming func answer() throws(QueryError) -> SeriesPlanAnswer { try results.answer() }
}
