import Scheduling

/// What the series of a plan come to: themselves, or the groups that they are in.
struct PlanResults: Sendable {
    private let plan: SeriesPlan
    let context: QueryContext
    /// Of a plan without a reduction.
    var series: [(name: SeriesName, values: [Double])] = []
    var groups: PlanGroups?
    private let grouping: Aggregation?
    /// Whether buckets of different bounds are in different groups.
    private let groupsByBucket: Bool
    /// The groups of each layout's wanted buckets.
    private var bucketSlots: [BucketKey: [Int]] = [:]
    var samplesRead = 0
    var samplesByStep: [Int]
    var counterNames: Set<String> = []

    private struct BucketKey: Hashable {
        var group: Labels
        var layout: Int
    }

    init(_ plan: SeriesPlan, context: QueryContext) {
        self.plan = plan
        self.context = context
        let steps = plan.grid.count
        samplesByStep = Array(repeating: 0, count: steps)
        groups = plan.reduction.map { PlanGroups($0.operator, stepCount: steps, context: context) }
        grouping = plan.reduction.map { Aggregation(grouping: $0.grouping, stepCount: steps, context: context) }
        groupsByBucket = plan.reduction.map { $0.grouping.labels.contains("le") != $0.grouping.isWithout } ?? false
    }

    // MARK: Counting

    mutating func noteSamples(_ count: Int) { samplesRead += count }

    /// - Parameter count: how many series have these windows.
    mutating func noteSeries(_ labels: Labels, _ bounds: WindowBounds, count: Int) {
        if plan.function.expectsCounter {
            let name = labels["__name__"]
            if !counterNames.contains(name) { counterNames.insert(name) }
        }
        // What `latest` finds to be stale is no sample: it is counted when it is added.
        if plan.function == .latest { return }
        for step in samplesByStep.indices {
            samplesByStep[step] &+= Int(bounds.upper[step] &- bounds.lower[step]) &* count
        }
    }

    /// - Returns: whether any step has a value.
    private mutating func countPresent(_ values: Span<Double>) -> Bool {
        var any = false
        let isLatest = plan.function == .latest
        for step in 0..<values.count where !GridSeries.isAbsent(values[step]) {
            any = true
            guard isLatest else { break }
            samplesByStep[step] &+= 1
        }
        return any
    }

    // MARK: Adding

    /// - Parameter row: by step.
    mutating func add(_ row: [Double], _ name: SeriesName) throws(QueryError) {
        let values = row.span
        guard countPresent(values) else { return }
        guard let grouping, groups != nil else { return try append(values, name) }
        if let slot = try groups?.slot(of: grouping.groupLabels(of: name.base)) {
            groups?.add(values, of: name, to: slot)
        }
    }

    /// - Parameter matrix: by bucket and step.
    mutating func add(_ matrix: [Double], _ histogram: ClassicHistogram) throws(QueryError) {
        let steps = plan.grid.count
        let slots = try slots(of: histogram)
        for (i, bucket) in histogram.wanted.enumerated() {
            let values = matrix.span.extracting(bucket * steps..<(bucket + 1) * steps)
            guard countPresent(values) else { continue }
            let name = SeriesName(histogram.labels, Label("le", histogram.bounds[bucket]))
            if groups == nil { try append(values, name) } else { groups?.add(values, of: name, to: slots[i]) }
        }
    }

    private mutating func append(_ values: Span<Double>, _ name: SeriesName) throws(QueryError) {
        try context.charge(bytes: GridSeries.cost(steps: values.count))
        series.append((name, (0..<values.count).map { values[$0] }))
    }

    /// The groups of a histogram's wanted buckets; none without a reduction.
    private mutating func slots(of histogram: ClassicHistogram) throws(QueryError) -> [Int] {
        guard let grouping else { return [] }
        let key = BucketKey(group: grouping.groupLabels(of: histogram.labels), layout: histogram.layout)
        if let known = bucketSlots[key] { return known }
        var slots: [Int] = []
        for bucket in histogram.wanted {
            let group = groupsByBucket ? key.group.setting("le", to: histogram.bounds[bucket]) : key.group
            slots.append(try groups?.slot(of: group) ?? 0)
        }
        bucketSlots[key] = slots
        return slots
    }

    // MARK: The end

    mutating func merge(_ other: PlanResults) throws(QueryError) {
        series.append(contentsOf: other.series)
        if let others = other.groups { try groups?.merge(others) }
        samplesRead &+= other.samplesRead
        for step in samplesByStep.indices { samplesByStep[step] &+= other.samplesByStep[step] }
        counterNames.formUnion(other.counterNames)
    }

    consuming func answer() throws(QueryError) -> SeriesPlanAnswer {
        SeriesPlanAnswer(
            series: try sortedSeries(), samplesRead: samplesRead, samplesByStep: samplesByStep,
            counterNames: counterNames.sorted())
    }

    private func sortedSeries() throws(QueryError) -> [GridSeries] {
        if let groups { return try groups.series() }
        return series.sorted { $0.name < $1.name }.map { name, values in
            let labels = name.labels
            return GridSeries(
                labels: plan.function.keepsName ? labels : labels.removing(["__name__"]), values: values)
        }
    }
}
