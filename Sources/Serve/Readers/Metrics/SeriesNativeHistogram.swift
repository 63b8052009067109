internal import Columns
internal import Core
internal import QueryModel

/// Native histograms from OTLP's exponential ones (rule T-9).
extension NativeHistogram {
    /// The finest and the coarsest schema that Prometheus knows.
    private static let schemas: ClosedRange<Int32> = -4...8
    private static let defaultZeroThreshold = 1e-128

    static let staleMarker = NativeHistogram(
        schema: 0, count: 0, sum: Staleness.marker, zeroThreshold: defaultZeroThreshold, zeroCount: 0,
        positiveOffset: 0, positive: [], negativeOffset: 0, negative: [], isStale: true)

    /// Nothing counted, in the finest schema, so that adding to it keeps the other's.
    static let zero = NativeHistogram(
        schema: schemas.upperBound, count: 0, sum: 0, zeroThreshold: defaultZeroThreshold, zeroCount: 0,
        positiveOffset: 0, positive: [], negativeOffset: 0, negative: [])

    /// - Returns: nil if the scale is too coarse, or the buckets lie beyond what an index can say.
    init?(_ columns: DistributionColumns, _ inner: Int) {
        guard let scale = Int32(exactly: columns.scales[inner]), scale >= Self.schemas.lowerBound,
            let positiveOffset = Self.index(columns.positiveOffsets[inner], columns.buckets, inner),
            let negativeOffset = Self.index(columns.negativeOffsets[inner], columns.negatives, inner)
        else { return nil }
        let threshold = columns.zeroThresholds[inner]
        self.init(
            schema: scale, count: Self.count(columns.counts[inner]), sum: columns.sum(inner) ?? 0,
            zeroThreshold: threshold > 0 ? threshold : Self.defaultZeroThreshold,
            zeroCount: Self.count(columns.zeroCounts[inner]), positiveOffset: positiveOffset,
            positive: Self.counts(columns.buckets, inner), negativeOffset: negativeOffset,
            negative: Self.counts(columns.negatives, inner))
        if scale > Self.schemas.upperBound { self = reduced(to: Self.schemas.upperBound) }
    }

    /// OTLP's bucket `i` is Prometheus's `i + 1`.
    private static func index(_ offset: Int64, _ buckets: ArrayColumn?, _ inner: Int) -> Int32? {
        let count = buckets?.range(inner).count ?? 0
        guard let first = Int32(exactly: offset + 1), Int32(exactly: Int(first) + count) != nil else {
            return nil
        }
        return first
    }

    static func count(_ word: Int64) -> Double { Double(UInt64(bitPattern: word)) }

    private static func counts(_ column: ArrayColumn?, _ inner: Int) -> [Double] {
        guard let column, case .integers(let values) = column.elements else { return [] }
        return column.range(inner).map { count(values[$0]) }
    }
}
