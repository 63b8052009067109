internal import Core
package import QueryModel
package import Scheduling

/// Statistics of spans from one span after the other: what a faster source is held against.
extension TraceSearch: SpanStatisticsSource {
    package func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        if query.table == .rollup { throw Self.noSummaries }
        guard !query.range.isEmpty else { return SpanStatistics(rows: [], tables: []) }
        var groups: [SpanGroup: SpanMeasures] = [:]
        var spent = 0
        defer { context.release(bytes: spent) }
        // A query of one service spares the source the others; the rest is told here.
        let scanned = TraceQuery(
            service: query.services.count == 1 ? query.services.first : nil, operation: query.operation,
            range: query.range, limit: .max)
        try scan(scanned, context: context) { spans throws(QueryError) -> Bool in
            for span in spans where query.accepts(span) {
                let group = SpanGroup(span, query)
                if groups[group] == nil {
                    spent += SpanGroup.footprint
                    try spend(SpanGroup.footprint, context)
                }
                groups[group, default: SpanMeasures()].add(isError: span.statusCode == 2)
                if query.wantsDurations { groups[group]?.add(duration: span.storedDuration) }
            }
            return true
        }
        return SpanStatistics(
            rows: groups.map { $0.key.row($0.value) },
            tables: [AnsweringTable(name: Self.spanTable, range: query.range)])
    }
}

extension SpanStatisticsQuery {
    fileprivate func accepts(_ span: TraceSpan) -> Bool {
        range.contains(span.start) && (services.isEmpty || services.contains(span.storedServiceName))
            && (operation == nil || operation == span.name) && (kinds.isEmpty || kinds.contains(span.kind))
    }
}

private struct SpanGroup: Hashable {
    let service: String
    let operation: String
    let kind: Int32
    let step: Int

    /// About what a group takes with its histogram.
    static let footprint = 1024

    init(_ span: TraceSpan, _ query: SpanStatisticsQuery) {
        service = span.storedServiceName
        operation = query.grouping.contains(.operation) ? span.name : ""
        kind = query.grouping.contains(.kind) ? span.kind : 0
        step = query.step(of: span.start)
    }

    func row(_ measures: SpanMeasures) -> SpanStatistics.Row {
        .init(service: service, operation: operation, kind: kind, step: step, measures: measures)
    }
}
