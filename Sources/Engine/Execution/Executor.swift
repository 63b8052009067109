package import Columns
internal import Core
package import Plans
package import Scheduling
package import Storage
internal import TableSchema

/// Runs plans over snapshots: on all threads of the pool, block by block.
///
/// Cancellation and the deadline are looked at before each block, memory is counted after it, and a plan that makes more groups than it
/// may ends with `ExecutionError.tooManyGroups`. Blocks that are damaged are left out with a warning.
package enum Executor {
    /// Groups rows and aggregates each group.
    ///
    /// - Parameter plan: one whose result is states.
    /// - Throws: `PlanError` if the plan does not fit the table; `ExecutionError`; `ScanError` and `QueryInterruption` of the scan.
    package static func aggregate(
        _ plan: ScanPlan, over snapshot: TableSnapshot, functions: any ScanFunctions = NoScanFunctions(),
        context: QueryContext, pool: QueryPool = .shared
    ) throws -> AggregateStates {
        let table = snapshot.table
        guard case .states(let aggregation) = plan.result, plan.table == table.id else {
            throw PlanError.mismatch("the plan does not aggregate \(table.name)")
        }
        let compiled = try CompiledAggregation(aggregation, table, functions)
        let request = try ScanRequest(
            table, range: plan.range, predicate: plan.predicate, conditions: compiled.filters, functions: functions)
        var scan = Scan(snapshot, request, context: context, pool: pool)
        let total = try scan.aggregate({ Aggregator(compiled, context) }) { (aggregator, block) in
            try aggregator.add(&block)
        } merge: { (total, part) in
            try context.check()
            try total.merge(part)
        }
        return total.result()
    }

    /// Hands over the rows that a plan wants, in its order, until its limit: batches with the numbers of rows in them.
    ///
    /// - Parameters:
    ///   - plan: one whose result is rows.
    ///   - body: answers whether to go on.
    package static func rows(
        _ plan: ScanPlan, over snapshot: TableSnapshot, functions: any ScanFunctions = NoScanFunctions(),
        context: QueryContext, pool: QueryPool = .shared, _ body: (ColumnBatch, [UInt32]) throws -> Bool
    ) throws {
        let table = snapshot.table
        guard case .rows(let projection) = plan.result, plan.table == table.id else {
            throw PlanError.mismatch("the plan does not read rows of \(table.name)")
        }
        guard let time = table.ordinal(of: table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        var columns: [Int] = []
        for column in projection.columns {
            guard let ordinal = table.ordinal(of: column) else {
                throw PlanError.mismatch("\(table.name) has no column \(column.number)")
            }
            columns.append(ordinal)
        }
        let isOrdered = projection.order != .any
        if isOrdered, !columns.contains(time) { columns.append(time) }
        let request = try ScanRequest(
            table, range: plan.range, columns: columns, predicate: plan.predicate, functions: functions,
            order: BlockOrder(projection.order))
        var scan = Scan(snapshot, request, context: context, pool: pool)
        var left = projection.limit ?? .max
        if left == 0 { return }
        guard isOrdered else {
            return try scan.run { block in
                let rows = Array(block.rows.prefix(left))
                left -= rows.count
                return try body(block.batch, rows) && left > 0
            }
        }
        var pending = OrderedRows(isDescending: projection.order == .newestFirst, timeColumn: time)
        var goesOn = true
        try scan.run { block in
            pending.add(block, most: left)
            goesOn = try pending.take(before: block.bound, most: &left, body)
            return goesOn && left > 0
        }
        if goesOn, left > 0 { _ = try pending.take(before: nil, most: &left, body) }
    }
}

extension BlockOrder {
    init(_ order: Projection.Order) {
        self =
            switch order {
            case .any: .any
            case .newestFirst: .newestFirst
            case .oldestFirst: .oldestFirst
            }
    }
}

extension Aggregator {
    /// The states of all rows, once everything is merged.
    consuming func result() -> AggregateStates {
        var distinctValues: [GroupValues?] = []
        for function in plan.functions {
            if case .distinct(let index, _) = function {
                distinctValues.append(plan.distinct[index].space.take())
            } else {
                distinctValues.append(nil)
            }
        }
        var result = AggregateStates(
            plan.plan, values: plan.keys.map { $0.space.take() }, groups: groups,
            states: groups.count == 0 ? [] : states, distinct: distinctValues)
        result.leases = [lease]
        return result
    }
}

/// Rows that passed, in the order of their times, kept until none can come that stands before them: of equal times those of the source
/// and row with the lower numbers first, or, for the newest first, last.
private struct OrderedRows {
    private struct Item {
        let time: Int64
        let source: UInt64
        let sourceRow: Int
        let block: ScanBlock
        let row: UInt32
    }

    private let isDescending: Bool
    private let timeColumn: Int
    private var items: [Item] = []

    init(isDescending: Bool, timeColumn: Int) {
        self.isDescending = isDescending
        self.timeColumn = timeColumn
    }

    private func precedes(_ left: Item, _ right: Item) -> Bool {
        let (left, right) = ((left.time, left.source, left.sourceRow), (right.time, right.source, right.sourceRow))
        return isDescending ? left > right : left < right
    }

    /// - Parameter most: rows behind so many others are not kept.
    mutating func add(_ block: ScanBlock, most: Int) {
        guard case .integers(let times)? = block.batch.columns[timeColumn] else { return }
        for row in block.rows {
            items.append(
                Item(
                    time: times[Int(row)], source: block.source, sourceRow: block.firstRow + Int(row), block: block,
                    row: row))
        }
        items.sort(by: precedes)
        if items.count > most { items.removeLast(items.count - most) }
    }

    mutating func take(
        before bound: Int64?, most left: inout Int, _ body: (ColumnBatch, [UInt32]) throws -> Bool
    ) throws -> Bool {
        var end = items.count
        if let bound {
            end = items.firstIndex { isDescending ? $0.time <= bound : $0.time >= bound } ?? items.count
        }
        var first = 0
        while first < end, left > 0 {
            // Rows of one block that follow each other go together.
            var next = first
            var rows: [UInt32] = []
            while next < end, rows.count < left, items[next].source == items[first].source,
                items[next].block.firstRow == items[first].block.firstRow
            {
                rows.append(items[next].row)
                next += 1
            }
            left -= rows.count
            guard try body(items[first].block.batch, rows) else { return false }
            first = next
        }
        items.removeFirst(end)
        return true
    }
}
