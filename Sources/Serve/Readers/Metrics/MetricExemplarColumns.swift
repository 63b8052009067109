internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// Reads the nested rows of `exemplars`.
extension NestedColumn {
    func integer(_ field: Int, _ row: Int) -> Int64 {
        guard case .integers(let values) = fields[field] else { return 0 }
        return values[row]
    }

    private func float(_ field: Int, _ row: Int) -> Double {
        guard case .floats(let values) = fields[field] else { return 0 }
        return values[row]
    }

    /// Nil if the exemplar has none.
    func exemplarValue(_ row: Int) -> MetricPoint.Value? {
        typealias Field = MetricTable.ExemplarField
        let value = float(Field.value, row)
        return switch integer(Field.valueType, row) {
        case MetricTable.ValueType.int:
            .int(MetricTable.join(value: value, residue: integer(Field.valueResidue, row)))
        case MetricTable.ValueType.double: .double(value)
        default: nil
        }
    }

    func exemplarIDs(_ row: Int) -> (trace: TraceID, span: SpanID) {
        typealias Field = MetricTable.ExemplarField
        guard case .fixed(let traces) = fields[Field.traceID], case .fixed(let spans) = fields[Field.spanID] else {
            return (TraceID(high: 0, low: 0), SpanID(word: 0))
        }
        return (traces.traceID(row), spans.spanID(row))
    }

    func exemplarAttributes(_ row: Int) -> [Attribute] {
        guard case .attributes(let attributes) = fields[MetricTable.ExemplarField.attributes] else { return [] }
        return attributes.attributes(row)
    }
}

extension MetricPoint.Value {
    /// Of an integer or a double.
    var number: Double? {
        switch self {
        case .int(let integer): Double(integer)
        case .double(let double): double
        default: nil
        }
    }
}
