package import QueryModel

/// An expression whose value is numbers over time.
package indirect enum MetricExpression: Hashable, Sendable {
    case number(Double)
    /// `vector(n)`: one series without labels.
    case vector(Double)
    case range(RangeAggregation)
    case aggregation(VectorAggregation)
    case binary(BinaryExpression)
    case labelReplace(LabelReplacement)
}

package enum RangeOperation: String, Hashable, Sendable, CaseIterable {
    case count = "count_over_time"
    case rate = "rate"
    case rateCounter = "rate_counter"
    case bytes = "bytes_over_time"
    case bytesRate = "bytes_rate"
    case sum = "sum_over_time"
    case average = "avg_over_time"
    case minimum = "min_over_time"
    case maximum = "max_over_time"
    case standardDeviation = "stddev_over_time"
    case standardVariance = "stdvar_over_time"
    case quantile = "quantile_over_time"
    case first = "first_over_time"
    case last = "last_over_time"
    case absent = "absent_over_time"

    var acceptsUnwrap: Bool {
        switch self {
        case .count, .bytes, .bytesRate: false
        default: true
        }
    }

    var acceptsLines: Bool {
        switch self {
        case .count, .rate, .bytes, .bytesRate, .absent: true
        default: false
        }
    }

    var acceptsGrouping: Bool {
        switch self {
        case .average, .minimum, .maximum, .standardDeviation, .standardVariance, .quantile, .first, .last: true
        default: false
        }
    }
}

/// `rate({app="a"} | json | unwrap size [5m] offset 1h) by (host)`.
package struct RangeAggregation: Hashable, Sendable {
    package var operation: RangeOperation
    /// The quantile.
    package var parameter: Double?
    package var selector: LogSelector
    package var unwrap: Unwrap?
    /// Nanoseconds; positive.
    package var range: Int64
    /// Nanoseconds into the past.
    package var offset: Int64
    package var grouping: Grouping?
}

/// Makes a label's value the sample.
package struct Unwrap: Hashable, Sendable {
    package enum Conversion: String, Hashable, Sendable {
        case number = "", bytes = "bytes", duration = "duration", durationSeconds = "duration_seconds"
    }

    package var label: String
    package var conversion: Conversion
    /// Apply after the conversion, so that they see its error.
    package var filters: [LabelFilter]
}

package enum VectorOperation: String, Hashable, Sendable, CaseIterable {
    case sum = "sum"
    case average = "avg"
    case minimum = "min"
    case maximum = "max"
    case count = "count"
    case standardDeviation = "stddev"
    case standardVariance = "stdvar"
    case top = "topk"
    case bottom = "bottomk"
    case approximateTop = "approx_topk"
    case sort = "sort"
    case sortDescending = "sort_desc"

    var takesCount: Bool { self == .top || self == .bottom || self == .approximateTop }
}

package struct VectorAggregation: Hashable, Sendable {
    package var operation: VectorOperation
    /// How many series `topk` and its kin keep.
    package var count: Int
    package var grouping: Grouping?
    package var operand: MetricExpression
}

package struct BinaryExpression: Hashable, Sendable {
    package var `operator`: BinaryOperator
    /// Whether a comparison answers 0 and 1 instead of filtering.
    package var returnsBool: Bool
    package var matching: VectorMatching
    package var left: MetricExpression
    package var right: MetricExpression
}

/// `label_replace(v, "target", "$1", "source", "regex")`.
package struct LabelReplacement: Hashable, Sendable {
    package var operand: MetricExpression
    package var target: String
    package var replacement: String
    package var source: String
    package var pattern: NamedPattern
}
