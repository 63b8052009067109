package import Core
package import Scheduling

/// A time series and its samples: times ascend strictly, in milliseconds since the epoch.
package struct SampleSeries: Sendable {
    package var labels: Labels
    package var timestamps: [Int64]
    /// As many as `timestamps`. Staleness is the NaN whose bits are `Staleness.bits`; other NaNs are values.
    package var values: [Double]
    /// Empty for a series of floats; otherwise as many as `timestamps`, and `values` holds zeros.
    package var histograms: [NativeHistogram]

    package init(
        labels: Labels, timestamps: [Int64], values: [Double], histograms: [NativeHistogram] = []
    ) {
        self.labels = labels
        self.timestamps = timestamps
        self.values = values
        self.histograms = histograms
    }
}

/// The marker that ends a series (rules P-32, T-9).
package enum Staleness {
    package static let bits: UInt64 = 0x7ff0_0000_0000_0002
    package static let marker = Double(bitPattern: bits)
    package static func isMarker(_ value: Double) -> Bool { value.bitPattern == bits }
}

/// A native histogram: exponential buckets of base 2^(2^-schema) (rules P-12, T-9).
///
/// Bucket `i` of `positive` (counts, from index `positiveOffset` on) holds values in (base^(i-1), base^i].
package struct NativeHistogram: Hashable, Sendable {
    package var schema: Int32
    package var count: Double
    package var sum: Double
    package var zeroThreshold: Double
    package var zeroCount: Double
    package var positiveOffset: Int32
    package var positive: [Double]
    package var negativeOffset: Int32
    package var negative: [Double]
    package var isStale: Bool

    package init(
        schema: Int32, count: Double, sum: Double, zeroThreshold: Double, zeroCount: Double,
        positiveOffset: Int32, positive: [Double], negativeOffset: Int32, negative: [Double],
        isStale: Bool = false
    ) {
        self.schema = schema
        self.count = count
        self.sum = sum
        self.zeroThreshold = zeroThreshold
        self.zeroCount = zeroCount
        self.positiveOffset = positiveOffset
        self.positive = positive
        self.negativeOffset = negativeOffset
        self.negative = negative
        self.isStale = isStale
    }
}

/// What `/api/v1/metadata` says of a metric family (rule P-23).
package struct MetricMetadata: Hashable, Sendable {
    package var type: String
    package var help: String
    package var unit: String

    package init(type: String, help: String, unit: String) {
        self.type = type
        self.help = help
        self.unit = unit
    }
}

/// An exemplar of a series (rule P-24).
package struct SeriesExemplar: Hashable, Sendable {
    package var labels: Labels
    package var value: Double
    package var timestamp: Int64

    package init(labels: Labels, value: Double, timestamp: Int64) {
        self.labels = labels
        self.value = value
        self.timestamp = timestamp
    }
}

/// Where PromQL reads: metrics as Prometheus sees them (rules T-1 to T-12).
///
/// Several selectors are a union; none of them means everything. Ranges of label calls may be widened to whole parts (P-21).
package protocol SeriesSource: Sendable {
    /// Every series that all matchers accept and that has a sample in `range`, with its samples there, in any order of series.
    func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries]

    /// Evaluates a plan where the samples are; nil if that is not possible, and the samples must be asked for.
    func evaluate(_ plan: SeriesPlan, context: QueryContext) throws(QueryError) -> SeriesPlanAnswer?

    func labelSets(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [Labels]

    /// Sorted and unique.
    func labelNames(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [String]

    /// Sorted and unique.
    func labelValues(
        of name: String, matching selectors: [[LabelMatcher]], in range: TimeRange,
        context: QueryContext
    ) throws(QueryError) -> [String]

    /// By metric family name, of all or of one.
    func metadata(
        metric: String?, context: QueryContext
    ) throws(QueryError) -> [String: [MetricMetadata]]

    /// By series; exemplars ascend in time.
    func exemplars(
        matching selectors: [[LabelMatcher]], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [(labels: Labels, exemplars: [SeriesExemplar])]
}
