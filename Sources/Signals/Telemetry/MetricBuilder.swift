package import Columns
package import Core
internal import TableSchema

/// Grows rows of `otel_metrics`.
package struct MetricBuilder: BatchBuilder, IdentityColumns, ~Copyable {
    package struct Distributions: ~Copyable {
        package var ends = BufferBuilder<UInt32>.offsets()
        package var counts = BufferBuilder<Int64>()
        package var present = BufferBuilder<Int64>()
        package var sums = BufferBuilder<Double>()
        package var minima = BufferBuilder<Double>()
        package var maxima = BufferBuilder<Double>()
        package var bounds = StringColumnBuilder(.unique)
        package var bucketEnds = BufferBuilder<UInt32>.offsets()
        package var buckets = BufferBuilder<Int64>()
        package var scales = BufferBuilder<Int64>()
        package var zeroCounts = BufferBuilder<Int64>()
        package var zeroThresholds = BufferBuilder<Double>()
        package var positiveOffsets = BufferBuilder<Int64>()
        package var negativeOffsets = BufferBuilder<Int64>()
        package var negativeEnds = BufferBuilder<UInt32>.offsets()
        package var negatives = BufferBuilder<Int64>()
        package var quantileEnds = BufferBuilder<UInt32>.offsets()
        package var quantiles = BufferBuilder<Double>()
        package var quantileValues = BufferBuilder<Double>()
    }

    package struct Exemplars: ~Copyable {
        package var ends = BufferBuilder<UInt32>.offsets()
        package var timeOffsets = BufferBuilder<Int64>()
        package var valueTypes = BufferBuilder<Int64>()
        package var values = BufferBuilder<Double>()
        package var residues = BufferBuilder<Int64>()
        package var traceIDs = BufferBuilder<UInt8>()
        package var spanIDs = BufferBuilder<UInt8>()
        package var attributes = AttributesBuilder()
    }

    private let table: MetricTable
    package var times = BufferBuilder<Int64>()
    package var startTimes = BufferBuilder<Int64>()
    package var metricNames = StringColumnBuilder(.unique)
    package var series = StringColumnBuilder(.unique)
    package var serviceNames = StringColumnBuilder(.unique)
    package var resources = StringColumnBuilder(.unique)
    package var scopes = StringColumnBuilder(.unique)
    package var valueTypes = BufferBuilder<Int64>()
    package var values = BufferBuilder<Double>()
    package var residues = BufferBuilder<Int64>()
    package var flags = BufferBuilder<Int64>()
    package var distributions = Distributions()
    package var exemplars = Exemplars()

    /// Finds series by the metric they belong to and the bytes of their attributes; see `SeriesCache`.
    package var cache = SeriesCache()
    /// Reused between requests.
    package var scratch = ProtobufWriter()
    package var scratch2 = ProtobufWriter()
    /// The data of one metric, if they come in several fields.
    package var joined = BufferBuilder<UInt8>()

    package init(_ table: MetricTable) { self.table = table }

    package var rowCount: Int { times.count }

    /// A series repeats what describes its metric: its bytes grow beyond those of the request.
    @inline(__always)
    package var itemCount: Int {
        let values = distributions.buckets.count &+ distributions.negatives.count &+ distributions.quantiles.count
        return times.count &+ exemplars.values.count &+ values / 8 &+ series.entries.contents.count / 256
    }

    package var byteCount: Int {
        rowCount * (6 * 8 + 5 * 4 + 8) + metricNames.byteCount + series.byteCount + serviceNames.byteCount
            + resources.byteCount + scopes.byteCount + cache.byteCount
            + distributions.counts.count * 11 * 8 + distributions.bounds.byteCount
            + distributions.buckets.count * 8 + distributions.negatives.count * 8
            + distributions.quantiles.count * 16 + exemplars.values.count * 64
            + exemplars.attributes.byteCount
    }

    package func times(from row: Int) -> ClosedRange<Int64>? { times.bounds(from: row) }

    package mutating func truncate(to rows: Int) {
        times.truncate(to: rows)
        startTimes.truncate(to: rows)
        metricNames.truncate(to: rows)
        series.truncate(to: rows)
        serviceNames.truncate(to: rows)
        resources.truncate(to: rows)
        scopes.truncate(to: rows)
        valueTypes.truncate(to: rows)
        values.truncate(to: rows)
        residues.truncate(to: rows)
        flags.truncate(to: rows)
        truncateDistributions(rows)
        truncateExemplars(rows)
    }

    private mutating func truncateDistributions(_ rows: Int) {
        distributions.ends.truncate(to: rows + 1)
        let count = Int(distributions.ends[rows])
        distributions.counts.truncate(to: count)
        distributions.present.truncate(to: count)
        distributions.sums.truncate(to: count)
        distributions.minima.truncate(to: count)
        distributions.maxima.truncate(to: count)
        distributions.bounds.truncate(to: count)
        distributions.scales.truncate(to: count)
        distributions.zeroCounts.truncate(to: count)
        distributions.zeroThresholds.truncate(to: count)
        distributions.positiveOffsets.truncate(to: count)
        distributions.negativeOffsets.truncate(to: count)
        distributions.bucketEnds.truncate(to: count + 1)
        distributions.buckets.truncate(to: Int(distributions.bucketEnds[count]))
        distributions.negativeEnds.truncate(to: count + 1)
        distributions.negatives.truncate(to: Int(distributions.negativeEnds[count]))
        distributions.quantileEnds.truncate(to: count + 1)
        distributions.quantiles.truncate(to: Int(distributions.quantileEnds[count]))
        distributions.quantileValues.truncate(to: Int(distributions.quantileEnds[count]))
    }

    private mutating func truncateExemplars(_ rows: Int) {
        exemplars.ends.truncate(to: rows + 1)
        let count = Int(exemplars.ends[rows])
        exemplars.timeOffsets.truncate(to: count)
        exemplars.valueTypes.truncate(to: count)
        exemplars.values.truncate(to: count)
        exemplars.residues.truncate(to: count)
        exemplars.traceIDs.truncate(to: count * 16)
        exemplars.spanIDs.truncate(to: count * 8)
        exemplars.attributes.truncate(to: count)
    }

    package func snapshot(rows: Int) -> ColumnBatch {
        var batch = ColumnBatch(
            rowCount: rows, columns: Array(repeating: nil, count: table.definition.columns.count))
        batch.columns[table.time.ordinal] = times.column(rows)
        batch.columns[table.startTime.ordinal] = startTimes.column(rows)
        batch.columns[table.metricName.ordinal] = .strings(metricNames.snapshot(rows: rows))
        batch.columns[table.series.ordinal] = .strings(series.snapshot(rows: rows))
        batch.columns[table.serviceName.ordinal] = .strings(serviceNames.snapshot(rows: rows))
        batch.columns[table.resource.ordinal] = .strings(resources.snapshot(rows: rows))
        batch.columns[table.scope.ordinal] = .strings(scopes.snapshot(rows: rows))
        batch.columns[table.valueType.ordinal] = valueTypes.column(rows)
        batch.columns[table.value.ordinal] = values.column(rows)
        batch.columns[table.valueResidue.ordinal] = residues.column(rows)
        batch.columns[table.flags.ordinal] = flags.column(rows)
        batch.columns[table.distribution.ordinal] = distributionColumn(rows)
        batch.columns[table.exemplars.ordinal] = exemplarColumn(rows)
        return batch
    }

    private func distributionColumn(_ rows: Int) -> Column {
        let count = Int(distributions.ends[rows])
        let buckets = Int(distributions.bucketEnds[count])
        let negatives = Int(distributions.negativeEnds[count])
        let quantiles = Int(distributions.quantileEnds[count])
        let quantileOffsets = distributions.quantileEnds.snapshot()[0..<(count + 1)]
        return .nested(
            NestedColumn(
                offsets: distributions.ends.snapshot()[0..<(rows + 1)],
                fields: [
                    distributions.counts.column(count),
                    distributions.present.column(count),
                    distributions.sums.column(count),
                    distributions.minima.column(count),
                    distributions.maxima.column(count),
                    .strings(distributions.bounds.snapshot(rows: count)),
                    .arrays(
                        ArrayColumn(
                            offsets: distributions.bucketEnds.snapshot()[0..<(count + 1)],
                            elements: distributions.buckets.column(buckets))),
                    distributions.scales.column(count),
                    distributions.zeroCounts.column(count),
                    distributions.zeroThresholds.column(count),
                    distributions.positiveOffsets.column(count),
                    distributions.negativeOffsets.column(count),
                    .arrays(
                        ArrayColumn(
                            offsets: distributions.negativeEnds.snapshot()[0..<(count + 1)],
                            elements: distributions.negatives.column(negatives))),
                    .arrays(
                        ArrayColumn(
                            offsets: quantileOffsets, elements: distributions.quantiles.column(quantiles))),
                    .arrays(
                        ArrayColumn(
                            offsets: quantileOffsets,
                            elements: distributions.quantileValues.column(quantiles))),
                ]))
    }

    private func exemplarColumn(_ rows: Int) -> Column {
        let count = Int(exemplars.ends[rows])
        return .nested(
            NestedColumn(
                offsets: exemplars.ends.snapshot()[0..<(rows + 1)],
                fields: [
                    exemplars.timeOffsets.column(count),
                    exemplars.valueTypes.column(count),
                    exemplars.values.column(count),
                    exemplars.residues.column(count),
                    exemplars.traceIDs.fixed(count, width: 16),
                    exemplars.spanIDs.fixed(count, width: 8),
                    .attributes(exemplars.attributes.snapshot(rows: count)),
                ]))
    }
}
