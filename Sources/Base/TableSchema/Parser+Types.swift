extension Parser {
    mutating func type() throws(SchemaError) -> ColumnType {
        try nested { parser throws(SchemaError) in try parser.namedType() }
    }

    private mutating func namedType() throws(SchemaError) -> ColumnType {
        let start = token
        let name = try name("a type").text
        switch name {
        case "DateTime64":
            try inParentheses { parser throws(SchemaError) in
                guard parser.token.kind == .integer(9) else { throw parser.error("DateTime64 has a precision of 9") }
                parser.advance()
            }
            return .integer(.dateTime64)
        case "Float64": return .float
        case "String": return .string
        case "FixedString":
            let width = try inParentheses { parser throws(SchemaError) in try parser.width() }
            return .fixed(width: width)
        case "LowCardinality":
            try inParentheses { parser throws(SchemaError) in try parser.expectType(.string) }
            return .lowCardinality
        case "Array": return .array(of: try inParentheses { parser throws(SchemaError) in try parser.arrayElement() })
        case "Map":
            try inParentheses { parser throws(SchemaError) in
                try parser.expectType(.lowCardinality)
                try parser.expect(.comma)
                guard parser.token.kind == .word("Dynamic") else {
                    throw parser.error("a map's values have the type Dynamic")
                }
                parser.advance()
            }
            return .attributes
        case "AggregateFunction":
            return try inParentheses { parser throws(SchemaError) in try parser.aggregateState() }
        case "Nested": throw file.error(at: start.offset, "Nested cannot stand inside another type")
        default:
            guard let type = IntegerType(rawValue: name) else {
                throw file.error(at: start.offset, "unknown type \(start.shown)")
            }
            return .integer(type)
        }
    }

    private mutating func inParentheses<Value>(
        _ read: (inout Parser) throws(SchemaError) -> Value
    ) throws(SchemaError) -> Value {
        try expect(.open)
        let value = try read(&self)
        try expect(.close)
        return value
    }

    private mutating func expectType(_ expected: ColumnType) throws(SchemaError) {
        let start = token
        guard try type() == expected else {
            throw file.error(at: start.offset, "expected \(expected.sql) before \(start.shown)")
        }
    }

    private mutating func width() throws(SchemaError) -> Int {
        guard token.kind == .integer(8) || token.kind == .integer(16) else {
            throw error("a FixedString is an id of 8 or 16 bytes")
        }
        return Int(try integer(8...16, "a width"))
    }

    private mutating func arrayElement() throws(SchemaError) -> ColumnType {
        let start = token
        switch try type() {
        case .integer(.int64): return .integer(.int64)
        case .integer(.uint64): return .integer(.uint64)
        case .float: return .float
        default: throw file.error(at: start.offset, "an array holds Int64, UInt64 or Float64")
        }
    }

    /// `exponentialHistogram, Int64`: the types are checked, and then dropped, since a state does not depend on them.
    private mutating func aggregateState() throws(SchemaError) -> ColumnType {
        let start = token
        let function = try name("an aggregate function").text
        guard function == "exponentialHistogram" || function == "groupUniqArray" else {
            throw file.error(at: start.offset, "no aggregate function \(start.shown) that keeps a state")
        }
        try expect(.comma)
        let argument = token
        let type = try type()
        guard function == "exponentialHistogram" ? type.isNumber : type.isBytes else {
            throw file.error(at: argument.offset, "\(function) takes no \(type.sql)")
        }
        return .aggregateState(function: function)
    }
}
