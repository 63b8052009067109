internal import Columns
internal import Core
internal import Plans
internal import Storage
internal import TableSchema

/// An aggregation as it is applied to blocks of a table: columns by their numbers, checked against their types. What all threads of a
/// query share.
final class CompiledAggregation: Sendable {
    struct Key: Sendable {
        enum Source: Sendable {
            case strings(Int)
            case integers(Int)
            case doubles(Int)
            case ids(Int)
            case attribute(Int, key: [UInt8])
            case derived(Int, Derivation)
        }

        let source: Source
        let space: KeySpace
    }

    enum Function: Sendable {
        case count
        case sum(Int)
        case doubleSum(Int)
        case integers(StateColumn.Extremum, Int)
        case doubles(StateColumn.Extremum, Int)
        case histogram(Int)
        /// The number of its key among `distinct`.
        case distinct(Int, limit: Int)
    }

    let plan: Aggregation
    let keys: [Key]
    /// The values of `distinct`, read as keys are.
    let distinct: [Key]
    let functions: [Function]
    /// By aggregate: the number of its filter among `filters`.
    let filterOf: [Int?]
    let filters: [Predicate]
    let timeColumn: Int
    /// The columns that the table is ordered by before time: where each has one value, times ascend.
    let ordersBeforeTime: [Int]?
    let scanFunctions: any ScanFunctions

    init(_ plan: Aggregation, _ table: TableDefinition, _ scanFunctions: any ScanFunctions) throws(PlanError) {
        self.plan = plan
        self.scanFunctions = scanFunctions
        guard let time = table.ordinal(of: table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        timeColumn = time
        ordersBeforeTime = Self.orders(table)
        guard plan.groupLimit <= Aggregation.greatestGroupLimit else { throw .tooLarge("groups") }
        var keys: [Key] = []
        for operand in plan.keys { keys.append(try Self.key(operand, table, scanFunctions)) }
        self.keys = keys
        var distinct: [Key] = []
        var functions: [Function] = []
        var filterOf: [Int?] = []
        var filters: [Predicate] = []
        for aggregate in plan.aggregates {
            functions.append(try Self.function(aggregate.function, table, scanFunctions, &distinct))
            guard let filter = aggregate.filter else {
                filterOf.append(nil)
                continue
            }
            let known = filters.firstIndex(of: filter)
            filterOf.append(known ?? filters.count)
            if known == nil { filters.append(filter) }
        }
        (self.distinct, self.functions, self.filterOf, self.filters) = (distinct, functions, filterOf, filters)
    }

    /// Whether rows are only counted.
    var onlyCounts: Bool { functions.allSatisfy { if case .count = $0 { true } else { false } } }

    private static func orders(_ table: TableDefinition) -> [Int]? {
        var columns: [Int] = []
        for expression in table.order {
            guard case .column(let id) = expression, let ordinal = table.ordinal(of: id) else { return nil }
            if id == table.partitionColumn { return columns }
            columns.append(ordinal)
        }
        return nil
    }

    // MARK: Checks

    private static func key(
        _ operand: Operand, _ table: TableDefinition, _ functions: any ScanFunctions
    ) throws(PlanError) -> Key {
        guard let ordinal = table.ordinal(of: operand.column) else { throw mismatch(operand.column, table) }
        let type = table.columns[ordinal].type
        switch (operand, type) {
        case (.column, .string), (.column, .lowCardinality): return Key(source: .strings(ordinal), space: KeySpace())
        case (.column, .integer): return Key(source: .integers(ordinal), space: KeySpace())
        case (.column, .float): return Key(source: .doubles(ordinal), space: KeySpace())
        case (.column, .fixed): return Key(source: .ids(ordinal), space: KeySpace())
        case (.attribute(_, let key), .attributes):
            return Key(source: .attribute(ordinal, key: key), space: KeySpace())
        case (.derived(_, let derivation), .string), (.derived(_, let derivation), .lowCardinality):
            guard functions.knows(derivation.function) else { throw .unknownFunction(derivation.function) }
            return Key(source: .derived(ordinal, derivation), space: KeySpace())
        default: throw mismatch(operand.column, table)
        }
    }

    private static func function(
        _ function: Aggregate.Function, _ table: TableDefinition, _ functions: any ScanFunctions,
        _ distinct: inout [Key]
    ) throws(PlanError) -> Function {
        switch function {
        case .count: return .count
        case .sum(let column): return .sum(try integers(column, table))
        case .histogram(let column): return .histogram(try integers(column, table))
        case .sumOfDoubles(let column):
            let (ordinal, type) = try self.column(column, table)
            guard type == .float else { throw mismatch(column, table) }
            return .doubleSum(ordinal)
        case .min(let column): return try extremum(.least, column, table)
        case .max(let column): return try extremum(.greatest, column, table)
        case .distinct(let operand, let limit):
            guard limit >= 0, limit <= Aggregation.greatestGroupLimit else { throw .tooLarge("distinct values") }
            distinct.append(try key(operand, table, functions))
            return .distinct(distinct.count - 1, limit: limit)
        }
    }

    private static func extremum(
        _ extremum: StateColumn.Extremum, _ column: ColumnID, _ table: TableDefinition
    ) throws(PlanError) -> Function {
        let (ordinal, type) = try self.column(column, table)
        switch type {
        case .integer: return .integers(extremum, ordinal)
        case .float: return .doubles(extremum, ordinal)
        default: throw mismatch(column, table)
        }
    }

    private static func integers(_ column: ColumnID, _ table: TableDefinition) throws(PlanError) -> Int {
        let (ordinal, type) = try self.column(column, table)
        guard case .integer = type else { throw mismatch(column, table) }
        return ordinal
    }

    private static func column(
        _ column: ColumnID, _ table: TableDefinition
    ) throws(PlanError) -> (ordinal: Int, type: ColumnType) {
        guard let ordinal = table.ordinal(of: column) else { throw mismatch(column, table) }
        return (ordinal, table.columns[ordinal].type)
    }

    private static func mismatch(_ column: ColumnID, _ table: TableDefinition) -> PlanError {
        guard let known = table.columns.first(where: { $0.id == column }) else {
            return .mismatch("\(table.name) has no column \(column.number)")
        }
        return .mismatch("column \(known.name) of \(table.name) has another type than is needed")
    }
}
