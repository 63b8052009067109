package import Core
package import Scheduling

/// What a source is asked to evaluate where the samples are, series by series, instead of handing the samples over: a function of
/// the samples in each window of a grid, and an aggregation of what comes out.
///
/// As Prometheus's `SelectHints` it names function, grouping, range and step, but it says exactly which samples belong to a window,
/// after `offset` and `@`, so that a source may answer with values.
package struct SeriesPlan: Hashable, Sendable {
    /// Functions of the samples of one series in a window, which are numbers.
    package enum Function: String, Sendable, CaseIterable {
        /// The last sample, unless it is a stale marker: what an instant selector is. The others see no stale markers.
        case latest
        case rate, increase, delta, irate, idelta, changes, resets
        case sum = "sum_over_time"
        case avg = "avg_over_time"
        case min = "min_over_time"
        case max = "max_over_time"
        case count = "count_over_time"
        case present = "present_over_time"
        case last = "last_over_time"
        case first = "first_over_time"

        /// Whether the metric's name stays.
        package var keepsName: Bool { self == .latest || self == .last || self == .first }

        /// Whether a series is taken for a counter.
        package var expectsCounter: Bool { self == .rate || self == .increase }
    }

    /// `sum by (…)` and the like, of what the function gives.
    package struct Reduction: Hashable, Sendable {
        package enum Operator: String, Sendable, CaseIterable { case sum, avg, min, max, count, group }

        package var `operator`: Operator
        package var grouping: Grouping

        package init(_ operator: Operator, _ grouping: Grouping) {
            self.operator = `operator`
            self.grouping = grouping
        }
    }

    package var matchers: [LabelMatcher]
    package var function: Function
    /// How long a window is, in milliseconds; it is open on the left.
    package var range: Int64
    /// Where the windows end.
    package var grid: TimeGrid
    /// Nil: the series themselves are wanted.
    package var reduction: Reduction?

    package init(
        matchers: [LabelMatcher], function: Function, range: Int64, grid: TimeGrid, reduction: Reduction? = nil
    ) {
        self.matchers = matchers
        self.function = function
        self.range = range
        self.grid = grid
        self.reduction = reduction
    }

    /// The times of samples that lie in any window's reach, from the first window's start to the last one's end.
    package var samples: TimeRange {
        TimeRange(
            start: Timestamp(milliseconds: grid.start - range + 1), end: Timestamp(milliseconds: grid.end + 1))
    }
}

extension SeriesPlan {
    /// Whether series stay apart when they lose their metric's name, which otherwise is an error where both have a value.
    package func keepsApart(_ series: some Collection<Labels>) -> Bool {
        guard !function.keepsName, let name = series.first?["__name__"] else { return true }
        if series.allSatisfy({ $0["__name__"] == name }) { return true }
        var seen: Set<Labels> = []
        return series.allSatisfy { seen.insert($0.removing(["__name__"])).inserted }
    }
}

/// What a plan comes to.
package struct SeriesPlanAnswer: Sendable {
    /// With a reduction the groups, in the order of their first series; else the series, in the order of their labels with the
    /// metric's name. Those without any value are left out.
    package var series: [GridSeries]
    /// How many samples lie in the plan's range of time.
    package var samplesRead: Int
    /// By step: how many samples its windows have in all; of `latest`, how many series have a value.
    package var samplesByStep: [Int]
    /// The names of the metrics that have samples, if the function expects counters.
    package var counterNames: [String]
}

extension SeriesSource {
    package func evaluate(_ plan: SeriesPlan, context: QueryContext) throws(QueryError) -> SeriesPlanAnswer? { nil }
}
