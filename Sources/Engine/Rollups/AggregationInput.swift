internal import Columns
internal import Core
internal import TableSchema

/// One value for each row.
enum AggregationValues {
    case integers(Buffer<Int64>)
    case floats(Buffer<Double>)
    case fixed(FixedColumn)
    case strings(StringColumn)
}

/// The rows of a batch that are aggregated, and what a view's expressions are for them.
struct AggregationInput {
    private let batch: ColumnBatch
    private let table: TableDefinition
    /// Nil: all.
    private var rows: [UInt32]?
    private let joined: ColumnBatch?
    /// Of the rows of `joined`.
    private var joinedRows: [UInt32]?
    private(set) var count: Int
    /// What was worked out before.
    private var known: [RollupExpression: AggregationValues] = [:]
    private var chosen: [RollupCondition: [UInt32]] = [:]

    init(
        _ batch: ColumnBatch, _ table: TableDefinition, rows: [UInt32]?, joined: ColumnBatch? = nil,
        joinedRows: [UInt32]? = nil
    ) {
        self.joinedRows = joinedRows
        self.batch = batch
        self.table = table
        self.rows = rows
        self.joined = joined
        count = rows?.count ?? batch.rowCount
        precondition(
            joined.map { (joinedRows?.count ?? $0.rowCount) == count } ?? true,
            "every row has the one that it is joined to")
    }

    /// Leaves only some of the rows.
    ///
    /// - Parameter places: ascending places among the rows so far.
    mutating func keep(_ places: [UInt32]) {
        guard places.count < count else { return }
        rows = rows.map { rows in places.map { rows[Int($0)] } } ?? places
        if joined != nil { joinedRows = joinedRows.map { rows in places.map { rows[Int($0)] } } ?? places }
        count = places.count
        known = [:]
        chosen = [:]
    }

    // MARK: Expressions

    mutating func values(_ expression: RollupExpression) -> AggregationValues {
        if let values = known[expression] { return values }
        let values: AggregationValues
        switch expression {
        case .column(let column): values = self.column(column)
        case .bucket(let column, let width, let shift):
            let times = integers(.column(column))
            values = .integers(
                Buffer(
                    times.map { time in
                        let (earlier, overflow) = time.subtractingReportingOverflow(shift)
                        return Self.start(overflow ? time : earlier, width)
                    }))
        case .sum(let left, let right):
            let (left, right) = (integers(.column(left)), integers(.column(right)))
            values = .integers(Buffer((0..<count).map { left[$0] &+ right[$0] }))
        }
        known[expression] = values
        return values
    }

    mutating func integers(_ expression: RollupExpression) -> Buffer<Int64> {
        guard case .integers(let values) = values(expression) else { preconditionFailure("Schema/ was checked") }
        return values
    }

    /// The greatest multiple of `width` that is not above `time`; of times before the first one, that.
    private static func start(_ time: Int64, _ width: Int64) -> Int64 {
        let rest = time % width
        return time.subtractingReportingOverflow(rest < 0 ? rest + width : rest).partialValue
    }

    private func column(_ column: RollupColumn) -> AggregationValues {
        switch column {
        case .source(let id): Self.values(batch.columns[table.place(id)], rows)
        case .joined(let id): Self.values(joined?.columns[table.place(id)], joinedRows)
        }
    }

    private static func values(_ column: Column?, _ rows: [UInt32]?) -> AggregationValues {
        switch column {
        case .integers(let values)?: .integers(values.taking(rows))
        case .floats(let values)?: .floats(values.taking(rows))
        case .strings(let values)?:
            .strings(StringColumn(codes: values.codes.taking(rows), dictionary: values.dictionary))
        case .fixed(let values)?: .fixed(values.taking(rows))
        default: preconditionFailure("a column that the view is made of was not read")
        }
    }

    // MARK: Conditions

    /// The places, ascending, of the rows for which a condition holds.
    mutating func rows(where condition: RollupCondition) -> [UInt32] {
        if let rows = chosen[condition] { return rows }
        let rows: [UInt32]
        if case .integer(let column, nil, let comparison, let number) = condition {
            let values = integers(.column(column))
            let span = values.span
            rows = places { comparison.holds(span[$0], number) }
        } else {
            let holds = self.holds(condition)
            rows = places { holds[$0] }
        }
        chosen[condition] = rows
        return rows
    }

    @inline(__always)
    private func places(where holds: (Int) -> Bool) -> [UInt32] {
        var selection = RowSelection(rowCount: count)
        selection.keep(holds)
        return selection.rows
    }

    private mutating func holds(_ condition: RollupCondition) -> [Bool] {
        switch condition {
        case .integer(let column, let mask, let comparison, let number):
            let values = integers(.column(column))
            guard let mask else { return values.map { comparison.holds($0, number) } }
            return values.map { comparison.holds($0 & mask, number) }
        case .bytes(let column, let comparison, let bytes):
            let isEqual = comparison == .equal
            return equal(values(.column(column)), bytes).map { $0 == isEqual }
        case .columns(let left, let comparison, let right):
            return compare(values(.column(left)), comparison, values(.column(right)))
        case .not(let inner): return holds(inner).map { !$0 }
        case .and(let left, let right): return zip(holds(left), holds(right)).map { $0 && $1 }
        case .or(let left, let right): return zip(holds(left), holds(right)).map { $0 || $1 }
        }
    }

    private func equal(_ values: AggregationValues, _ bytes: [UInt8]) -> [Bool] {
        switch values {
        case .fixed(let ids):
            let wanted = FixedColumn(width: ids.width, bytes: Buffer(bytes))
            precondition(bytes.count == ids.width)
            var equal = [Bool](repeating: true, count: count)
            for offset in stride(from: 0, to: ids.width, by: 8) {
                let word = wanted.word(0, at: offset)
                let words = ids.words(count, at: offset)
                for row in 0..<count where words[row] != word { equal[row] = false }
            }
            return equal
        case .strings(let strings):
            let codes = Set(strings.dictionary.codes(equalTo: bytes))
            return strings.codes.map { codes.contains($0) }
        case .integers, .floats: preconditionFailure("Schema/ was checked")
        }
    }

    private func compare(_ left: AggregationValues, _ comparison: RollupComparison, _ right: AggregationValues)
        -> [Bool]
    {
        switch (left, right) {
        case (.integers(let left), .integers(let right)):
            return (0..<count).map { comparison.holds(left[$0], right[$0]) }
        case (.floats(let left), .floats(let right)):
            return (0..<count).map { comparison.holds(left[$0], right[$0]) }
        case (.fixed(let left), .fixed(let right)):
            return (0..<count).map { row in
                stride(from: 0, to: left.width, by: 8).allSatisfy {
                    left.word(row, at: $0) == right.word(row, at: $0)
                } == (comparison == .equal)
            }
        case (.strings(let left), .strings(let right)):
            return (0..<count).map { row in
                (left.span(row).isEqual(to: right.span(row))) == (comparison == .equal)
            }
        default: preconditionFailure("Schema/ was checked")
        }
    }
}

extension RollupComparison {
    @inline(__always)
    fileprivate func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }
}
