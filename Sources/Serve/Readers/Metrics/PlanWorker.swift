internal import Columns
internal import Core
internal import Observability
internal import QueryModel
internal import Scheduling
internal import Synchronization
internal import Telemetry

/// Evaluates units of a plan, on one thread.
struct PlanWorker {
    private let scan: PlanScan
    private let loader: PointLoader
    private(set) var evaluation: SeriesEvaluation
    private var runs = PlanRuns()
    private var samples = PlanSamples()
    /// By the number of bounds: the buckets whose series are wanted.
    private var wanted: [Int: [Int]] = [:]

    init(_ scan: PlanScan) throws(QueryError) {
        self.scan = scan
        loader = PointLoader(table: scan.reading.table, context: scan.reading.context)
        evaluation = try SeriesEvaluation(scan.plan, context: scan.reading.context)
    }

    mutating func evaluate(_ unit: PlanUnit) throws {
        let (member, stream) = (unit.members[0], scan.streams[unit.members[0].stream])
        if unit.members.count > 1 || stream.family.isDelta || stream.family.kind == .summary {
            return try collect(unit)
        }
        runs.removeAll()
        try gather(stream, from: scan.start)
        let isEvaluated =
            member.role == .bucket
            ? try evaluateBuckets(unit) : try evaluateNumbers(unit, member.role, stream.family)
        if !isEvaluated { try collect(unit) }
    }

    /// - Parameter start: of wanted rows, milliseconds.
    private mutating func gather(_ stream: PlanStream, from start: Int64) throws {
        for segment in stream.segments {
            switch segment.source {
            case .blocks(let blocks):
                for block in blocks {
                    guard let rows = try block.rows(loader, scan.needs) else { continue }
                    let first = block.rowsOfPart.lowerBound
                    let range = segment.rows.clamped(to: block.rowsOfPart)
                    runs.append(
                        rows, (range.lowerBound - first)..<(range.upperBound - first), from: start, through: scan.end)
                }
            case .memory(let number):
                let memory = scan.memory[number]
                runs.append(memory.rows, segment.rows, of: memory.order, from: start, through: scan.end)
            }
        }
        let count = runs.runs.reduce(0) { $0 + $1.range.count }
        scan.reading.context.statistics.rowsMatched.add(count, ordering: .relaxed)
    }

    // MARK: One stream

    /// - Returns: false if samples must be put in order first.
    private mutating func evaluateNumbers(
        _ unit: PlanUnit, _ role: SampleRoles, _ family: MetricFamily
    ) throws -> Bool {
        if family.kind != .histogram, runs.runs.count == 1, let run = runs.runs.first, run.order == nil,
            run.rows.points.flags == nil, run.rows.points.types == nil
        {
            let timestamps = run.rows.timestamps.span.extracting(run.range)
            guard PlanSamples.ascend(timestamps) else { return false }
            try evaluation.add(
                unit.labels, timestamps: timestamps, values: run.rows.points.values.span.extracting(run.range))
            return true
        }
        samples.removeAll()
        for run in runs.runs {
            if family.kind != .histogram {
                samples.append(numbers: run)
            } else if !samples.append(role, ofHistogram: run) {
                return false
            }
        }
        let samples = samples
        guard PlanSamples.ascend(samples.timestamps.span) else { return false }
        try evaluation.add(unit.labels, timestamps: samples.timestamps.span, values: samples.values.span)
        return true
    }

    /// - Returns: false if points must be put in order first, or are not alike.
    private mutating func evaluateBuckets(_ unit: PlanUnit) throws -> Bool {
        var layouts: [PlanSamples.Buckets] = []
        for run in runs.runs {
            guard let layout = PlanSamples.buckets(run, scan.reading.directory),
                layouts.isEmpty || layouts[0].bounds === layout.bounds
            else { return false }
            layouts.append(layout)
        }
        guard let layout = layouts.first else { return true }
        let histogram = histogram(unit.labels, layout.bounds)
        var counts = BucketCounts(stride: histogram.bounds.count)
        samples.removeAll()
        for (run, layout) in zip(runs.runs, layouts) {
            let part = samples.append(buckets: run, layout.first)
            // Of a single bucket the totals say all.
            if histogram.bounds.count > 1 { counts.append(part) }
        }
        let samples = samples
        guard PlanSamples.ascend(samples.timestamps.span) else { return false }
        return try evaluation.add(
            histogram, timestamps: samples.timestamps.span, counts: counts, totals: samples.totals.span)
    }

    private mutating func histogram(_ labels: Labels, _ bounds: BucketBounds) -> ClassicHistogram {
        let wanted: [Int]
        if let known = self.wanted[bounds.number] {
            wanted = known
        } else {
            wanted = bounds.texts.indices.filter { scan.selection.accepts(extra: bounds.texts[$0], .bucket) }
            self.wanted[bounds.number] = wanted
        }
        return ClassicHistogram(labels: labels, layout: bounds.number, bounds: bounds.texts, wanted: wanted)
    }

    // MARK: What must be put in order, accumulated or brought together

    private mutating func collect(_ unit: PlanUnit) throws {
        let context = scan.reading.context
        let shared = CollectionContext(
            directory: scan.reading.directory, range: scan.plan.samples, selection: scan.selection)
        var output = SeriesOutput()
        let lease = MemoryLease(context)
        for member in unit.members {
            try context.check()
            let stream = scan.streams[member.stream]
            let collector = shared.collector(stream.model, stream.family, member.role)
            runs.removeAll()
            try gather(stream, from: stream.family.isDelta ? scan.reading.range.start.milliseconds : scan.start)
            for run in runs.runs {
                try lease.extend(bytes: run.range.count * collector.bytesPerPoint)
                if run.order == nil {
                    collector.append(run.range, run.rows.points)
                } else {
                    for i in run.range { collector.append(run.row(i)..<(run.row(i) + 1), run.rows.points) }
                }
            }
            collector.finish(into: &output)
        }
        for series in output.series() {
            try evaluation.add(series.labels, timestamps: series.timestamps.span, values: series.values.span)
        }
        withExtendedLifetime(lease) {}
    }
}
