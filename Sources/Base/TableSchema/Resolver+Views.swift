/// Materialized views: a view's target is a table whose columns are the view's expressions, with the types that follow.
extension Resolver {
    mutating func add(_ view: ViewSyntax) throws(SchemaError) {
        let scope = try scope(of: view)
        let items = try view.items.map { item throws(SchemaError) in
            (name: item.name, draft: try scope.draft(item.expression))
        }
        try checkGroups(view, items.map(\.draft))
        let columns = items.map { ColumnSyntax(name: $0.name, kind: .plain($0.draft.type)) }
        let target = try define(view.name, columns: columns, clauses: view.clauses, in: view.file)
        try checkOrder(view, target, keys: items.filter(\.draft.isKey).map(\.name.text))

        let targets = zip(target.columns, items.map(\.draft)).map { (id: $0.id, draft: $1) }
        let companions = Companions(columns: targets, file: view.file)
        var rollup = RollupDefinition(
            target: target, source: scope.table.id, join: try scope.join(view.join),
            condition: try view.condition.map { condition throws(SchemaError) in try scope.condition(condition) },
            keys: [], aggregates: [])
        for column in targets {
            switch column.draft.kind {
            case .key(let expression): rollup.keys.append(RollupKey(column: column.id, expression: expression))
            case .aggregate(let call):
                let function = try companions.function(call)
                rollup.aggregates.append(
                    RollupAggregate(column: column.id, function: function, condition: call.condition))
            }
        }
        rollups.append(rollup)
    }

    private func scope(of view: ViewSyntax) throws(SchemaError) -> Scope {
        let source = view.source.table
        guard let table = tables.first(where: { $0.name == source.text }),
            !rollups.contains(where: { $0.target.name == source.text })
        else {
            throw view.file.error(at: source.offset, "there is no table '\(source.text)'")
        }
        if let join = view.join?.source {
            guard join.table.text == source.text else {
                throw view.file.error(at: join.table.offset, "a row can be joined to rows of '\(source.text)' only")
            }
            guard join.alias.text != view.source.alias.text else {
                throw view.file.error(at: join.alias.offset, "both sides of the join are called '\(join.alias.text)'")
            }
        }
        return Scope(
            file: view.file, table: table, alias: view.source.alias.text, joined: view.join?.source.alias.text)
    }

    /// Every expression is either named in GROUP BY or an aggregate.
    private func checkGroups(_ view: ViewSyntax, _ drafts: [Draft]) throws(SchemaError) {
        for group in view.groups {
            guard let index = view.items.firstIndex(where: { $0.name.text == group.text }) else {
                throw view.file.error(at: group.offset, "the view selects no '\(group.text)'")
            }
            guard drafts[index].isKey else {
                throw view.file.error(
                    at: group.offset, "'\(group.text)' is an aggregate, and rows cannot be grouped by it")
            }
        }
        for (item, draft) in zip(view.items, drafts) where draft.isKey {
            guard view.groups.contains(where: { $0.text == item.name.text }) else {
                throw view.file.error(
                    at: item.expression.offset, "'\(item.name.text)' must be in GROUP BY or an aggregate")
            }
        }
    }

    /// Rows of one group must be neighbours in one partition, or merging would not bring them together.
    private func checkOrder(_ view: ViewSyntax, _ target: TableDefinition, keys: [String]) throws(SchemaError) {
        let order = view.clauses.order
        guard !order.contains(where: \.isStartOfMinute), order.map(\.column.text).sorted() == keys.sorted() else {
            throw view.file.error(
                at: view.clauses.orderOffset, "a view's ORDER BY must name each column of its GROUP BY once")
        }
        let partition = view.clauses.partition.column
        guard keys.contains(partition.text) else {
            throw view.file.error(at: partition.offset, "a view's PARTITION BY must use a column of its GROUP BY")
        }
        if let ttl = view.clauses.timeToLive?.column, !keys.contains(ttl.text) {
            throw view.file.error(at: ttl.offset, "a view's TTL must use a column of its GROUP BY")
        }
    }
}

/// A column of a view before the target's columns have numbers.
struct Draft {
    struct Call: Hashable {
        var name: String
        var offset: Int
        var arguments: [RollupExpression]
        var condition: RollupCondition?
    }

    enum Kind {
        case key(RollupExpression)
        case aggregate(Call)
    }

    var kind: Kind
    var type: ColumnType

    var isKey: Bool { if case .key = kind { true } else { false } }
}

/// Finds the columns of a view that hold the other half of an aggregate's state.
struct Companions {
    var columns: [(id: ColumnID, draft: Draft)]
    var file: SourceFile

    func function(_ call: Draft.Call) throws(SchemaError) -> RollupFunction {
        // `count` is the only function without an argument.
        guard let value = call.arguments.first else { return .count }
        switch call.name {
        case "sum": return .sum(value)
        case "min": return .min(value)
        case "max": return .max(value)
        case "exponentialHistogram": return .exponentialHistogram(value)
        case "groupUniqArray": return .groupUniqArray(value)
        case "argMin":
            return .argMin(value, by: call.arguments[1], key: try column("min", [call.arguments[1]], of: call))
        case "argMax":
            return .argMax(value, by: call.arguments[1], key: try column("max", [call.arguments[1]], of: call))
        case "counterIncrease": return .counterIncrease(value, by: call.arguments[1], segment: try segment(of: call))
        default: return .counterResets(value, by: call.arguments[1], segment: try segment(of: call))
        }
    }

    private func segment(of call: Draft.Call) throws(SchemaError) -> CounterSegment {
        CounterSegment(
            firstTime: try column("min", [call.arguments[1]], of: call),
            first: try column("argMin", call.arguments, of: call),
            lastTime: try column("max", [call.arguments[1]], of: call),
            last: try column("argMax", call.arguments, of: call))
    }

    private func column(
        _ name: String, _ arguments: [RollupExpression], of call: Draft.Call
    ) throws(SchemaError) -> ColumnID {
        for column in columns {
            guard case .aggregate(let other) = column.draft.kind else { continue }
            if other.name == name, other.arguments == arguments, other.condition == call.condition { return column.id }
        }
        let of = arguments.count == 1 ? "the second argument" : "the same arguments"
        throw file.error(
            at: call.offset,
            "\(call.name) can only be merged if the view also selects \(name) of \(of), under the same condition")
    }
}
