package import QueryModel

/// Evaluates LogQL over a source.
package struct LogQLEngine: Sendable {
    package let source: any LogSource
    package let limits: LogQLLimits
    let cache: RangeCache?

    /// - Parameter cache: of metric queries over a range, whose values at steps are taken from there and kept there; nil evaluates all
    ///   anew.
    package init(source: any LogSource, limits: LogQLLimits = LogQLLimits(), cache: RangeCache? = nil) {
        self.source = source
        self.limits = limits
        self.cache = cache
    }
}

/// What a query may ask for.
package struct LogQLLimits: Hashable, Sendable {
    /// Of a log query (rule L-3).
    package var entries: Int
    /// Of a metric query's result (rule L-9).
    package var series: Int
    /// Of a metric query (rule L-5): the intervals between the first and the last timestamp.
    package var intervals: Int

    package init(entries: Int = 5_000, series: Int = 10_000, intervals: Int = 11_000) {
        self.entries = entries
        self.series = series
        self.intervals = intervals
    }
}

/// The order in which a log query's entries are chosen and answered.
package enum LogDirection: Sendable {
    case forward, backward

    var scanOrder: ScanOrder { self == .forward ? .oldestFirst : .newestFirst }
}
