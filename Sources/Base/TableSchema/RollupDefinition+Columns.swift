/// What a view reads, and how it may be kept.
extension RollupDefinition {
    /// The columns of the source, and of the rows joined to it, that the view is made of.
    package var columnsRead: (source: Set<ColumnID>, joined: Set<ColumnID>) {
        var source: Set<ColumnID> = []
        var joined: Set<ColumnID> = []
        func add(_ column: RollupColumn) {
            switch column {
            case .source(let id): source.insert(id)
            case .joined(let id): joined.insert(id)
            }
        }
        func add(_ expression: RollupExpression) {
            switch expression {
            case .column(let column), .bucket(let column, _, _): add(column)
            case .sum(let left, let right):
                add(left)
                add(right)
            }
        }
        func add(_ condition: RollupCondition) {
            switch condition {
            case .integer(let column, _, _, _), .bytes(let column, _, _): add(column)
            case .columns(let left, _, let right):
                add(left)
                add(right)
            case .not(let inner): add(inner)
            case .and(let left, let right), .or(let left, let right):
                add(left)
                add(right)
            }
        }
        for key in keys { add(key.expression) }
        if let condition { add(condition) }
        for aggregate in aggregates {
            if let condition = aggregate.condition { add(condition) }
            switch aggregate.function {
            case .count: break
            case .sum(let value), .min(let value), .max(let value), .exponentialHistogram(let value),
                .groupUniqArray(let value):
                add(value)
            case .argMin(let value, let by, _), .argMax(let value, let by, _), .counterIncrease(let value, let by, _),
                .counterResets(let value, let by, _):
                add(value)
                add(by)
            }
        }
        for pair in join?.pairs ?? [] {
            source.insert(pair.source)
            joined.insert(pair.joined)
        }
        return (source, joined)
    }

    /// Whether rows with equal keys aggregate to one whatever the order of their pieces: a view with a join or with counters does not.
    package var isMergeable: Bool { join == nil && !hasCounters }

    /// Whether rows can be aggregated only in the order of their times.
    package var hasCounters: Bool {
        aggregates.contains {
            switch $0.function {
            case .counterIncrease, .counterResets: true
            default: false
            }
        }
    }
}
