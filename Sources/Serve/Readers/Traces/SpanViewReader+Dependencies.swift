internal import Columns
package import Core
internal import Observability
internal import Parts
package import QueryModel
internal import Rollups
package import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// `otel_service_dependencies_1h`: its columns, and how its rows are made.
struct DependencyView: Sendable {
    let definition: RollupDefinition
    let bucket, calls, errors: ColumnHandle<Int64>
    let parent, child, durations: ColumnHandle<StringColumn>

    var table: TableDefinition { definition.target }

    init(_ tables: TableCatalog) throws(BindingError) {
        let table = try tables.view("otel_service_dependencies_1h")
        guard let definition = tables.rollup(table.id) else { throw BindingError(table: table.name, column: "*") }
        self.definition = definition
        bucket = try table.integers("bucket")
        parent = try table.strings("parent_service")
        child = try table.strings("child_service")
        calls = try table.integers("calls")
        errors = try table.integers("errors")
        durations = try table.states("durations")
    }
}

/// The graph: of whole hours all of whose spans are in the view from there, of others by joining the spans, hour by hour.
extension SpanViewReader: DependencySource {
    /// Spans that are joined for one answer, at most, if the view can stand in for them.
    private static let mostJoined = 20_000_000

    package func dependencies(
        in range: TimeRange, table: TableChoice, context: QueryContext
    ) throws(QueryError) -> ServiceGraph {
        guard !range.isEmpty else { return ServiceGraph(dependencies: [], tables: []) }
        let whole = table == .raw ? nil : WholeHours(range, step: nil)
        if table == .rollup, whole == nil {
            throw .execution("only spans can answer this: the range has no whole hour of UTC")
        }
        var graph = GraphTally()
        var tables: [AnsweringTable] = []
        func join(_ segment: TimeRange) throws(QueryError) {
            if segment.isEmpty || table == .rollup { return }
            try self.join(segment, context, &graph)
            tables.append(AnsweringTable(name: spans.table.definition.name, range: segment))
        }
        guard let whole else {
            try join(range)
            return ServiceGraph(dependencies: graph.rows, tables: tables)
        }
        try join(whole.before)
        let snapshot = spans.spans.snapshot(
            context.tenant, in: Self.withHourBefore(whole.hours), view: self.dependencies.table, viewRange: whole.hours)
        let joined = table == .rollup ? [] : try hoursToJoin(snapshot, in: whole.hours, context)
        try addHours(snapshot, whole.hours, except: Set(joined), context, &graph)
        for hour in joined { try addFresh(hour, snapshot.source, context, &graph) }
        tables += Self.tables(whole.hours, joined, self.dependencies.table.name, spans.table.definition.name)
        try join(whole.after)
        return ServiceGraph(dependencies: graph.rows, tables: tables)
    }

    private static func withHourBefore(_ range: TimeRange) -> TimeRange {
        TimeRange(start: range.start == .min ? .min : range.start.advanced(by: -Timestamp.hour), end: range.end)
    }

    /// Which table answers which segment.
    private static func tables(
        _ hours: TimeRange, _ joined: [Timestamp], _ view: String, _ source: String
    ) -> [AnsweringTable] {
        var tables: [AnsweringTable] = []
        var start = hours.start
        for hour in joined {
            if start < hour { tables.append(AnsweringTable(name: view, range: TimeRange(start: start, end: hour))) }
            let end = hour.advanced(by: Timestamp.hour)
            if let last = tables.last, last.name == source, last.range.end == hour {
                tables[tables.count - 1].range.end = end
            } else {
                tables.append(AnsweringTable(name: source, range: TimeRange(start: hour, end: end)))
            }
            start = end
        }
        if start < hours.end {
            tables.append(AnsweringTable(name: view, range: TimeRange(start: start, end: hours.end)))
        }
        return tables
    }

    // MARK: Hours of the view

    /// The hours, in order, that have spans which the view does not know: those of rows in memory and of parts that are not in
    /// it, and each time the hour after, whose spans may have their parents there.
    private func hoursToJoin(
        _ snapshot: ViewSnapshot, in range: TimeRange, _ context: QueryContext
    ) throws(QueryError) -> [Timestamp] {
        var hours: Set<Timestamp> = []
        for part in snapshot.pending.parts { hours.insert(Timestamp(nanoseconds: part.record.partition)) }
        for batch in snapshot.pending.memory {
            hours.formUnion(self.hours(of: batch, in: .everything))
        }
        hours.formUnion(hours.map { $0.advanced(by: Timestamp.hour) })
        hours = hours.filter { range.contains($0) }
        let anew = hours.filter { !(fresh.known(context.tenant, $0.nanoseconds)?.isKept ?? false) }
        let rows = snapshot.source.parts.reduce(0) { sum, part in
            anew.contains(Timestamp(nanoseconds: part.record.partition)) ? sum + part.record.rowCount : sum
        }
        if rows > Self.mostJoined {
            context.statistics.warn(
                "the graph lacks what came last: \(anew.count) hours with \(rows) spans are too large to be joined now"
            )
            return []
        }
        return hours.sorted()
    }

    /// The hours in which rows of a batch start that lie in a range.
    private func hours(of batch: ColumnBatch, in range: TimeRange) -> Set<Timestamp> {
        let wanted = range.start.nanoseconds..<range.end.nanoseconds
        var hours: Set<Timestamp> = []
        var last: Range<Int64> = 0..<0
        for time in batch[spans.table.startTime] where !last.contains(time) && wanted.contains(time) {
            let hour = Timestamp(nanoseconds: time).startOfHour
            hours.insert(hour)
            last = hour.nanoseconds..<hour.advanced(by: Timestamp.hour).nanoseconds
        }
        return hours
    }

    private func addHours(
        _ snapshot: ViewSnapshot, _ range: TimeRange, except joined: Set<Timestamp>, _ context: QueryContext,
        _ graph: inout GraphTally
    ) throws(QueryError) {
        let view = self.dependencies
        let columns =
            [view.bucket, view.calls, view.errors].map(\.ordinal)
            + [view.parent, view.child, view.durations].map(\.ordinal)
        try SourceErrors.mapping {
            var scan = Scan(snapshot.view, ScanRequest(range: range, columns: columns), context: context)
            try scan.run { block in
                let buckets = block.batch[view.bucket]
                let rows = block.rows.filter { !joined.contains(Timestamp(nanoseconds: buckets[Int($0)])) }
                try graph.add(block.batch, rows, view)
                return true
            }
        }
    }

    // MARK: Fresh hours

    /// Adds an hour that spans come into, of which what was known before is kept.
    private func addFresh(
        _ start: Timestamp, _ snapshot: TableSnapshot, _ context: QueryContext, _ graph: inout GraphTally
    ) throws(QueryError) {
        let spans = freshSpans(start, snapshot)
        let hour = fresh.graph(context.tenant, start.nanoseconds) {
            HourGraph(
                dependencies.definition, source: self.spans.table.definition,
                traceColumn: self.spans.table.traceID.ordinal, waiting: fresh.waiting)
        }
        let spent = SpentBytes(context)
        defer { spent.release() }
        try SourceErrors.mapping {
            try spent.add(JoinAggregator.memory)
            try hour.rows(spans, context) { batch in try graph.add(batch, nil, dependencies) }
        }
    }

    /// The spans of an hour, and those that may be their parents.
    private func freshSpans(_ start: Timestamp, _ snapshot: TableSnapshot) -> HourGraph.Spans {
        let earlier = start.advanced(by: -Timestamp.hour)
        let end = start.advanced(by: Timestamp.hour)
        let both = TimeRange(start: earlier, end: end)
        let memory = snapshot.memory.enumerated().map { place, batch in
            GrowingBatch(
                rows: batch, startColumn: spans.table.startTime.ordinal,
                identity: place < snapshot.memoryIndexes.count ? snapshot.memoryIndexes[place] : nil)
        }
        return HourGraph.Spans(
            own: snapshot.parts.filter { $0.record.partition == start.nanoseconds },
            before: snapshot.parts.filter { $0.record.partition == earlier.nanoseconds },
            memory: memory.filter { $0.hasSpans(in: both) },
            hour: TimeRange(start: start, end: end), parents: both)
    }

    /// How long a graph is kept up after it was asked for.
    private static let keptUp = Duration.seconds(60)

    /// Adds what has come to the graphs that were asked for lately, so that the next answer need not. To be called again and
    /// again by one thread.
    package func keepUp() {
        for (tenant, hour) in fresh.asked(since: .now - Self.keptUp) {
            let range = TimeRange(start: hour.advanced(by: -Timestamp.hour), end: hour.advanced(by: Timestamp.hour))
            let spans = freshSpans(hour, spans.spans.snapshot(tenant, in: range))
            // What fails is left to who asks next.
            try? fresh.known(tenant, hour.nanoseconds)?.keepUp(spans, QueryContext(tenant: tenant))
        }
    }

    // MARK: Spans

    /// Joins the spans of a segment to their parents, hour by hour.
    private func join(_ range: TimeRange, _ context: QueryContext, _ graph: inout GraphTally) throws(QueryError) {
        let parts = spans.spans.snapshot(context.tenant, in: range)
        var hours = Set(parts.parts.map { Timestamp(nanoseconds: $0.record.partition) })
        for batch in parts.memory {
            hours.formUnion(self.hours(of: batch, in: range))
        }
        for hour in hours.sorted() {
            let end = hour.advanced(by: Timestamp.hour)
            let segment = TimeRange(start: max(hour, range.start), end: min(end, range.end))
            if !segment.isEmpty {
                try join(
                    segment, parents: TimeRange(start: hour.advanced(by: -Timestamp.hour), end: end), context, &graph)
            }
        }
    }

    /// - Parameter parents: where parents may start.
    private func join(
        _ range: TimeRange, parents: TimeRange, _ context: QueryContext, _ graph: inout GraphTally
    ) throws(QueryError) {
        let join = JoinAggregator(self.dependencies.definition, source: spans.table.definition)
        let spent = SpentBytes(context)
        defer { spent.release() }
        let snapshot = spans.spans.snapshot(context.tenant, in: parents)
        try SourceErrors.mapping {
            try spent.add(JoinAggregator.memory)
            func resolve() throws {
                guard join.hasPending else { return }
                var offers = Scan(
                    snapshot, ScanRequest(range: parents, columns: join.offeredColumns), context: context)
                try offers.run { block in
                    join.offer(block.batch, rows: block.isWhole ? nil : block.rows)
                    return true
                }
                join.finish()
            }
            var scan = Scan(snapshot, ScanRequest(range: range, columns: join.addedColumns), context: context)
            try scan.run { block in
                join.add(block.batch, rows: block.isWhole ? nil : block.rows)
                if join.isFull { try resolve() }
                return true
            }
            try resolve()
            try graph.add(join.aggregate.batch(), nil, self.dependencies)
        }
    }
}

/// Edges of the graph.
private struct GraphTally {
    private struct Edge: Hashable {
        let parent, child: String
    }

    private var edges: [Edge: ServiceDependency] = [:]

    /// - Parameter rows: nil: all.
    mutating func add(_ batch: ColumnBatch, _ rows: [UInt32]?, _ view: DependencyView) throws {
        let (parents, children) = (batch[view.parent], batch[view.child])
        for row in rows ?? Array(0..<UInt32(batch.rowCount)) {
            let row = Int(row)
            let edge = Edge(parent: parents.string(row), child: children.string(row))
            var sum = edges[edge] ?? ServiceDependency(parent: edge.parent, child: edge.child)
            sum.calls += Int(batch[view.calls][row])
            sum.errors += Int(batch[view.errors][row])
            guard let durations = ExponentialHistogram(bytes: batch[view.durations].span(row)) else {
                throw RollupError.corruptState(table: view.table.name, column: view.durations.name)
            }
            sum.durations.merge(durations)
            edges[edge] = sum
        }
    }

    var rows: [ServiceDependency] { Array(edges.values) }
}
