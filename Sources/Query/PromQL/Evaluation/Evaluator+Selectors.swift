import Core
import QueryModel
internal import Scheduling

/// The timestamps at which a selector looks, one for each timestamp of a grid, after `offset` and `@` (§3.2).
struct ShiftedTimes {
    let grid: TimeGrid
    /// Set by `@`: the same for each timestamp.
    let fixed: Int64?
    let offset: Int64

    subscript(step: Int) -> Int64 { (fixed ?? grid[step]) - offset }

    var first: Int64 { self[0] }

    var last: Int64 { self[grid.count - 1] }
}

/// Series of samples, of which each timestamp sees the window `(time - range, time]`.
struct RangeVector {
    /// Without stale markers.
    let series: [SampleSeries]
    let range: Int64
    let times: ShiftedTimes
}

/// Reading the source: instant selectors, range selectors, subqueries (§3.2).
extension Evaluator {
    enum Reading { case values, timestamps }

    func times(_ shift: TimeShift, on grid: TimeGrid) -> ShiftedTimes {
        let fixed: Int64? =
            switch shift.fixed {
            case nil: nil
            case .milliseconds(let time): time
            case .start: queryGrid.start
            case .end: queryGrid.end
            }
        return ShiftedTimes(grid: grid, fixed: fixed, offset: shift.offset ?? 0)
    }

    /// The series with samples in the left-open window from `start` through `end`, sorted by labels.
    private func fetch(
        _ matchers: [LabelMatcher], after start: Int64, through end: Int64
    ) throws(QueryError) -> [SampleSeries] {
        let range = TimeRange(
            start: Timestamp(milliseconds: start + 1), end: Timestamp(milliseconds: end + 1))
        if range.isEmpty { return [] }
        try context.admit(range: range)
        let series = try source.series(matching: matchers, in: range, context: context)
        statistics.read(series.reduce(0) { $0 + $1.timestamps.count })
        return series.sorted { $0.labels < $1.labels }
    }

    /// The latest sample at each timestamp, if it is not older than the lookback and no stale marker.
    func instantVector(
        _ selector: VectorSelector, on grid: TimeGrid, reading: Reading
    ) throws(QueryError) -> [GridSeries] {
        let times = times(selector.shift, on: grid)
        let fetched = try fetch(
            selector.matchers, after: times.first - options.lookback, through: times.last)
        try chargeSteps(of: grid, series: fetched.count)
        var output: [GridSeries] = []
        output.reserveCapacity(fetched.count)
        for samples in fetched {
            try context.proceed()
            let series = latest(in: samples, at: times, reading: reading, counting: &statistics)
            if series.hasAnyValue { output.append(series) }
        }
        return output
    }

    private func latest(
        in samples: SampleSeries, at times: ShiftedTimes, reading: Reading,
        counting statistics: inout EvaluationStatistics
    ) -> GridSeries {
        let isQueryGrid = times.grid == queryGrid
        var result = GridSeries(labels: samples.labels, empty: times.grid.count)
        var next = 0
        for step in times.grid.indices {
            let time = times[step]
            while next < samples.timestamps.count, samples.timestamps[next] <= time { next += 1 }
            guard next > 0, samples.timestamps[next - 1] > time - options.lookback else { continue }
            let histogram = samples.histograms.isEmpty ? nil : samples.histograms[next - 1]
            if Staleness.isMarker(samples.values[next - 1]) || histogram?.isStale == true { continue }
            statistics.look(at: 1, step: isQueryGrid ? step : nil)
            if reading == .timestamps {
                result.values[step] = Double(samples.timestamps[next - 1]) / 1000
            } else if let histogram {
                result[step] = .histogram(histogram)
            } else {
                result.values[step] = samples.values[next - 1]
            }
        }
        return result
    }

    func rangeVector(_ expression: Expression, on grid: TimeGrid) throws(QueryError) -> RangeVector {
        switch expression.unwrapped.node {
        case .matrix(let matrix): return try select(matrix, on: grid)
        case .subquery(let subquery): return try evaluate(subquery, on: grid)
        default: throw .execution("expected a range vector")
        }
    }

    private func select(_ matrix: MatrixSelector, on grid: TimeGrid) throws(QueryError) -> RangeVector {
        let times = times(matrix.selector.shift, on: grid)
        let series = try fetch(matrix.selector.matchers, after: times.first - matrix.range, through: times.last)
        return RangeVector(series: series.map(Self.withoutStaleMarkers), range: matrix.range, times: times)
    }

    private static func withoutStaleMarkers(_ series: SampleSeries) -> SampleSeries {
        let hasHistograms = !series.histograms.isEmpty
        func isStale(_ i: Int) -> Bool {
            Staleness.isMarker(series.values[i]) || (hasHistograms && series.histograms[i].isStale)
        }
        guard series.values.indices.contains(where: isStale) else { return series }
        let kept = series.values.indices.filter { !isStale($0) }
        return SampleSeries(
            labels: series.labels, timestamps: kept.map { series.timestamps[$0] },
            values: kept.map { series.values[$0] },
            histograms: hasHistograms ? kept.map { series.histograms[$0] } : [])
    }

    /// Evaluates at the multiples of the step that lie in the union of the windows.
    private func evaluate(_ subquery: Subquery, on grid: TimeGrid) throws(QueryError) -> RangeVector {
        let times = times(subquery.shift, on: grid)
        let step = subquery.step ?? options.subqueryStep
        let start = times.first - subquery.range
        // The first multiple of the step after `start`: windows are open on the left.
        let quotient = start / step
        var first = quotient * step
        if first <= start { first += step }
        guard let inner = TimeGrid(from: first, through: times.last, step: step) else {
            return RangeVector(series: [], range: subquery.range, times: times)
        }
        try chargeSteps(of: inner)
        defer { context.release(bytes: inner.count * 8) }
        let vector = try vector(subquery.expression, on: inner)
        return RangeVector(series: try samples(of: vector, on: inner), range: subquery.range, times: times)
    }

    private func samples(of vector: [GridSeries], on grid: TimeGrid) throws(QueryError) -> [SampleSeries] {
        var series: [SampleSeries] = []
        for one in vector {
            try context.proceed()
            try context.charge(bytes: GridSeries.cost(steps: grid.count))
            series.append(Self.samples(of: one, on: grid))
        }
        release(vector)
        return series
    }

    /// A series that has both kinds of sample counts as one of numbers.
    private static func samples(of series: GridSeries, on grid: TimeGrid) -> SampleSeries {
        var result = SampleSeries(labels: series.labels, timestamps: [], values: [])
        let hasNumbers = series.values.contains { !GridSeries.isAbsent($0) }
        for step in grid.indices {
            switch series[step] {
            case nil: break
            case .float(let value):
                result.timestamps.append(grid[step])
                result.values.append(value)
            case .histogram(let histogram):
                if hasNumbers { continue }
                result.timestamps.append(grid[step])
                result.values.append(0)
                result.histograms.append(histogram)
            }
        }
        return result
    }

    /// All samples of a range vector at the first timestamp (rule P-9).
    func rawSeries(of vector: RangeVector) throws(QueryError) -> [MatrixSeries] {
        var output: [MatrixSeries] = []
        for samples in vector.series {
            try context.proceed()
            var window = SampleWindow(samples, range: vector.range)
            window.slide(to: vector.times[0], evaluatedAt: vector.times.grid[0])
            guard !window.isEmpty else { continue }
            statistics.look(at: window.count, step: 0)
            try context.charge(bytes: 16 * window.count)
            var series = MatrixSeries(labels: samples.labels, floats: [])
            for i in 0..<window.count {
                if window.hasHistograms {
                    series.histograms.append((window.time(i), window.histogram(i)))
                } else {
                    series.floats.append((window.time(i), window.value(i)))
                }
            }
            output.append(series)
        }
        return output
    }
}
