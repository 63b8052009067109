internal import Columns
internal import QueryModel
internal import Synchronization
internal import Telemetry

/// The streams of one part: what its series column's codes mean.
final class PartSeries: Sendable {
    /// By code.
    let models: [SeriesModel]
    /// By code: the stream's number, for loops that look at many streams and want few.
    let numbers: [Int32]
    /// Codes that follow each other and belong to one metric.
    let runs: [(family: MetricFamily, codes: Range<Int>)]
    /// Each once.
    let resources: [ResourceModel]
    private let layouts = Mutex<SeriesLayouts?>(nil)
    private let spans = Mutex<[Int: ClosedRange<Int64>]?>(nil)

    init(models: [SeriesModel]) {
        self.models = models
        numbers = models.map { Int32($0.number) }
        var runs: [(family: MetricFamily, codes: Range<Int>)] = []
        var resources: [ResourceModel] = []
        var known: Set<Int> = []
        for (code, model) in models.enumerated() {
            if known.insert(model.resource.number).inserted { resources.append(model.resource) }
            guard let family = model.family else { continue }
            if let last = runs.last, last.family === family, last.codes.upperBound == code {
                runs[runs.count - 1].codes = last.codes.lowerBound..<(code + 1)
            } else {
                runs.append((family, code..<(code + 1)))
            }
        }
        self.runs = runs
        self.resources = resources
    }

    /// The bounds and quantiles of the part's histograms and summaries; read once if the part is whole, and only from the columns
    /// that say them.
    func layouts(
        _ make: () throws(QueryError) -> (SeriesLayouts, isWhole: Bool)
    ) throws(QueryError) -> SeriesLayouts {
        if let known = layouts.withLock({ $0 }) { return known }
        let (made, isWhole) = try make()
        if isWhole { layouts.withLock { $0 = made } }
        return made
    }

    /// By the resource's number: the times of the first and the last of its points; read once if the part is whole.
    func spans(
        _ make: () throws(QueryError) -> ([Int: ClosedRange<Int64>], isWhole: Bool)
    ) throws(QueryError) -> [Int: ClosedRange<Int64>] {
        if let known = spans.withLock({ $0 }) { return known }
        let (made, isWhole) = try make()
        if isWhole { spans.withLock { $0 = made } }
        return made
    }
}

/// Which bounds and quantiles the points of streams have.
struct SeriesLayouts: Sendable {
    /// By the stream's number.
    var bounds: [Int: [BucketBounds]] = [:]
    /// Bit patterns, as a NaN is equal to nothing.
    var quantiles: [Int: Set<UInt64>] = [:]

    mutating func merge(_ other: SeriesLayouts) {
        for (model, bounds) in other.bounds {
            for item in bounds { insert(item, model) }
        }
        quantiles.merge(other.quantiles) { $0.union($1) }
    }

    mutating func insert(_ item: BucketBounds, _ model: Int) {
        if self.bounds[model]?.contains(where: { $0 === item }) == true { return }
        self.bounds[model, default: []].append(item)
    }
}
