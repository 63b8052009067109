package import Columns
package import TableSchema

/// The columns of `otel_metrics`, bound.
package struct MetricTable: Sendable {
    package let definition: TableDefinition
    package let time, startTime, valueType, valueResidue, flags: ColumnHandle<Int64>
    package let value: ColumnHandle<Double>
    package let metricName, series, serviceName, resource, scope: ColumnHandle<StringColumn>
    package let distribution, exemplars: ColumnHandle<NestedColumn>

    /// What `value_type` says of a point or exemplar.
    package enum ValueType {
        package static let none: Int64 = 0
        /// `value` is the nearest double and `value_residue` what is missing.
        package static let int: Int64 = 1
        package static let double: Int64 = 2
        /// The value is the row of `distribution`.
        package static let distribution: Int64 = 3
    }

    /// The bits of `distribution.present`.
    package enum Present {
        package static let sum: Int64 = 1
        package static let min: Int64 = 2
        package static let max: Int64 = 4
    }

    /// The places of the fields inside `distribution`.
    package enum DistributionField {
        package static let count = 0, present = 1, sum = 2, min = 3, max = 4, bounds = 5, counts = 6
        package static let scale = 7, zeroCount = 8, zeroThreshold = 9, positiveOffset = 10
        package static let negativeOffset = 11, negativeCounts = 12, quantiles = 13, quantileValues = 14
        package static let names = [
            "count", "present", "sum", "min", "max", "bounds", "counts", "scale", "zero_count",
            "zero_threshold", "positive_offset", "negative_offset", "negative_counts", "quantiles",
            "quantile_values",
        ]
    }

    /// The places of the fields inside `exemplars`.
    package enum ExemplarField {
        package static let timeOffset = 0, valueType = 1, value = 2, valueResidue = 3
        package static let traceID = 4, spanID = 5, attributes = 6
        package static let names = [
            "time_offset", "value_type", "value", "value_residue", "trace_id", "span_id", "attributes",
        ]
    }

    package init(_ table: TableDefinition) throws(BindingError) {
        definition = table
        time = try table.integers("time")
        startTime = try table.integers("start_time")
        valueType = try table.integers("value_type")
        valueResidue = try table.integers("value_residue")
        flags = try table.integers("flags")
        value = try table.floats("value")
        metricName = try table.strings("metric_name")
        series = try table.strings("series")
        serviceName = try table.strings("service_name")
        resource = try table.strings("resource")
        scope = try table.strings("scope")
        distribution = try table.nested("distribution", DistributionField.names)
        exemplars = try table.nested("exemplars", ExemplarField.names)
    }

    /// The nearest double of an integer, and what is missing.
    @inlinable
    package static func split(_ integer: Int64) -> (value: Double, residue: Int64) {
        let value = Double(integer)
        // 2^63 is the one double near an Int64 that no Int64 holds.
        guard value < 0x1p63 else { return (value, integer &- .max &- 1) }
        return (value, integer &- Int64(value))
    }

    /// Undoes `split`.
    package static func join(value: Double, residue: Int64) -> Int64 {
        guard value < 0x1p63 else { return Int64.max &+ 1 &+ residue }
        guard value >= -0x1p63 else { return residue }
        return Int64(value) &+ residue
    }
}
