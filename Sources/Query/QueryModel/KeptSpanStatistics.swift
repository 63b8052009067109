import Core
package import Scheduling

/// Statistics of spans by steps, of which those that are known already are not counted anew.
package struct KeptSpanStatistics: SpanStatisticsSource {
    private let source: any SpanStatisticsSource
    private let cache: RangeCache

    package init(_ source: any SpanStatisticsSource, _ cache: RangeCache) {
        self.source = source
        self.cache = cache
    }

    package func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        guard context.usesResultCache, query.table != .rollup, let step = query.step,
            let count = Self.wholeSteps(query.range, step)
        else {
            return try source.spanStatistics(query, context: context)
        }
        let request = RangeCache.Request(
            text: Self.text(query), start: query.range.start.nanoseconds, step: step, count: count,
            dependence: { $0...($0 + step - 1) })
        let plan = cache.plan(request, context: context)
        var rows: [SpanStatistics.Row] = []
        var tables: [AnsweringTable] = []
        if case .spans(let kept)? = plan.values {
            for row in kept.rows {
                try context.proceed()
                for run in plan.known where plan.index(run.lowerBound)..<plan.index(run.upperBound) ~= row.step {
                    var row = row
                    row.step -= plan.index(0)
                    rows.append(row)
                }
            }
            for run in plan.known { tables += kept.tables.compactMap { $0.within(Self.range(run, query, step)) } }
        }
        for run in plan.missing {
            var part = query
            part.range = Self.range(run, query, step)
            let found = try source.spanStatistics(part, context: context)
            tables += found.tables
            for var row in found.rows {
                row.step += run.lowerBound
                rows.append(row)
            }
        }
        let all = SpanStatistics(rows: rows, tables: AnsweringTable.united(tables))
        if !context.isIncomplete { cache.keep(request, plan, .spans(all)) }
        return all
    }

    /// How many steps a range has, if it is of whole ones; nil otherwise, or if it is of one.
    private static func wholeSteps(_ range: TimeRange, _ step: Int64) -> Int? {
        let (length, overflow) = range.end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        guard !overflow, range.start > .min, range.end < .max, length > step, length % step == 0 else { return nil }
        return Int(exactly: length / step)
    }

    private static func range(_ run: Range<Int>, _ query: SpanStatisticsQuery, _ step: Int64) -> TimeRange {
        TimeRange(
            start: query.range.start.advanced(by: Int64(run.lowerBound) * step),
            end: query.range.start.advanced(by: Int64(run.upperBound) * step))
    }

    /// All of the query but for its range.
    private static func text(_ query: SpanStatisticsQuery) -> String {
        func quoted(_ text: String) -> String { "\(text.utf8.count):\(text)" }
        return [
            query.services.sorted().map(quoted).joined(separator: ","), query.operation.map(quoted) ?? "-",
            query.kinds.sorted().map(String.init).joined(separator: ","), "\(query.grouping.rawValue)",
            "\(query.table)", "\(query.wantsDurations)",
        ].joined(separator: "|")
    }
}
