package import Columns
internal import Core
internal import Parts
internal import Plans
package import QueryModel
internal import Rollups
package import Scheduling
internal import Storage
package import TableSchema
internal import Telemetry

/// Statistics of spans and the dependency graph, from the hourly views where these have whole hours, and from the spans elsewhere.
///
/// The spans of a whole hour that are in no view yet, in memory or in new parts, are aggregated with it: an answer from a view is as
/// complete as one from the spans (invariant 9), unless only the view was asked for.
package struct SpanViewReader: Sendable {
    package let spans: TraceReader
    let statistics: SpanStatisticsView
    let dependencies: DependencyView
    let fresh = HourGraphs()

    /// - Throws: if Schema/ does not declare the views as they are read here.
    package init(_ spans: TraceReader, tables: TableCatalog) throws(BindingError) {
        self.spans = spans
        statistics = try SpanStatisticsView(tables)
        dependencies = try DependencyView(tables)
    }
}

/// The columns of `otel_span_stats_1h`.
struct SpanStatisticsView: Sendable {
    let table: TableDefinition
    let bucket, kind, calls, errors, durationSum, durationMin, durationMax: ColumnHandle<Int64>
    let service, name, durations: ColumnHandle<StringColumn>

    init(_ tables: TableCatalog) throws(BindingError) {
        table = try tables.view("otel_span_stats_1h")
        bucket = try table.integers("bucket")
        service = try table.strings("service_name")
        name = try table.strings("span_name")
        kind = try table.integers("span_kind")
        calls = try table.integers("calls")
        errors = try table.integers("errors")
        durationSum = try table.integers("duration_sum")
        durationMin = try table.integers("duration_min")
        durationMax = try table.integers("duration_max")
        durations = try table.states("durations")
    }
}

extension TableCatalog {
    func view(_ name: String) throws(BindingError) -> TableDefinition {
        guard let rollup = rollups.first(where: { $0.target.name == name }) else {
            throw BindingError(table: name, column: "*")
        }
        return rollup.target
    }
}

extension SpanViewReader: SpanStatisticsSource {
    package func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        if query.table == .raw { return try spans.spanStatistics(query, context: context) }
        guard let range = WholeHours(query.range, step: query.step) else {
            guard query.table == .automatic else { throw Self.noWholeHours }
            return try spans.spanStatistics(query, context: context)
        }
        var groups = StatisticsGroups()
        defer { context.release(bytes: groups.spent) }
        var tables: [AnsweringTable] = []
        func addSpans(_ segment: TimeRange) throws(QueryError) {
            if segment.isEmpty || query.table == .rollup { return }
            var part = query
            part.table = .raw
            part.range = segment
            let found = try spans.spanStatistics(part, context: context)
            let offset = query.step(of: segment.start)
            for row in found.rows { try groups.add(row, stepOffset: offset, context) }
            tables += found.tables
        }
        try addSpans(range.before)
        try addHours(range.hours, query, context, &groups)
        tables.append(AnsweringTable(name: statistics.table.name, range: range.hours))
        try addSpans(range.after)
        return SpanStatistics(rows: groups.rows, tables: tables)
    }

    private static let noWholeHours = QueryError.execution(
        "only spans can answer this: the range has no whole hour of UTC, or its steps are none")

    private func addHours(
        _ hours: TimeRange, _ query: SpanStatisticsQuery, _ context: QueryContext, _ groups: inout StatisticsGroups
    ) throws(QueryError) {
        let snapshot = spans.spans.snapshot(context.tenant, in: hours, view: statistics.table, viewRange: hours)
        var tally = ViewTally(query, statistics)
        try SourceErrors.mapping {
            var scan = Scan(snapshot.view, try request(query, hours), context: context)
            try scan.run { block in
                try tally.add(block)
                return true
            }
        }
        for row in tally.rows() { try groups.add(row, context) }
        if query.table == .rollup { return }
        var waiting = query
        waiting.range = hours
        for row in try spans.statistics(waiting, of: snapshot.pending, context: context) {
            try groups.add(row, context)
        }
    }

    private func request(_ query: SpanStatisticsQuery, _ hours: TimeRange) throws(PlanError) -> ScanRequest {
        let view = statistics
        var columns = [view.bucket, view.calls, view.errors].map(\.ordinal) + [view.service.ordinal]
        if query.grouping.contains(.operation) { columns.append(view.name.ordinal) }
        if query.grouping.contains(.kind) { columns.append(view.kind.ordinal) }
        if query.wantsDurations {
            columns += [view.durationSum, view.durationMin, view.durationMax].map(\.ordinal)
            columns.append(view.durations.ordinal)
        }
        return try ScanRequest(
            view.table, range: hours, columns: columns,
            predicate: query.predicate(service: view.service, name: view.name, kind: view.kind))
    }
}

/// Groups from several sources.
private struct StatisticsGroups {
    private struct Key: Hashable {
        let service, operation: String
        let kind: Int32
        let step: Int
    }

    private var found: [Key: SpanMeasures] = [:]
    /// What was counted against the query's memory.
    private(set) var spent = 0

    private static let footprint = 1024

    mutating func add(
        _ row: SpanStatistics.Row, stepOffset: Int = 0, _ context: QueryContext
    ) throws(QueryError) {
        let key = Key(service: row.service, operation: row.operation, kind: row.kind, step: row.step + stepOffset)
        if found[key] == nil {
            spent += Self.footprint
            do { try context.spend(bytes: Self.footprint) } catch { throw .interrupted(error) }
        }
        found[key, default: SpanMeasures()].merge(row.measures)
    }

    var rows: [SpanStatistics.Row] {
        found.map { key, measures in
            .init(service: key.service, operation: key.operation, kind: key.kind, step: key.step, measures: measures)
        }
    }
}

/// Adds rows of the view, by the codes of their texts.
private struct ViewTally {
    private struct Combination: Hashable {
        let service, name: UInt32
        let kind: Int32
        let step: Int
    }

    private let query: SpanStatisticsQuery
    private let view: SpanStatisticsView
    private var services: StringDictionary?
    private var names: StringDictionary?
    private var measures: [Combination: SpanMeasures] = [:]
    private var done: [SpanStatistics.Row] = []

    init(_ query: SpanStatisticsQuery, _ view: SpanStatisticsView) {
        self.query = query
        self.view = view
    }

    mutating func add(_ block: ScanBlock) throws {
        let batch = block.batch
        let services = batch[view.service]
        let names = query.grouping.contains(.operation) ? batch[view.name] : nil
        let kinds = query.grouping.contains(.kind) ? batch[view.kind] : nil
        if self.services !== services.dictionary || self.names !== names?.dictionary {
            close()
            self.services = services.dictionary
            self.names = names?.dictionary
        }
        let (buckets, calls, errors) = (batch[view.bucket], batch[view.calls], batch[view.errors])
        for row in block.rows {
            let row = Int(row)
            let combination = Combination(
                service: services.codes[row], name: names?.codes[row] ?? 0,
                kind: kinds.map { Int32(truncatingIfNeeded: $0[row]) } ?? 0,
                step: query.step(of: Timestamp(nanoseconds: buckets[row])))
            var added = SpanMeasures(calls: Int(calls[row]), errors: Int(errors[row]))
            if query.wantsDurations {
                guard let durations = ExponentialHistogram(bytes: batch[view.durations].span(row)) else {
                    throw RollupError.corruptState(table: view.table.name, column: view.durations.name)
                }
                added.setDurations(
                    storedSum: batch[view.durationSum][row], storedMin: batch[view.durationMin][row],
                    storedMax: batch[view.durationMax][row], durations)
            }
            measures[combination, default: SpanMeasures()].merge(added)
        }
    }

    private mutating func close() {
        for (combination, measures) in measures {
            done.append(
                .init(
                    service: services?.string(Int(combination.service)) ?? "",
                    operation: names?.string(Int(combination.name)) ?? "", kind: combination.kind,
                    step: combination.step, measures: measures))
        }
        measures = [:]
    }

    mutating func rows() -> [SpanStatistics.Row] {
        close()
        return done
    }
}

extension SpanMeasures {
    /// Sets what a row of the view says of durations.
    ///
    /// Its sum wraps where it exceeds 64 bits, and in rows of older versions has the negative durations of spans that end before
    /// they start in it. Where that can be, the histogram tells: every duration is known to `relativeError` there, and so is
    /// their sum. One that it contradicts is replaced by what it says.
    mutating func setDurations(storedSum: Int64, storedMin: Int64, storedMax: Int64, _ histogram: ExponentialHistogram)
    {
        durations = histogram
        // No row was measured: the least is greater than the greatest.
        guard storedMin <= storedMax else { return }
        durationMin = max(0, storedMin)
        durationMax = max(0, storedMax)
        durationSum = Int128(storedSum)
        let most = Int128(durationMax) * Int128(calls)
        guard storedMin < 0 || most > Int128(Int64.max) else { return }
        let estimate = histogram.estimatedSum
        if abs(Double(storedSum) - estimate) <= estimate * ExponentialHistogram.relativeError + 1 { return }
        durationSum = min(max(Int128(durationMax), Int128(estimate)), most)
    }
}
