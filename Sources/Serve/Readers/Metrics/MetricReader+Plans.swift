internal import Columns
internal import Core
internal import Observability
internal import Parts
package import QueryModel
package import Scheduling
internal import Storage
internal import Synchronization
internal import Telemetry

/// Plans of PromQL, evaluated where the samples are.
extension MetricReader {
    /// Nil for what has other samples than numbers, or whose series cannot be told apart by streams: then the samples are asked for.
    package func evaluate(
        _ plan: SeriesPlan, context: QueryContext
    ) throws(QueryError) -> SeriesPlanAnswer? {
        var selection = SeriesSelection(plan.matchers)
        guard !selection.acceptsName(MetricTargets.name) else { return nil }
        let range = plan.samples
        guard !range.isEmpty else {
            return try SeriesEvaluation(plan, context: context).answer()
        }
        let reading = reading(in: range, forDeltas: true, context: context)
        // Streams that no query has met yet are asked one by one.
        selection.resolve(in: reading.directory)
        var found = PlanUnits(selection)
        for handle in reading.parts {
            guard try add(handle, reading, range, to: &found) else { return nil }
        }
        var memory: [PlanScan.Memory] = []
        for batch in reading.memory {
            try context.proceed()
            let models = reading.directory.series(ofMemory: batch, table: table)
            let wanted = found.wanted(of: models)
            guard wanted.contains(true) else { continue }
            let rows = StreamRows(memory: batch[table.series].codes, wanted: wanted)
            let before = found.byteCount
            found.add(memory: models, rows, number: memory.count)
            try context.charge(bytes: found.byteCount - before + (rows.order?.count ?? 0) * 4)
            memory.append((PlanRows(memory: PointColumns(batch, table: table)), rows.order ?? []))
            context.statistics.rowsRead.add(batch.rowCount, ordering: .relaxed)
        }
        guard !found.hasNativeHistograms, found.makeUnits(reading.directory),
            plan.keepsApart(found.units.lazy.map(\.labels))
        else { return nil }
        context.statistics.note(plan: plan.text)
        return try PlanScan(plan, reading, selection, found, memory).run(on: pool)
    }

    /// - Returns: false if the part's rows are not in the table's order.
    private func add(
        _ handle: PartHandle, _ reading: MetricReading, _ range: TimeRange, to found: inout PlanUnits
    ) throws(QueryError) -> Bool {
        let statistics = reading.context.statistics
        statistics.partsConsidered.add(1, ordering: .relaxed)
        guard let (part, series) = try reading.open(handle) else { return true }
        statistics.blocksConsidered.add(part.blockCount, ordering: .relaxed)
        let isBefore = handle.record.greatestTime < range.start.nanoseconds
        guard found.wants(series, onlyDeltas: isBefore) else { return true }
        guard let rows = try reading.rows(handle, part, series) else { return false }
        let before = found.byteCount
        var blocks = PlanBlocks(handle, part, table, end: range.end)
        found.add(
            part: series, rows, &blocks, range.start, deltasSince: reading.range.start, onlyDeltas: isBefore)
        try reading.context.charge(bytes: found.byteCount - before)
        if blocks.count > 0 { statistics.partsRead.add(1, ordering: .relaxed) }
        return true
    }
}

extension MetricReading {
    /// Where the rows of a part's streams are, found out once per part; nil if they are not in the table's order, or the
    /// part is damaged.
    func rows(
        _ handle: PartHandle, _ part: Part, _ series: PartSeries
    ) throws(QueryError) -> StreamRows? {
        try series.rows { () throws(QueryError) in
            let loader = PointLoader(table: table, context: context)
            var builder = StreamRows.Builder(streamCount: series.models.count)
            for block in 0..<part.blockCount {
                try context.proceed()
                let codes = try reading(handle, block: block) { () throws(PartError) in
                    try loader.seriesCodes(part, block)
                }
                // Of a damaged part it is not known where rows are; another query may find it whole.
                guard let codes else { return nil }
                builder.append(codes)
            }
            return builder.build()
        }
    }
}
