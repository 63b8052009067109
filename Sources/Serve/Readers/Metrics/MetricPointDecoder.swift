internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// Resources, scopes and series read back, each once.
struct PointIdentities {
    private var resources: [[UInt8]: TelemetryResource] = [:]
    private var scopes: [[UInt8]: TelemetryScope] = [:]
    private var series: [[UInt8]: SeriesIdentity] = [:]

    mutating func resource(_ bytes: Span<UInt8>) -> TelemetryResource {
        let key = Array(copying: bytes)
        if let known = resources[key] { return known }
        let message = IdentityMessage(resource: bytes)
        var name: String?
        if case .string(let text)? = message.attributes.last(where: { $0.key == "service.name" })?.value {
            name = text
        }
        let resource = TelemetryResource(
            serviceName: name, attributes: message.attributes,
            droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL,
            entities: message.entities)
        resources[key] = resource
        return resource
    }

    mutating func scope(_ bytes: Span<UInt8>) -> TelemetryScope {
        let key = Array(copying: bytes)
        if let known = scopes[key] { return known }
        let message = IdentityMessage(scope: bytes)
        let scope = TelemetryScope(
            name: message.name, version: message.version, attributes: message.attributes,
            droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL)
        scopes[key] = scope
        return scope
    }

    mutating func series(_ bytes: Span<UInt8>) -> SeriesIdentity {
        let key = Array(copying: bytes)
        if let known = series[key] { return known }
        let identity = SeriesIdentity(bytes)
        series[key] = identity
        return identity
    }
}

/// Makes points of the rows of a batch that has all columns.
struct PointDecoder {
    let table: MetricTable
    let batch: ColumnBatch

    func point(_ row: Int, _ identities: inout PointIdentities) -> MetricPoint {
        let series = identities.series(batch[table.series].span(row))
        var point = MetricPoint(
            resource: identities.resource(batch[table.resource].span(row)),
            scope: identities.scope(batch[table.scope].span(row)))
        point.name = series.name
        point.description = series.description
        point.unit = series.unit
        point.metadata = series.metadata
        point.kind = MetricKind(rawValue: series.kind) ?? .gauge
        point.temporality = series.temporality
        point.isMonotonic = series.isMonotonic
        point.attributes = series.attributes
        point.startTime = Timestamp(nanoseconds: batch[table.startTime][row])
        point.time = Timestamp(nanoseconds: batch[table.time][row])
        point.flags = UInt32(truncatingIfNeeded: batch[table.flags][row])
        point.value = value(row, point.kind)
        point.exemplars = exemplars(row, point.time)
        return point
    }

    private func value(_ row: Int, _ kind: MetricKind) -> MetricPoint.Value {
        switch batch[table.valueType][row] {
        case MetricTable.ValueType.int:
            let value = batch[table.value][row]
            return .int(MetricTable.join(value: value, residue: batch[table.valueResidue][row]))
        case MetricTable.ValueType.double: return .double(batch[table.value][row])
        case MetricTable.ValueType.distribution:
            let nested = batch[table.distribution]
            guard let inner = nested.range(row).first else { return .none }
            return distribution(DistributionRow(nested: nested, row: inner), kind)
        default: return .none
        }
    }

    private func distribution(_ row: DistributionRow, _ kind: MetricKind) -> MetricPoint.Value {
        typealias Field = MetricTable.DistributionField
        let count = UInt64(bitPattern: row.integer(Field.count))
        let sum = row.float(Field.sum, ifPresent: MetricTable.Present.sum)
        let min = row.float(Field.min, ifPresent: MetricTable.Present.min)
        let max = row.float(Field.max, ifPresent: MetricTable.Present.max)
        switch kind {
        case .histogram:
            return .histogram(
                count: count, sum: sum, min: min, max: max, bounds: row.bounds,
                counts: row.counts(Field.counts))
        case .exponentialHistogram:
            return .exponentialHistogram(
                count: count, sum: sum, min: min, max: max,
                scale: Int32(truncatingIfNeeded: row.integer(Field.scale)),
                zeroCount: UInt64(bitPattern: row.integer(Field.zeroCount)),
                zeroThreshold: row.float(Field.zeroThreshold),
                positiveOffset: Int32(truncatingIfNeeded: row.integer(Field.positiveOffset)),
                positive: row.counts(Field.counts),
                negativeOffset: Int32(truncatingIfNeeded: row.integer(Field.negativeOffset)),
                negative: row.counts(Field.negativeCounts))
        case .summary:
            let quantiles = zip(row.floats(Field.quantiles), row.floats(Field.quantileValues))
            return .summary(
                count: count, sum: sum ?? 0, quantiles: quantiles.map { (quantile: $0, value: $1) })
        case .gauge, .sum: return .none
        }
    }

    private func exemplars(_ row: Int, _ time: Timestamp) -> [MetricPoint.Exemplar] {
        let nested = batch[table.exemplars]
        return nested.range(row).map { inner in
            let offset = nested.integer(MetricTable.ExemplarField.timeOffset, inner)
            let (trace, span) = nested.exemplarIDs(inner)
            return MetricPoint.Exemplar(
                time: Timestamp(nanoseconds: time.nanoseconds &+ offset),
                value: nested.exemplarValue(inner) ?? .none, traceID: trace, spanID: span,
                attributes: nested.exemplarAttributes(inner))
        }
    }
}

/// One nested row of `distribution`, with all fields.
private struct DistributionRow {
    let nested: NestedColumn
    let row: Int

    func integer(_ field: Int) -> Int64 { nested.integer(field, row) }

    func float(_ field: Int) -> Double {
        guard case .floats(let values) = nested.fields[field] else { return 0 }
        return values[row]
    }

    func float(_ field: Int, ifPresent bit: Int64) -> Double? {
        integer(MetricTable.DistributionField.present) & bit == 0 ? nil : float(field)
    }

    func counts(_ field: Int) -> [UInt64] {
        guard case .arrays(let column) = nested.fields[field] else { return [] }
        return column.integers(row).map { UInt64(bitPattern: $0) }
    }

    func floats(_ field: Int) -> [Double] {
        guard case .arrays(let column) = nested.fields[field] else { return [] }
        return column.floats(row)
    }

    var bounds: [Double] {
        guard case .strings(let column) = nested.fields[MetricTable.DistributionField.bounds] else { return [] }
        return BucketBounds(column.span(row), number: 0).bounds
    }
}
