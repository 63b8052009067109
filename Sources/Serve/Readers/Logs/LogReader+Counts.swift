internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Plans
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Telemetry

/// Sums of rows that a view has counted, and of the records elsewhere, in one snapshot.
extension LogReader {
    /// - Returns: nil if only the records can answer.
    func counted<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, context: QueryContext, state: @escaping @Sendable () -> State
    ) throws(QueryError) -> State? {
        guard let view = counts, let isUniform = needs.isUniform, !needs.lines, !needs.entries, request.lines.isEmpty,
            request.rows == nil, let hours = LogCountedHours(request.range, isUniform: isUniform),
            let buckets = hours.buckets
        else { return nil }
        let snapshot = logs.snapshot(context.tenant, in: request.range, view: view.table, viewRange: buckets)
        guard !snapshot.view.parts.isEmpty else { return nil }
        let names = Set(needs.labels + request.labels.map(\.name))
        let pending = Set(snapshot.pending.parts.map(\.record.id.number))
        let addedUp = snapshot.source.parts.filter { !pending.contains($0.record.id.number) }
        do {
            guard try view.answers(names, addedUp, table, identities, context) else { return nil }
        } catch let interruption as QueryInterruption {
            throw .interrupted(interruption)
        } catch {
            return nil
        }
        let predicate = predicates.streams(request.selector, labels: request.labels, resource: view.resource.id)
        var total = state()
        for segment in hours.segments {
            var part = request
            part.range = segment.range
            if segment.isCounted {
                guard
                    try add(
                        part, needs, of: snapshot.view, view, predicate, to: &total,
                        readsLevel: names.contains(LogLevel.label), context)
                else { return nil }
            }
            let records = segment.isCounted ? snapshot.pending : snapshot.source
            try total.merge(rowScan(part, records, context).aggregate(needs, part, state))
        }
        let plan = view.plan(buckets, predicate).text(view.table)
        context.statistics.note(
            plan: "\(plan); of other rows: \(context.statistics.plan ?? "nothing")", insteadOfLast: true)
        return total
    }

    /// Adds the view's rows of hours.
    ///
    /// - Returns: false if they do not tell enough.
    private func add<State: LogRowAggregate>(
        _ request: LogScanRequest, _ needs: LogRowNeeds, of snapshot: TableSnapshot, _ view: LogCountsView,
        _ predicate: Predicate, to total: inout State, readsLevel: Bool, _ context: QueryContext
    ) throws(QueryError) -> Bool {
        let buckets = TimeRange(start: request.range.start.advanced(by: -1), end: request.range.end.advanced(by: -1))
        let plan = view.plan(buckets, predicate)
        let columns = LogColumnReader(table, identities, rules, context)
        var tellsEnough = true
        try SourceErrors.mapping {
            let scanned = try ScanRequest(
                view.table, range: plan.range, columns: view.columns, predicate: plan.predicate, functions: functions)
            var scan = Scan(snapshot, scanned, context: context)
            try scan.run { (found) throws(QueryError) -> Bool in
                guard let (block, counts) = view.block(found, self, readsLevel: readsLevel, context) else {
                    tellsEnough = false
                    return false
                }
                try columns.begin(block)
                try columns.keep(request.labels, in: block)
                if block.rows.isEmpty { return true }
                var rows = try columns.rows(block, needs) { (_) throws(QueryError) in
                    throw .execution("rows of a view are no entries")
                }
                rows.counts = counts
                try total.add(rows)
                return true
            }
        }
        return tellsEnough
    }
}
