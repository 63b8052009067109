internal import Columns
internal import Core
internal import Indexing
internal import Parts
internal import QueryModel
internal import Storage
internal import Telemetry

/// `target_info`: a series of ones for each resource, from the first to the last of its points (rule T-7).
///
/// In each part and memtable that has points of the resource, samples stand at the first of them, at every multiple of half the
/// default look-back after it, and at the last, so that a join finds one wherever the resource's own series have samples.
struct MetricTargets {
    static let name = "target_info"
    static let metadata = MetricMetadata(type: "gauge", help: "Target metadata", unit: "")

    private static let interval: Int64 = 150_000

    private let reading: MetricReading

    init(_ reading: MetricReading) { self.reading = reading }

    func collect(
        _ selection: SeriesSelection, in range: TimeRange, into output: inout SeriesOutput
    ) throws(QueryError) {
        for (resource, spans) in try spans(selection) {
            guard let key = resource.target else { continue }
            var samples = SampleBuilder(range: range)
            for time in Self.times(spans, in: range) { samples.append(time, 1) }
            try reading.context.charge(bytes: samples.timestamps.count * 16)
            output.add(
                SeriesPiece(
                    key: key, identity: UInt64(resource.number), timestamps: samples.timestamps,
                    values: samples.values, isAscending: samples.isAscending))
        }
    }

    /// The series of the resources that streams belong to.
    func keys(_ selection: SeriesSelection, of streams: RoaringBitmap) throws(QueryError) -> [SeriesKey] {
        guard selection.acceptsName(Self.name) else { return [] }
        return reading.directory.resources(of: streams).compactMap { resource in
            resource.target.flatMap { selection.matches($0.labels) ? $0 : nil }
        }
    }

    /// Milliseconds, ascending.
    private static func times(_ spans: [ClosedRange<Int64>], in range: TimeRange) -> [Int64] {
        var times: Set<Int64> = []
        for span in spans {
            let first = span.lowerBound / 1_000_000
            let last = span.upperBound / 1_000_000
            times.insert(first)
            times.insert(last)
            let from = max(first, range.start.milliseconds) / interval
            let to = min(last, range.end.milliseconds) / interval
            guard from < to else { continue }
            for tick in (from + 1)...to { times.insert(tick * interval) }
        }
        return times.sorted()
    }

    // MARK: Spans

    private func spans(
        _ selection: SeriesSelection
    ) throws(QueryError) -> [(resource: ResourceModel, spans: [ClosedRange<Int64>])] {
        var found: [Int: (resource: ResourceModel, spans: [ClosedRange<Int64>])] = [:]
        func add(_ resource: ResourceModel, _ span: ClosedRange<Int64>?) {
            guard let span, let target = resource.target, selection.matches(target.labels) else { return }
            found[resource.number, default: (resource, [])].spans.append(span)
        }
        for handle in reading.parts {
            guard let (part, series) = try reading.open(handle) else { continue }
            let wanted = series.resources.contains {
                $0.target.map { selection.matches($0.labels) } ?? false
            }
            guard wanted else { continue }
            let spansOfPart = try series.spans { () throws(QueryError) in try spans(handle, part, series) }
            for resource in series.resources { add(resource, spansOfPart[resource.number]) }
        }
        for batch in reading.memory {
            let models = reading.directory.series(ofMemory: batch, table: reading.table)
            for (code, span) in spans(batch, models) { add(models[code].resource, span) }
        }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The streams of a part follow each other in runs that ascend in time: only their ends are looked at.
    private func spans(
        _ handle: PartHandle, _ part: Part, _ series: PartSeries
    ) throws(QueryError) -> ([Int: ClosedRange<Int64>], isWhole: Bool) {
        let loader = PointLoader(table: reading.table, context: reading.context)
        var spans: [Int: ClosedRange<Int64>] = [:]
        var isWhole = true
        for block in 0..<part.blockCount {
            let columns = try reading.reading(handle, block: block) { () throws(PartError) in
                (
                    try loader.seriesCodes(part, block),
                    try loader.integers(part, reading.table.time.ordinal, block)
                )
            }
            guard let (codes, times) = columns else {
                isWhole = false
                continue
            }
            var begin = 0
            while begin < codes.count {
                let end = codes.endOfRun(from: begin)
                let number = series.models[Int(codes[begin])].resource.number
                spans.widen(number, times[begin]...max(times[begin], times[end - 1]))
                begin = end
            }
        }
        return (spans, isWhole)
    }

    /// By the resource's first stream's code: streams of one resource share its span.
    private func spans(_ batch: ColumnBatch, _ models: [SeriesModel]) -> [Int: ClosedRange<Int64>] {
        let codes = batch[reading.table.series].codes
        let times = batch[reading.table.time]
        var spans = [(least: Int64, greatest: Int64)](repeating: (.max, .min), count: models.count)
        for row in 0..<batch.rowCount {
            let code = Int(codes[row])
            let time = times[row]
            spans[code] = (min(spans[code].least, time), max(spans[code].greatest, time))
        }
        var codeOfResource: [Int: Int] = [:]
        var result: [Int: ClosedRange<Int64>] = [:]
        for (code, span) in spans.enumerated() where span.least <= span.greatest {
            let number = models[code].resource.number
            let place = codeOfResource[number] ?? code
            codeOfResource[number] = place
            result.widen(place, span.least...span.greatest)
        }
        return result
    }
}

extension [Int: ClosedRange<Int64>] {
    fileprivate mutating func widen(_ key: Int, _ range: ClosedRange<Int64>) {
        guard let known = self[key] else { return self[key] = range }
        self[key] = Swift.min(known.lowerBound, range.lowerBound)...Swift.max(known.upperBound, range.upperBound)
    }
}
