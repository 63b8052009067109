internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Telemetry

/// Finds the bounds and quantiles of streams.
struct MetricLayouts {
    private let reading: MetricReading

    init(_ reading: MetricReading) { self.reading = reading }

    func layouts() throws(QueryError) -> SeriesLayouts {
        var result = SeriesLayouts()
        for handle in reading.parts {
            guard let (part, series) = try reading.open(handle),
                series.runs.contains(where: { Self.hasLayout($0.family) })
            else { continue }
            result.merge(try series.layouts { () throws(QueryError) in try layouts(handle, part, series) })
        }
        for batch in reading.memory {
            let models = reading.directory.series(ofMemory: batch, table: reading.table)
            let points = PointColumns(batch, table: reading.table)
            guard let distribution = points.distribution else { continue }
            let codes = batch[reading.table.series].codes
            find(Self.runs(codes, Self.kinds(models), models), distribution, into: &result)
        }
        return result
    }

    private static func hasLayout(_ family: MetricFamily) -> Bool {
        family.kind == .histogram || family.kind == .summary
    }

    private func layouts(
        _ handle: PartHandle, _ part: Part, _ series: PartSeries
    ) throws(QueryError) -> (SeriesLayouts, isWhole: Bool) {
        var result = SeriesLayouts()
        var isWhole = true
        let wanted = series.runs.filter { Self.hasLayout($0.family) }
        let kinds = Self.kinds(series.models)
        for block in 0..<part.blockCount {
            if let zone = part.zone(reading.table.series.ordinal, block: block),
                !wanted.contains(where: { $0.codes.overlaps(Int(zone.lowerBound)..<(Int(zone.upperBound) + 1)) })
            {
                continue
            }
            let isRead = try reading.reading(handle, block: block) { () throws(PartError) in
                try layouts(part, block, series, kinds, into: &result)
                return true
            }
            if isRead == nil { isWhole = false }
        }
        return (result, isWhole)
    }

    private func layouts(
        _ part: Part, _ block: Int, _ series: PartSeries, _ kinds: [UInt8], into result: inout SeriesLayouts
    ) throws(PartError) {
        let loader = PointLoader(table: reading.table, context: reading.context)
        let codes = try loader.seriesCodes(part, block)
        let runs = Self.runs(codes, kinds, series.models)
        var fields: [Int] = []
        if runs.contains(where: { $0.kind == .histogram }) { fields.append(MetricTable.DistributionField.bounds) }
        if runs.contains(where: { $0.kind == .summary }) { fields.append(MetricTable.DistributionField.quantiles) }
        guard !fields.isEmpty else { return }
        let nested = try part.readNested(
            reading.table.distribution.ordinal, fields: fields, block: block, statistics: reading.context.statistics)
        find(runs, DistributionColumns(nested, fields: fields), into: &result)
    }

    private typealias Run = (model: Int, kind: MetricKind, rows: Range<Int>)

    /// By code: the kind of a stream with bounds or quantiles, or 0.
    private static func kinds(_ models: [SeriesModel]) -> [UInt8] {
        models.map { model in model.family.map { hasLayout($0) ? $0.kind.rawValue : 0 } ?? 0 }
    }

    /// The rows of histograms and summaries, by stream.
    private static func runs(_ codes: Buffer<UInt32>, _ kinds: [UInt8], _ models: [SeriesModel]) -> [Run] {
        var runs: [Run] = []
        var begin = 0
        while begin < codes.count {
            let code = codes[begin]
            let end = codes.endOfRun(from: begin)
            if kinds[Int(code)] != 0, let kind = MetricKind(rawValue: kinds[Int(code)]) {
                runs.append((models[Int(code)].number, kind, begin..<end))
            }
            begin = end
        }
        return runs
    }

    private func find(
        _ runs: [Run], _ distribution: DistributionColumns, into result: inout SeriesLayouts
    ) {
        var known: [UInt32: BucketBounds] = [:]
        for run in runs {
            // Equal bounds mostly follow each other: they are put down once.
            var last: UInt32?
            for row in run.rows {
                guard let inner = distribution.inner(row) else { continue }
                if run.kind == .histogram, let column = distribution.bounds {
                    let code = column.codes[inner]
                    guard code != last else { continue }
                    last = code
                    let bounds = known[code] ?? reading.directory.bounds(column.dictionary.span(Int(code)))
                    known[code] = bounds
                    result.insert(bounds, run.model)
                } else if let column = distribution.quantiles, case .floats(let levels) = column.elements {
                    for level in column.range(inner) {
                        result.quantiles[run.model, default: []].insert(levels[level].bitPattern)
                    }
                }
            }
        }
    }
}
