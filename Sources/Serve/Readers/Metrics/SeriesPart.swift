internal import Columns
internal import Core
internal import Indexing
internal import QueryModel
internal import Synchronization
internal import Telemetry

/// The streams of one part: what its series column's codes mean.
final class PartSeries: Sendable {
    /// By code.
    let models: [SeriesModel]
    /// By code: the stream's number, for loops that look at many streams and want few.
    let numbers: [Int32]
    /// Their numbers, and one more than the greatest.
    let streams: RoaringBitmap
    let numberLimit: Int32
    /// The codes in the order of their streams' numbers; nil if that is theirs.
    private let codes: [UInt32]?
    /// Codes that follow each other and belong to one metric.
    let runs: [(family: MetricFamily, codes: Range<Int>)]
    /// Each once.
    let resources: [ResourceModel]
    private let knownRows = Mutex<StreamRows?>(nil)
    private let layouts = Mutex<SeriesLayouts?>(nil)
    private let spans = Mutex<[Int: ClosedRange<Int64>]?>(nil)

    init(models: [SeriesModel]) {
        self.models = models
        let numbers = models.map { Int32($0.number) }
        self.numbers = numbers
        streams = RoaringBitmap(models.map { UInt32($0.number) })
        // Of a dictionary that has an entry twice, numbers do not tell codes.
        numberLimit = streams.count == models.count ? (numbers.max() ?? -1) + 1 : .max
        codes =
            zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
            ? nil : numbers.indices.sorted { numbers[$0] < numbers[$1] }.map { UInt32($0) }
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

    /// Of a stream that is in the part.
    func code(of number: UInt32) -> Int {
        let place = streams.rank(number) - 1
        return codes.map { Int($0[place]) } ?? place
    }

    /// Bytes of memory, about.
    var byteCount: Int { models.count * (MemoryLayout<SeriesModel>.stride + 24) + streams.byteCount + 512 }

    /// Where the rows of the part's streams are; found out once, if they can be.
    func rows(
        _ make: () throws(QueryError) -> StreamRows?
    ) throws(QueryError) -> StreamRows? {
        if let known = knownRows.withLock({ $0 }) { return known }
        let made = try make()
        if let made { knownRows.withLock { $0 = made } }
        return made
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
