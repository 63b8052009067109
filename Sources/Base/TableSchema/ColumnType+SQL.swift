extension ColumnType {
    /// The type as Schema/ writes it; of a nested type only the word, since its fields stand on lines of their own in Schema/LOCK.
    package var sql: String {
        switch self {
        case .integer(let type): type.rawValue
        case .float: "Float64"
        case .fixed(let width): "FixedString(\(width))"
        case .string: "String"
        case .lowCardinality: "LowCardinality(String)"
        case .array(let element): "Array(\(element.sql))"
        case .attributes: "Map(LowCardinality(String), Dynamic)"
        case .nested: "Nested"
        case .aggregateState(let function): "AggregateFunction(\(function))"
        }
    }

    /// Whether rows can be put in order by it.
    var isSortable: Bool {
        switch self {
        case .integer, .float, .fixed, .string, .lowCardinality: true
        case .array, .attributes, .nested, .aggregateState: false
        }
    }

    /// Whether a value is a run of bytes: a text or an id.
    var isBytes: Bool {
        switch self {
        case .string, .lowCardinality, .fixed: true
        default: false
        }
    }

    var isNumber: Bool {
        switch self {
        case .integer, .float: true
        default: false
        }
    }
}

extension IntegerType {
    var isSigned: Bool {
        switch self {
        case .int8, .int16, .int32, .int64, .dateTime64: true
        case .uint8, .uint16, .uint32, .uint64, .bool: false
        }
    }
}
