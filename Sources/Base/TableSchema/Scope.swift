/// What the names in a view's expressions mean, and the types of its expressions.
struct Scope {
    var file: SourceFile
    var table: TableDefinition
    var alias: String
    /// What the joined row is called; with a join every column must say which row's it is.
    var joined: String?

    // MARK: Columns

    private func column(
        _ expression: ExpressionSyntax
    ) throws(SchemaError) -> (column: RollupColumn, type: ColumnType) {
        guard case .column(let qualifier, let name) = expression else {
            throw file.error(at: expression.offset, "expected a column")
        }
        let definition = try table.column(name, in: file)
        guard let qualifier else {
            guard joined == nil else {
                throw file.error(at: name.offset, "'\(name.text)' must say whose: '\(alias).\(name.text)'")
            }
            return (.source(definition.id), definition.type)
        }
        if qualifier.text == alias { return (.source(definition.id), definition.type) }
        guard qualifier.text == joined else {
            throw file.error(at: qualifier.offset, "no row is called '\(qualifier.text)' here")
        }
        return (.joined(definition.id), definition.type)
    }

    private func scalar(
        _ expression: ExpressionSyntax
    ) throws(SchemaError) -> (expression: RollupExpression, type: ColumnType) {
        switch expression {
        case .column:
            let (column, type) = try column(expression)
            guard type.isSortable else {
                throw file.error(at: expression.offset, "a view cannot use a column of type \(type.sql)")
            }
            return (.column(column), type)
        case .call(let name, let arguments):
            guard let width = Self.bucketWidths[name.text] else {
                throw file.error(at: name.offset, "unknown function '\(name.text)'")
            }
            guard arguments.count == 1 else { throw file.error(at: name.offset, "\(name.text) takes one column") }
            var (argument, shift) = (arguments[0], Int64(0))
            if case .earlier(let time, let nanoseconds) = argument { (argument, shift) = (time, nanoseconds) }
            let (column, type) = try column(argument)
            guard type == .integer(.dateTime64) else {
                throw file.error(at: argument.offset, "\(name.text) takes no \(type.sql)")
            }
            return (.bucket(column, width: width, shift: shift), type)
        case .binary(.plus, let left, let right):
            let (first, type) = try column(left)
            let (second, added) = try column(right)
            let isTime = type == .integer(.dateTime64) && added == .integer(.int64)
            guard isTime || (type == added && type == .integer(.int64)) else {
                throw file.error(at: left.offset, "\(type.sql) and \(added.sql) have no sum here")
            }
            return (.sum(first, second), type)
        default:
            throw file.error(
                at: expression.offset, "expected a column, the start of a time span, or a sum of two columns")
        }
    }

    private static let bucketWidths: [String: Int64] = [
        "toStartOfMinute": 60_000_000_000,
        "toStartOfFiveMinutes": 300_000_000_000,
        "toStartOfHour": 3_600_000_000_000,
        "toStartOfDay": 86_400_000_000_000,
    ]

    // MARK: Aggregates

    /// The key or the aggregate that `expression` is.
    func draft(_ expression: ExpressionSyntax) throws(SchemaError) -> Draft {
        guard case .call(let name, let given) = expression, Self.bucketWidths[name.text] == nil else {
            let (expression, type) = try scalar(expression)
            return Draft(kind: .key(expression), type: type)
        }
        var function = name.text
        var arguments = given
        var condition: RollupCondition?
        if function.hasSuffix("If"), let last = arguments.popLast() {
            function.removeLast(2)
            condition = try self.condition(last)
        }
        let values = try arguments.map { argument throws(SchemaError) in try scalar(argument) }
        guard let type = Self.type(of: function, values.map(\.type)) else {
            let types = values.map(\.type.sql).joined(separator: ", ")
            throw file.error(at: name.offset, "there is no aggregate function \(name.text)(\(types))")
        }
        let call = Draft.Call(
            name: function, offset: name.offset, arguments: values.map(\.expression), condition: condition)
        return Draft(kind: .aggregate(call), type: type)
    }

    /// The type of an aggregate function's value, or `nil` if there is no such function of such arguments.
    private static func type(of function: String, _ arguments: [ColumnType]) -> ColumnType? {
        switch (function, arguments.count) {
        case ("count", 0): return .integer(.uint64)
        case ("sum", 1):
            switch arguments[0] {
            case .float: return .float
            case .integer(.dateTime64): return nil
            case .integer(let type): return .integer(type.isSigned ? .int64 : .uint64)
            default: return nil
            }
        case ("min", 1), ("max", 1): return arguments[0].isNumber ? arguments[0] : nil
        case ("argMin", 2), ("argMax", 2): return arguments[1].isNumber ? arguments[0] : nil
        case ("counterIncrease", 2): return arguments == [.float, .integer(.dateTime64)] ? .float : nil
        case ("counterResets", 2): return arguments == [.float, .integer(.dateTime64)] ? .integer(.uint64) : nil
        case ("exponentialHistogram", 1): return arguments[0].isNumber ? .aggregateState(function: function) : nil
        case ("groupUniqArray", 1): return arguments[0].isBytes ? .aggregateState(function: function) : nil
        default: return nil
        }
    }

    // MARK: Conditions

    func condition(_ expression: ExpressionSyntax) throws(SchemaError) -> RollupCondition {
        switch expression {
        case .binary(.and, let left, let right): return .and(try condition(left), try condition(right))
        case .binary(.or, let left, let right): return .or(try condition(left), try condition(right))
        case .not(let inside, _): return .not(try condition(inside))
        case .binary(.comparison(let comparison), let left, let right):
            return try compare(left, comparison, right)
        default: throw file.error(at: expression.offset, "expected a condition")
        }
    }

    private func compare(
        _ left: ExpressionSyntax, _ comparison: RollupComparison, _ right: ExpressionSyntax
    ) throws(SchemaError) -> RollupCondition {
        let (column, type, mask) = try masked(left)
        if case .integer(let value, let offset) = right {
            guard case .integer(let integer) = type else {
                throw file.error(at: offset, "a number cannot be compared with \(type.sql)")
            }
            guard integer.isSigned || value >= 0 else { throw file.error(at: offset, "\(type.sql) is never negative") }
            return .integer(column, mask: mask, comparison, value)
        }
        guard mask == nil else { throw file.error(at: right.offset, "expected a number") }
        if case .text(let bytes, let offset) = right {
            return .bytes(column, try equality(comparison, left.offset), try padded(bytes, to: type, at: offset))
        }
        let (other, otherType) = try self.column(right)
        guard type == otherType, type.isBytes || type.isNumber else {
            throw file.error(at: left.offset, "\(type.sql) and \(otherType.sql) cannot be compared")
        }
        return .columns(column, type.isBytes ? try equality(comparison, left.offset) : comparison, other)
    }

    /// A column, or `bitAnd(column, mask)`.
    private func masked(
        _ expression: ExpressionSyntax
    ) throws(SchemaError) -> (column: RollupColumn, type: ColumnType, mask: Int64?) {
        guard case .call(let name, let arguments) = expression else {
            let (column, type) = try column(expression)
            return (column, type, nil)
        }
        guard name.text == "bitAnd", arguments.count == 2, case .integer(let mask, _) = arguments[1] else {
            throw file.error(at: name.offset, "expected a column or bitAnd(column, number)")
        }
        let (column, type) = try column(arguments[0])
        guard case .integer = type else { throw file.error(at: arguments[0].offset, "bitAnd takes no \(type.sql)") }
        return (column, type, mask)
    }

    private func equality(_ comparison: RollupComparison, _ offset: Int) throws(SchemaError) -> RollupComparison {
        guard comparison == .equal || comparison == .notEqual else {
            throw file.error(at: offset, "texts and ids can be compared with = and != only")
        }
        return comparison
    }

    /// An id's text is filled up with zeros, so that `''` is the absent id.
    private func padded(_ bytes: [UInt8], to type: ColumnType, at offset: Int) throws(SchemaError) -> [UInt8] {
        switch type {
        case .string, .lowCardinality: return bytes
        case .fixed(let width) where bytes.count <= width:
            return bytes + Array(repeating: 0, count: width - bytes.count)
        case .fixed(let width): throw file.error(at: offset, "the text is longer than \(width) bytes")
        default: throw file.error(at: offset, "a text cannot be compared with \(type.sql)")
        }
    }

    // MARK: Joins

    /// `child.trace_id = parent.trace_id AND child.parent_span_id = parent.span_id`.
    func join(_ join: ViewSyntax.Join?) throws(SchemaError) -> RollupJoin? {
        guard let join else { return nil }
        return RollupJoin(pairs: try pairs(join.condition))
    }

    private func pairs(_ expression: ExpressionSyntax) throws(SchemaError) -> [RollupJoin.Pair] {
        if case .binary(.and, let left, let right) = expression { return try pairs(left) + pairs(right) }
        switch try condition(expression) {
        case .columns(.source(let source), .equal, .joined(let joined)),
            .columns(.joined(let joined), .equal, .source(let source)):
            return [RollupJoin.Pair(source: source, joined: joined)]
        default: throw file.error(at: expression.offset, "a join compares columns of the two rows with = and AND")
        }
    }
}
