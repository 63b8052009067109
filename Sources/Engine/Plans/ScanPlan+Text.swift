internal import Core
package import TableSchema

/// Plans as people read them, in `explain` and the log: short, with the names of columns, long sets cut.
extension ScanPlan {
    package func text(_ table: TableDefinition) -> String {
        let names = PlanNames(table)
        var text = "from \(table.name)"
        if predicate != .everyRow { text += " where \(names.text(predicate))" }
        switch result {
        case .rows(let projection):
            let columns = projection.columns
            text += " select " + (columns == table.columns.map(\.id) ? "all columns" : names.list(columns))
            switch projection.order {
            case .any: break
            case .newestFirst: text += " newest first"
            case .oldestFirst: text += " oldest first"
            }
            if let limit = projection.limit { text += " limit \(limit)" }
        case .states(let aggregation):
            text += " select \(aggregation.aggregates.map(names.text).joined(separator: ", "))"
            var keys = aggregation.keys.map(names.text)
            switch aggregation.buckets {
            case nil: break
            case .every(let width, _): keys.append("\(Self.duration(width)) of time")
            case .edges(let edges): keys.append("\(max(0, edges.count - 1)) pieces of time")
            }
            if !keys.isEmpty { text += " by \(keys.joined(separator: ", "))" }
        }
        return text
    }

    private static func duration(_ nanoseconds: Int64) -> String {
        let units: [(Int64, String)] = [
            (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs"),
        ]
        for (size, name) in units where nanoseconds % size == 0 { return "\(nanoseconds / size) \(name)" }
        return "\(nanoseconds) ns"
    }
}

extension Predicate {
    package func text(_ table: TableDefinition) -> String { PlanNames(table).text(self) }
}

/// Writes parts of plans with the names that a table has.
private struct PlanNames {
    private static let shownElements = 4
    private static let shownBytes = 80

    private var names: [ColumnID: String] = [:]

    init(_ table: TableDefinition) {
        for column in table.columns {
            names[column.id] = column.name
            guard case .nested(let fields) = column.type else { continue }
            for field in fields { names[field.id] = "\(column.name).\(field.name)" }
        }
    }

    func list(_ columns: [ColumnID]) -> String { columns.map(name).joined(separator: ", ") }

    func name(_ column: ColumnID) -> String { names[column] ?? "column \(column.number)" }

    func text(_ predicate: Predicate) -> String {
        switch predicate {
        case .all(let parts):
            return parts.isEmpty ? "true" : parts.map { grouped($0) }.joined(separator: " and ")
        case .any(let parts):
            return parts.isEmpty ? "false" : parts.map { grouped($0) }.joined(separator: " or ")
        case .not(let part): return "not \(grouped(part))"
        case .test(let operand, let condition): return "\(text(operand)) \(text(condition))"
        case .anyElement(let column, let part): return "any of \(name(column)) has (\(text(part)))"
        case .hint(let part): return "perhaps (\(text(part)))"
        }
    }

    private func grouped(_ predicate: Predicate) -> String {
        switch predicate {
        case .all(let parts), .any(let parts): parts.isEmpty ? text(predicate) : "(\(text(predicate)))"
        default: text(predicate)
        }
    }

    func text(_ operand: Operand) -> String {
        switch operand {
        case .column(let column): name(column)
        case .attribute(let column, let key): "\(name(column))[\(quoted(key))]"
        case .attributes(let column, let derivation), .derived(let column, let derivation):
            "\(derivation.function)(\(name(column))"
                + (derivation.argument.isEmpty ? ")" : ", \(quoted(derivation.argument)))")
        }
    }

    func text(_ aggregate: Aggregate) -> String {
        let function =
            switch aggregate.function {
            case .count: "count"
            case .sum(let column), .sumOfDoubles(let column): "sum(\(name(column)))"
            case .min(let column): "min(\(name(column)))"
            case .max(let column): "max(\(name(column)))"
            case .histogram(let column): "histogram(\(name(column)))"
            case .distinct(let operand, let limit): "distinct(\(text(operand)), \(limit))"
            }
        return aggregate.filter.map { "\(function) where \(grouped($0))" } ?? function
    }

    private func text(_ condition: Condition) -> String {
        switch condition {
        case .exists: "exists"
        case .integer(let range): text(range, .min, .max)
        case .unsigned(let range): text(range, .min, .max)
        case .integers(let values): list(values) { String($0) }
        case .double(let comparison, let value): "\(sign(comparison)) \(value.shortestText)"
        case .boolean(let value): value ? "= true" : "= false"
        case .text(let comparison, let value): "\(sign(comparison)) \(quoted(value))"
        case .texts(let values): list(values, quoted)
        case .contains(let value): "contains \(quoted(value))"
        case .matches(let source, let isAnchored):
            "\(isAnchored ? "matches" : "matches somewhere") \(quoted(Array(source.utf8)))"
        case .ids(let ids): list(ids) { Hex.string($0.high) + Hex.string($0.low) }
        case .shortIDs(let ids): list(ids, Hex.string)
        case .shown(let value): "shows \(quoted(Array(value.utf8)))"
        case .element(let inner): "has an element that \(text(inner))"
        case .repaired(let inner): "repaired \(text(inner))"
        }
    }

    private func text<Value: Comparable & CustomStringConvertible>(
        _ range: ClosedRange<Value>, _ least: Value, _ greatest: Value
    ) -> String {
        if range.lowerBound == range.upperBound { return "= \(range.lowerBound)" }
        if range.lowerBound == least {
            return range.upperBound == greatest ? "is an integer" : "<= \(range.upperBound)"
        }
        if range.upperBound == greatest { return ">= \(range.lowerBound)" }
        return "between \(range.lowerBound) and \(range.upperBound)"
    }

    private func sign(_ comparison: Comparison) -> String {
        switch comparison {
        case .equal: "="
        case .notEqual: "!="
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        }
    }

    private func list<Value>(_ values: [Value], _ text: (Value) -> String) -> String {
        let shown = values.prefix(Self.shownElements).map(text).joined(separator: ", ")
        let rest = values.count - Self.shownElements
        return rest > 0 ? "in (\(shown) and \(rest) more)" : "in (\(shown))"
    }

    private func quoted(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes.prefix(Self.shownBytes), as: UTF8.self)
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<"\u{20}", "\u{7F}": quoted += "\\u{\(String(scalar.value, radix: 16))}"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + (bytes.count > Self.shownBytes ? "…\"" : "\"")
    }
}
