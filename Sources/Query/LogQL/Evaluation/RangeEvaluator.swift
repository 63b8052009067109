import Core
import QueryModel
import Scheduling

/// Evaluates a range aggregation over all steps in one pass over the entries.
///
/// Counts and bytes are added to the steps whose windows hold the entry as two differences, whatever the windows' length.
/// Unwrapped samples are kept by series in order of time, and each step aggregates those in its window.
struct RangeEvaluator {
    private let aggregation: RangeAggregation
    private let windows: StepWindows
    private let context: QueryContext
    private let grouping: Grouping?

    private var keys: SeriesKeys
    private var counts: [StepDeltas] = []
    private var bytes: [StepDeltas] = []
    private var samples: [[SampleWindow.Sample]] = []

    /// - Parameter grouping: what is left of the labels; an aggregation around this one may give its own, where aggregating
    ///   earlier makes no difference.
    private init(_ aggregation: RangeAggregation, grouping: Grouping?, grid: StepGrid, context: QueryContext) {
        self.aggregation = aggregation
        self.context = context
        let isAbsence = aggregation.operation == .absent
        self.grouping = isAbsence ? .everything : grouping
        windows = StepWindows(grid: grid, range: aggregation.range, offset: aggregation.offset)
        keys = SeriesKeys(self.grouping)
    }

    static func evaluate(
        _ aggregation: RangeAggregation, grouping: Grouping?, over grid: StepGrid, source: any LogSource,
        context: QueryContext
    ) throws(QueryError) -> [GridSeries] {
        var evaluator = RangeEvaluator(aggregation, grouping: grouping, grid: grid, context: context)
        try evaluator.read(source)
        return try evaluator.series()
    }

    private var measuresBytes: Bool { aggregation.operation == .bytes || aggregation.operation == .bytesRate }
    private var countsEntries: Bool { aggregation.unwrap == nil || aggregation.operation == .absent }

    // MARK: Reading

    private var plan: ScanPlan {
        var observed = ObservedLabels.all
        if let grouping, !grouping.isWithout { observed = .only(Set(grouping.labels)) }
        if let unwrap = aggregation.unwrap {
            let names = unwrap.filters.reduce(into: Set([unwrap.label])) { $0.formUnion($1.names) }
            observed = observed.union(.only(names))
        }
        return ScanPlan(metric: aggregation.selector, observing: observed, measuresLine: measuresBytes)
    }

    private mutating func read(_ source: any LogSource) throws(QueryError) {
        let range = windows.coverage
        guard !range.isEmpty else { return }
        let plan = plan
        let request = plan.request(range, order: countsEntries ? .any : .oldestFirst)
        let context = context
        if plan.needsOnlyTimes, aggregation.unwrap == nil, countsEntries, !measuresBytes {
            try source.times(request, context: context) { (stream, times) throws(QueryError) in
                try context.proceed()
                try count(times, of: stream)
                return true
            }
            return
        }
        try source.scan(request, context: context) { (entries) throws(QueryError) in
            try context.proceed()
            for entry in entries {
                let steps = windows.steps(holding: entry.timestamp)
                if steps.isEmpty { continue }
                var candidate = PipelineEntry(entry)
                guard plan.pipeline.run(&candidate) else { continue }
                try take(&candidate, steps)
            }
            return true
        }
    }

    private mutating func count(_ times: [Timestamp], of stream: LogStream) throws(QueryError) {
        guard let first = times.first else { return }
        let entry = PipelineEntry(LogEntry(timestamp: first, stream: stream, line: "", metadata: []))
        let series = keys.number(of: entry)
        try makeRoom(for: series)
        // Taken out, so that it has one owner while it changes.
        var deltas = StepDeltas()
        swap(&deltas, &counts[series])
        let before = deltas.byteCount
        var segment = windows.segment(around: first)
        var count: Int64 = 0
        for time in times {
            if !segment.timestamps.contains(time.nanoseconds) {
                if !segment.steps.isEmpty { deltas.add(count, to: segment.steps) }
                segment = windows.segment(around: time)
                count = 0
            }
            count += 1
        }
        if !segment.steps.isEmpty { deltas.add(count, to: segment.steps) }
        let after = deltas.byteCount
        swap(&deltas, &counts[series])
        if after > before { try context.charge(bytes: after - before) }
    }

    private mutating func take(_ entry: inout PipelineEntry, _ steps: Range<Int>) throws(QueryError) {
        var value = 0.0
        if let unwrap = aggregation.unwrap {
            guard let unwrapped = unwrap.value(&entry) else { return }
            value = unwrapped
        }
        if entry.hasError { throw .execution(Self.failure(of: entry)) }
        let series = keys.number(of: entry)
        try makeRoom(for: series)
        guard countsEntries else {
            try context.charge(bytes: MemoryLayout<SampleWindow.Sample>.stride)
            samples[series].append(SampleWindow.Sample(time: entry.timestamp.nanoseconds, value: value))
            return
        }
        let before = counts[series].byteCount + (measuresBytes ? bytes[series].byteCount : 0)
        counts[series].add(1, to: steps)
        if measuresBytes { bytes[series].add(Int64(entry.line.utf8.count), to: steps) }
        let after = counts[series].byteCount + (measuresBytes ? bytes[series].byteCount : 0)
        if after > before { try context.charge(bytes: after - before) }
    }

    private mutating func makeRoom(for series: Int) throws(QueryError) {
        let known = countsEntries ? counts.count : samples.count
        guard series == known else { return }
        try context.charge(bytes: 256 + 96 * keys.labels[series].pairs.count)
        if countsEntries {
            counts.append(StepDeltas())
            if measuresBytes { bytes.append(StepDeltas()) }
        } else {
            samples.append([])
        }
    }

    private static func failure(of entry: PipelineEntry) -> String {
        let error = entry.value(of: ErrorLabel.name) ?? ""
        return """
            pipeline error: '\(error)' for series: '\(Labels(entry.allLabels).text)'.
            Entries with this error can be left out by a label filter (e.g. | __error__!="\(error)").
            All entries with an error can be left out by matching the empty error (e.g. | __error__="").
            The filter can also stand behind unwrap (e.g. | unwrap latency | __error__="").

            """
    }

    // MARK: Aggregating

    private func series() throws(QueryError) -> [GridSeries] {
        if aggregation.operation == .absent { return [absence()].filter(\.hasAnyValue) }
        var output: [GridSeries] = []
        for (number, labels) in keys.labels.enumerated() {
            try context.proceed()
            try context.charge(bytes: GridSeries.cost(steps: windows.grid.count))
            var result = GridSeries(labels: labels, empty: windows.grid.count)
            if countsEntries {
                aggregate(number, into: &result)
            } else {
                try aggregate(samples: samples[number], into: &result)
            }
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    private func aggregate(_ number: Int, into result: inout GridSeries) {
        let isRate = aggregation.operation == .rate || aggregation.operation == .bytesRate
        let divisor = isRate ? Double(aggregation.range) / 1e9 : 1
        counts[number].forEach { step, count in
            if count > 0, step < result.values.count { result.values[step] = Double(count) / divisor }
        }
        guard measuresBytes else { return }
        bytes[number].forEach { step, sum in
            if step < result.values.count, !GridSeries.isAbsent(result.values[step]) {
                result.values[step] = Double(sum) / divisor
            }
        }
    }

    private func aggregate(samples: [SampleWindow.Sample], into result: inout GridSeries) throws(QueryError) {
        var first = 0
        var end = 0
        for step in result.values.indices {
            if step % 64 == 0 { try context.proceed() }
            let timestamp = windows.timestamp(step)
            while end < samples.count, samples[end].time <= timestamp.end { end += 1 }
            while first < end, samples[first].time <= timestamp.start { first += 1 }
            guard first < end else { continue }
            let window = SampleWindow(samples: samples[first..<end], range: aggregation.range, end: timestamp.end)
            if let value = window.value(aggregation.operation, parameter: aggregation.parameter) {
                result.values[step] = value
            }
        }
    }

    /// One where no entry was found; the labels are those that the selector pins down.
    private func absence() -> GridSeries {
        var result = GridSeries(
            labels: aggregation.selector.pinnedLabels, values: Array(repeating: 1, count: windows.grid.count))
        counts.first?.forEach { step, count in
            if count > 0, step < result.values.count { result[step] = nil }
        }
        return result
    }
}

extension StepWindows {
    /// The window of a step: behind `start`, up to `end`.
    func timestamp(_ step: Int) -> (start: Int64, end: Int64) {
        let timestamp = grid[step].nanoseconds
        let (end, overflow) = timestamp.subtractingReportingOverflow(offset)
        if overflow { return offset < 0 ? (.max, .max) : (.min, .min) }
        let (start, overflow2) = end.subtractingReportingOverflow(range)
        return (overflow2 ? .min : start, end)
    }
}

extension LogSelector {
    /// Labels that one equality alone gives a value.
    fileprivate var pinnedLabels: Labels {
        let names = Dictionary(grouping: matchers, by: \.name)
        return Labels(
            matchers.filter { $0.operator == .equal && names[$0.name]?.count == 1 }.map { Label($0.name, $0.value) })
    }
}

extension Unwrap {
    /// The sample, and takes its label away. Nil: the entry has none, or a filter drops it.
    ///
    /// A value that cannot be converted is zero with an error, which the filters may look at.
    func value(_ entry: inout PipelineEntry) -> Double? {
        guard let text = entry.value(of: label) else { return nil }
        let converted: Double? =
            switch conversion {
            case .number: Numeral.parse(text)
            case .bytes: Quantity.bytes(text).map { Double($0) }
            case .duration, .durationSeconds: Quantity.duration(text).map { Double($0) / 1e9 }
            }
        if converted == nil, !entry.hasError { entry.fail(.sample, details: "\(text.quoted) is not a value to unwrap") }
        if converted != nil { entry.remove(label) }
        for filter in filters where !filter.accepts(&entry) { return nil }
        return converted ?? 0
    }
}
