internal import Columns
package import Core
internal import Observability
internal import Parts
internal import Plans
package import QueryModel
package import Scheduling
package import Storage
private import Synchronization
internal import TableSchema
package import Telemetry

/// Traces, read from `otel_traces`.
package struct TraceReader: TraceSource {
    let table: SpanTable
    let spans: any SnapshotSource
    private let operationIndex = OperationIndex()
    let attributeDirectory = AttributeDirectory()

    package init(table: SpanTable, spans: any SnapshotSource) {
        self.table = table
        self.spans = spans
    }

    private var allColumns: [Int] { Array(table.definition.columns.indices) }

    package func spans(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [[TraceSpan]] {
        let (table, identities) = (table, SpanIdentities())
        return try rows(of: traces, columns: allColumns, size: Self.footprint, context) { block in
            var rows = SpanRows(block.batch, table, identities)
            return block.rows.map { row in
                let span = rows.span(Int(row))
                return (span.traceID, span)
            }
        }
    }

    package func starts(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [Timestamp?] {
        let table = table
        let columns = [table.startTime.ordinal, table.traceID.ordinal]
        let found = try rows(of: traces, columns: columns, size: { $0 * 48 }, context) { block in
            let (starts, ids) = (block.batch[table.startTime], block.batch[table.traceID])
            var least: [(TraceID, Int64)] = []
            for row in block.rows {
                let (id, start) = (ids.traceID(Int(row)), starts[Int(row)])
                // Rows of a trace follow each other in parts.
                if let last = least.last, last.0 == id {
                    least[least.count - 1].1 = min(last.1, start)
                } else {
                    least.append((id, start))
                }
            }
            return least
        }
        return found.map { $0.min().map(Timestamp.init(nanoseconds:)) }
    }

    package func outlines(
        of traces: [TraceID], context: QueryContext
    ) throws(QueryError) -> [[SpanOutline]] {
        let table = table
        let columns = SpanOutlineRows.columns(table)
        return try rows(of: traces, columns: columns, size: SpanOutlineRows.footprint, context) { block in
            let rows = SpanOutlineRows(block.batch, table)
            return block.rows.map { (rows.traceID(Int($0)), rows.outline(Int($0))) }
        }
    }

    /// What is made of each row of some traces, made where its block was read.
    ///
    /// - Parameter size: about how many bytes so many of them take.
    private func rows<Row: Sendable & SendableMetatype>(
        of traces: [TraceID], columns: [Int], size: @escaping @Sendable (Int) -> Int, _ context: QueryContext,
        _ make: @escaping @Sendable (ScanBlock) -> [(TraceID, Row)]
    ) throws(QueryError) -> [[Row]] {
        let request = try SourceErrors.mapping {
            try ScanRequest(
                table.definition, range: .everything, columns: columns,
                predicate: .traces(traces, in: table.traceID.id), isSearch: true)
        }
        var found: [TraceID: [Row]] = [:]
        let snapshot = spans.snapshot(context.tenant, in: request.range)
        let spent = SpentBytes(context)
        // The caller counts what it keeps.
        defer { spent.release() }
        try SourceErrors.mapping {
            var scan = Scan(snapshot, request, context: context)
            try scan.map(state: {}) { _, block -> MadeRows<Row>? in
                try context.check()
                try spent.add(size(block.rows.count))
                return MadeRows(rows: make(block))
            } _: { made throws(QueryError) in
                for (trace, row) in made.rows { found[trace, default: []].append(row) }
                return true
            }
        }
        return traces.map { found[$0] ?? [] }
    }

    package func scan(
        _ query: TraceQuery, context: QueryContext,
        visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        let bounds = SpanPredicates(table).bounds(query)
        let request = try request(query, columns: allColumns, bounds.possible, isExact: bounds.isExact, context)
        let identities = SpanIdentities()
        try forEachRows(of: request, context) { rows throws(QueryError) in
            try handOver(rows, identities, context, visit)
        }
    }

    package func scanMatches(
        _ query: TraceQuery, context: QueryContext,
        visit: ([SpanMatch]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool {
        let predicates = SpanPredicates(table)
        let bounds = predicates.bounds(query)
        guard bounds.isExact else { return false }
        let leaves = query.condition.leaves
        let needsDuration = query.order == .longest
        let columns =
            [table.startTime.ordinal, table.traceID.ordinal] + (needsDuration ? [table.duration.ordinal] : [])
        let request = try request(
            query, columns: columns, bounds.possible,
            conditions: leaves.count > 1 ? leaves.map { predicates.bounds($0).possible } : [], isExact: true, context)
        try forEachRows(of: request, context) { rows throws(QueryError) in
            guard !rows.isEmpty else { return true }
            return try visit(
                rows.map { batch, row, met in
                    SpanMatch(
                        traceID: batch[table.traceID].traceID(row),
                        start: Timestamp(nanoseconds: batch[table.startTime][row]),
                        duration: needsDuration ? max(0, batch[table.duration][row]) : 0, met: met)
                })
        }
        return true
    }

    /// The newest spans first, of those that a predicate leaves over.
    ///
    /// - Parameters:
    ///   - conditions: of which is told which of them a span meets.
    ///   - isExact: whether no span is tested again.
    private func request(
        _ query: TraceQuery, columns: [Int], _ predicate: Predicate, conditions: [Predicate] = [], isExact: Bool,
        _ context: QueryContext
    ) throws(QueryError) -> ScanRequest {
        let plan = ScanPlan(
            table: table.definition.id, range: query.range, predicate: predicate,
            result: .rows(Projection(columns: columns.map { table.definition.columns[$0].id }, order: .newestFirst)))
        context.statistics.note(plan: plan.text(table.definition) + (isExact ? "" : ", then test whole spans"))
        return try SourceErrors.mapping {
            try ScanRequest(
                table.definition, range: query.range, columns: columns, predicate: predicate, conditions: conditions,
                functions: SpanFunctions(), order: .newestFirst, isSearch: true)
        }
    }

    /// Hands over the rows of a scan in its order, the newest first.
    private func forEachRows(
        of request: ScanRequest, _ context: QueryContext, _ body: ([BatchRow]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        var pending = PendingSpans()
        var goesOn = true
        try run(request, context) { block throws(QueryError) in
            pending.add(block, table)
            goesOn = try body(pending.take(beyond: block.bound))
            return goesOn
        }
        guard goesOn else { return }
        _ = try body(pending.take(beyond: nil))
    }

    /// Makes spans of the rows, few at a time: a search may have enough after the first ones, and those that were handed over
    /// are held no longer.
    ///
    /// - Returns: whether to go on.
    private func handOver(
        _ rows: [BatchRow], _ identities: SpanIdentities, _ context: QueryContext,
        _ visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError) -> Bool {
        var rest = rows[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.spansPerVisit)
            rest = rest.dropFirst(some.count)
            let spans = try materialize(some, identities, context)
            defer { context.release(bytes: Self.footprint(some.count)) }
            guard try visit(spans) else { return false }
        }
        return true
    }

    private static let spansPerVisit = 512

    /// What spans with their strings take, about.
    private static func footprint(_ count: Int) -> Int { count * 2048 }

    package func services(context: QueryContext) throws(QueryError) -> [String] {
        try interruptible { () throws(QueryInterruption) in try context.check() }
        var names: Set<String> = []
        let snapshot = spans.snapshot(context.tenant, in: .everything)
        for batch in snapshot.memory {
            let column = batch[table.serviceName]
            for code in Set(column.codes) { names.insert(column.dictionary.string(Int(code))) }
        }
        for handle in snapshot.parts {
            try interruptible { () throws(QueryInterruption) in try context.check() }
            try reading(handle, context) { part in
                if let dictionary = try part.dictionary(table.serviceName.ordinal) {
                    for entry in 0..<dictionary.count { names.insert(dictionary.string(entry)) }
                }
            }
        }
        return names.sorted()
    }

    package func operations(
        of service: String, context: QueryContext
    ) throws(QueryError) -> [(name: String, kind: Int32)] {
        try interruptible { () throws(QueryInterruption) in try context.check() }
        // A name is known by its bytes: equal texts may differ in them.
        let wanted = Array(service.utf8)
        var found: Set<Operation> = []
        let snapshot = spans.snapshot(context.tenant, in: .everything)
        for batch in snapshot.memory {
            var collector = OperationCollector()
            collector.add(
                services: batch[table.serviceName], names: batch[table.spanName], kinds: batch[table.kind])
            found.formUnion(collector.found[wanted] ?? [])
        }
        for handle in snapshot.parts {
            let known = try operationIndex.operations(of: handle.record.id) { () throws(QueryError) in
                try operations(in: handle, context)
            }
            found.formUnion(known[wanted] ?? [])
        }
        return found.sorted().map { ($0.name, $0.kind) }
    }

    /// The operations of every service in a part, without those of damaged blocks.
    ///
    /// - Returns: also whether nothing was left out.
    private func operations(
        in handle: PartHandle, _ context: QueryContext
    ) throws(QueryError) -> (operations: [[UInt8]: [Operation]], isWhole: Bool) {
        var collector = OperationCollector()
        var isWhole = true
        try SourceErrors.mapping {
            guard let part = try context.reading(handle, { try handle.part() }) else { return isWhole = false }
            for block in 0..<part.blockCount {
                try context.check()
                let columns = try context.reading(handle, block: block) {
                    try (
                        part.read(table.serviceName.ordinal, block: block, statistics: context.statistics),
                        part.read(table.spanName.ordinal, block: block, statistics: context.statistics),
                        part.read(table.kind.ordinal, block: block, statistics: context.statistics)
                    )
                }
                guard case (.strings(let services), .strings(let names), .integers(let kinds))? = columns else {
                    isWhole = isWhole && columns != nil
                    continue
                }
                collector.add(services: services, names: names, kinds: kinds)
            }
        }
        return (collector.found.mapValues(Array.init), isWhole)
    }

    // MARK: Reading

    private func run(
        _ request: ScanRequest, _ context: QueryContext,
        _ body: (ScanBlock) throws(QueryError) -> Bool
    ) throws(QueryError) {
        let snapshot = spans.snapshot(context.tenant, in: request.range)
        var scan = Scan(snapshot, request, context: context)
        try SourceErrors.mapping { try scan.run(body) }
    }

    private func interruptible(
        _ body: () throws(QueryInterruption) -> Void
    ) throws(QueryError) {
        do throws(QueryInterruption) { try body() } catch { throw .interrupted(error) }
    }

    private func reading(
        _ handle: PartHandle, _ context: QueryContext, _ body: (Part) throws -> Void
    ) throws(QueryError) {
        try SourceErrors.mapping { try context.reading(handle) { try body(handle.part()) } }
    }

    private func materialize(
        _ rows: some Collection<BatchRow>, _ identities: SpanIdentities, _ context: QueryContext
    ) throws(QueryError) -> [TraceSpan] {
        try interruptible { () throws(QueryInterruption) in
            try context.check()
            try context.spend(bytes: Self.footprint(rows.count))
        }
        var made: [TraceSpan] = []
        made.reserveCapacity(rows.count)
        var last: (batch: ColumnBatch, rows: SpanRows)?
        for (batch, row, _) in rows {
            // Rows of a block follow each other.
            if last.map({ !$0.batch.isSame(as: batch, table) }) ?? true {
                last = (batch, SpanRows(batch, table, identities))
            }
            if let span = last?.rows.span(row) { made.append(span) }
        }
        return made
    }
}

extension ColumnBatch {
    fileprivate func isSame(as other: ColumnBatch, _ table: SpanTable) -> Bool {
        unsafe self[table.startTime].base == other[table.startTime].base
    }
}

/// What a thread made of a block.
private struct MadeRows<Row: Sendable & SendableMetatype>: BoundedResult {
    var bound: Int64?
    let rows: [(TraceID, Row)]
}

/// Bytes that several threads have spent on one thing.
final class SpentBytes: Sendable {
    private let context: QueryContext
    private let bytes = Atomic<Int>(0)

    init(_ context: QueryContext) { self.context = context }

    func add(_ more: Int) throws(QueryInterruption) {
        bytes.add(more, ordering: .relaxed)
        try context.spend(bytes: more)
    }

    func release() { context.release(bytes: bytes.exchange(0, ordering: .relaxed)) }
}
