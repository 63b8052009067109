internal import Columns
internal import Core
internal import Execution
internal import Plans
package import QueryModel
package import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Statistics of spans from the rows: an aggregation by service, operation and kind, in steps of time.
extension TraceReader: SpanStatisticsSource {
    package func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        if query.table == .rollup {
            throw .execution("no summaries of spans are kept here; only the spans themselves can answer")
        }
        guard !query.range.isEmpty else { return SpanStatistics(rows: [], tables: []) }
        let snapshot = spans.snapshot(context.tenant, in: query.range)
        return SpanStatistics(
            rows: try statistics(query, of: snapshot, context: context),
            tables: [AnsweringTable(name: table.definition.name, range: query.range)])
    }

    /// Statistics of the spans of a snapshot.
    func statistics(
        _ query: SpanStatisticsQuery, of snapshot: TableSnapshot, context: QueryContext
    ) throws(QueryError) -> [SpanStatistics.Row] {
        let plan = SpanStatisticsPlan(query, table)
        let states = try SourceErrors.mapping {
            try Executor.aggregate(plan.plan, over: snapshot, context: context)
        }
        return plan.rows(states)
    }
}

/// The plan of span statistics, and what its groups mean.
private struct SpanStatisticsPlan {
    /// The aggregates, by their numbers.
    private enum Number {
        static let calls = 0
        static let errors = 1
        static let durationSum = 2
        static let durationMin = 3
        static let durationMax = 4
        static let durations = 5
    }

    private static let error: Int64 = 2

    private let query: SpanStatisticsQuery
    let plan: ScanPlan

    init(_ query: SpanStatisticsQuery, _ table: SpanTable) {
        self.query = query
        var keys = [Operand.column(table.serviceName.id)]
        if query.grouping.contains(.operation) { keys.append(.column(table.spanName.id)) }
        if query.grouping.contains(.kind) { keys.append(.column(table.kind.id)) }
        let duration = table.duration.id
        var aggregates = [
            Aggregate(.count), Aggregate(.count, where: .integer(table.statusCode.id, Self.error)),
        ]
        if query.wantsDurations {
            aggregates += [
                // A span that ends before it starts lasts no time.
                Aggregate(.sum(duration), where: .integer(duration, 1...(.max))), Aggregate(.min(duration)),
                Aggregate(.max(duration)), Aggregate(.histogram(duration)),
            ]
        }
        plan = ScanPlan(
            table: table.definition.id, range: query.range,
            predicate: query.predicate(service: table.serviceName, name: table.spanName, kind: table.kind),
            result: .states(
                Aggregation(
                    keys: keys, buckets: query.step.map { .every(width: $0, origin: query.range.start.nanoseconds) },
                    aggregates: aggregates)))
    }

    /// A row for each group; names that are not UTF-8 are repaired, and then several groups may be one.
    func rows(_ states: AggregateStates) -> [SpanStatistics.Row] {
        let names = query.grouping.contains(.operation) ? Self.texts(states, key: 1) : nil
        let services = Self.texts(states, key: 0)
        let kindKey = query.grouping.contains(.kind) ? states.aggregation.keys.count - 1 : nil
        return (0..<states.groupCount).map { group in
            var kind: Int32 = 0
            if let kindKey, case .integer(let value) = states.value(kindKey, of: group) {
                kind = Int32(truncatingIfNeeded: value)
            }
            return SpanStatistics.Row(
                service: services[states.number(0, of: group)],
                operation: names.map { $0[states.number(1, of: group)] } ?? "", kind: kind,
                step: Int(states.bucket(of: group)), measures: measures(states, group))
        }.unitingEqualGroups()
    }

    private static func texts(_ states: AggregateStates, key: Int) -> [String] {
        (0..<states.valueCount(key)).map { number in
            guard case .text(let bytes) = states.value(key, number: number) else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func measures(_ states: AggregateStates, _ group: Int) -> SpanMeasures {
        var measures = SpanMeasures(
            calls: Int(states.count(Number.calls, of: group)), errors: Int(states.count(Number.errors, of: group)))
        guard query.wantsDurations else { return measures }
        measures.durationSum = states.sum(Number.durationSum, of: group)
        measures.durationMin = states.integer(Number.durationMin, of: group).map { max(0, $0) } ?? .max
        measures.durationMax = states.integer(Number.durationMax, of: group).map { max(0, $0) } ?? .min
        measures.durations = states.histogram(Number.durations, of: group)
        return measures
    }
}

private struct ShownGroup: Hashable {
    let service, operation: String
    let kind: Int32
    let step: Int
}

extension [SpanStatistics.Row] {
    fileprivate func unitingEqualGroups() -> [SpanStatistics.Row] {
        var indexes: [ShownGroup: Int] = [:]
        var united: [SpanStatistics.Row] = []
        for row in self {
            let group = ShownGroup(
                service: row.service, operation: row.operation, kind: row.kind, step: row.step)
            if let index = indexes[group] {
                united[index].measures.merge(row.measures)
            } else {
                indexes[group] = united.count
                united.append(row)
            }
        }
        return united
    }
}

extension SpanStatisticsQuery {
    /// Its spans, or rows of a view that are about them.
    func predicate(
        service: ColumnHandle<StringColumn>, name: ColumnHandle<StringColumn>, kind: ColumnHandle<Int64>
    ) -> Predicate {
        var conditions: [Predicate] = []
        if !kinds.isEmpty { conditions.append(.test(.column(kind.id), .oneOf(kinds.map { Int64($0) }))) }
        if !services.isEmpty {
            conditions.append(.any(services.sorted().map { .text(shown: $0, in: service.id) }))
        }
        if let operation { conditions.append(.text(shown: operation, in: name.id)) }
        return .all(conditions)
    }
}
