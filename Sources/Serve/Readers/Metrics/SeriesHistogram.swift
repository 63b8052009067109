internal import Columns
internal import Core
internal import QueryModel

/// Explicit histograms: a series per bucket, cumulative over buckets, the count and the sum (rule T-9).
///
/// Points whose bounds are equal make a *layout*: one list of timestamps that its bucket series share, and a list of values for
/// each bucket that is wanted. Senders hardly ever change bounds, so mostly there is one layout.
final class HistogramCollector: PointCollector {
    private struct Layout {
        let bounds: BucketBounds
        /// The wanted buckets, ascending.
        let wanted: [Int]
        var timestamps: [Int64] = []
        var isAscending = true
        /// One list per wanted bucket.
        var values: [[Double]]
    }

    private let model: SeriesModel
    private let isDelta: Bool
    private let roles: SampleRoles
    private let shared: CollectionContext
    private var timestamps: [Int64] = []
    private var counts: [Double] = []
    private var sumTimestamps: [Int64] = []
    private var sums: [Double] = []
    private var isAscending = true
    /// Of points that say that there is no value: they have no bounds, and end the series of all buckets.
    private var staleTimes: [Int64] = []
    private var layouts: [Layout] = []
    private var current = 0
    private var scratch: [Double] = []
    private var deltas: HistogramDeltas?

    init(_ model: SeriesModel, isDelta: Bool, _ roles: SampleRoles, _ shared: CollectionContext) {
        self.model = model
        self.isDelta = isDelta
        self.roles = roles
        self.shared = shared
        if isDelta { deltas = HistogramDeltas() }
    }

    var needs: PointNeeds {
        if isDelta { return [.count, .sum, .buckets, .startTimes] }
        var needs: PointNeeds = []
        if roles.contains(.count) { needs.insert(.count) }
        if roles.contains(.sum) { needs.insert(.sum) }
        if roles.contains(.bucket) { needs.insert(.buckets) }
        return needs
    }

    var bytesPerPoint: Int {
        let buckets = layouts.isEmpty ? 16 : layouts[current].wanted.count
        return 16 + (roles.contains(.bucket) ? (buckets + 1) * 8 : 0) + (isDelta ? 128 : 0)
    }

    // MARK: Appending

    func append(_ rows: Range<Int>, _ points: PointColumns) {
        guard let distribution = points.distribution else { return }
        if deltas != nil { return appendDeltas(rows, points, distribution) }
        var row = rows.lowerBound
        while row < rows.upperBound {
            if points.isStale(row) {
                staleTimes.append(points.times[row] / 1_000_000)
                row += 1
                continue
            }
            guard let inner = distribution.inner(row) else {
                row += 1
                continue
            }
            let end = endOfRun(from: row, rows.upperBound, points, distribution)
            appendRun(row..<end, first: inner, points, distribution)
            row = end
        }
    }

    /// The end of the rows that have a value, and the same bounds as the first.
    private func endOfRun(
        from row: Int, _ limit: Int, _ points: PointColumns, _ distribution: DistributionColumns
    ) -> Int {
        var end = row + 1
        let codes = distribution.bounds?.codes
        while end < limit, !points.isStale(end), let inner = distribution.inner(end) {
            if let codes, codes[inner] != codes[inner - 1] { break }
            end += 1
        }
        return end
    }

    private func appendRun(
        _ rows: Range<Int>, first: Int, _ points: PointColumns, _ distribution: DistributionColumns
    ) {
        let inner = first..<(first + rows.count)
        if roles.contains(.count) || roles.contains(.sum) {
            isAscending = timestamps.append(milliseconds: points.times, rows) && isAscending
        }
        if roles.contains(.count) {
            for i in inner { counts.append(NativeHistogram.count(distribution.counts[i])) }
        }
        if roles.contains(.sum) {
            for (row, i) in zip(rows, inner) {
                guard let sum = distribution.sum(i) else { continue }
                sumTimestamps.append(points.times[row] / 1_000_000)
                sums.append(sum)
            }
        }
        guard roles.contains(.bucket), let column = distribution.bounds, let buckets = distribution.buckets,
            case .integers(let values) = buckets.elements
        else { return }
        select(shared.bounds(column, first))
        guard Self.isRegular(buckets, inner, layouts[current].bounds) else { return }
        let start = Int(buckets.offsets[first])
        layouts[current].isAscending =
            layouts[current].timestamps.append(milliseconds: points.times, rows) && layouts[current].isAscending
        unsafe accumulate(values.base + start, distribution.counts.base + first, rows.count)
    }

    /// Whether each histogram has one bucket more than bounds, or none where there are no bounds.
    private static func isRegular(_ buckets: ArrayColumn, _ rows: Range<Int>, _ bounds: BucketBounds) -> Bool {
        let width = bounds.bounds.count + 1
        return rows.allSatisfy { row in
            let count = buckets.range(row).count
            return count == width || bounds.bounds.isEmpty && count == 0
        }
    }

    /// Appends cumulative counts, bucket by bucket, so that each list grows at once.
    private func accumulate(_ values: UnsafePointer<Int64>, _ totals: UnsafePointer<Int64>, _ rows: Int) {
        let wanted = layouts[current].wanted
        let last = layouts[current].bounds.bounds.count
        let width = last + 1
        // Buckets up to the last one wanted that has a bound.
        let finite = (wanted.last { $0 < last } ?? -1) + 1
        if scratch.count < finite * rows { scratch = Array(repeating: 0, count: finite * rows) }
        unsafe scratch.withUnsafeMutableBufferPointer { scratch in
            for row in 0..<rows {
                var sum: UInt64 = 0
                for bucket in 0..<finite {
                    sum &+= unsafe UInt64(bitPattern: values[row &* width &+ bucket])
                    unsafe scratch[bucket &* rows &+ row] =
                        sum >> 63 == 0 ? Double(Int64(bitPattern: sum)) : Double(sum)
                }
            }
        }
        for (slot, bucket) in wanted.enumerated() {
            if bucket == last {
                layouts[current].values[slot].append(
                    contentsOf: (0..<rows).lazy.map { unsafe NativeHistogram.count(totals[$0]) })
            } else {
                layouts[current].values[slot].append(
                    contentsOf: scratch[(bucket * rows)..<((bucket + 1) * rows)])
            }
        }
    }

    private func select(_ bounds: BucketBounds) {
        if !layouts.isEmpty, layouts[current].bounds === bounds { return }
        if let known = layouts.firstIndex(where: { $0.bounds === bounds }) {
            current = known
            return
        }
        let wanted = bounds.texts.indices.filter {
            shared.selection.accepts(extra: bounds.texts[$0], .bucket)
        }
        layouts.append(
            Layout(bounds: bounds, wanted: wanted, values: Array(repeating: [], count: wanted.count)))
        current = layouts.count - 1
    }

    /// Appends one sample to every series; `buckets` are not cumulative.
    private func push(_ time: Int64, count: Double, sum: Double?, _ buckets: [Int64]) {
        if roles.contains(.count) || roles.contains(.sum) {
            if let last = timestamps.last, last >= time { isAscending = false }
            timestamps.append(time)
        }
        if roles.contains(.count) { counts.append(count) }
        if roles.contains(.sum), let sum {
            sumTimestamps.append(time)
            sums.append(sum)
        }
        guard roles.contains(.bucket), !layouts.isEmpty else { return }
        if let last = layouts[current].timestamps.last, last >= time { layouts[current].isAscending = false }
        layouts[current].timestamps.append(time)
        let last = layouts[current].bounds.bounds.count
        var total: UInt64 = 0
        var summed = 0
        for (slot, bucket) in layouts[current].wanted.enumerated() {
            while bucket < last, summed <= bucket, summed < buckets.count {
                total &+= UInt64(bitPattern: buckets[summed])
                summed += 1
            }
            layouts[current].values[slot].append(bucket == last ? count : Double(total))
        }
    }

    // MARK: The end

    func finish(into output: inout SeriesOutput) {
        if let deltas { finish(deltas) }
        let directory = shared.directory
        let hasPoints = !counts.isEmpty || !sums.isEmpty || !staleTimes.isEmpty
        if hasPoints, roles.contains(.count) {
            add(model.key(.count, in: directory), timestamps, counts, isAscending, &output)
        }
        if hasPoints, roles.contains(.sum) {
            add(model.key(.sum, in: directory), sumTimestamps, sums, isAscending, &output)
        }
        for layout in layouts {
            let keys = model.keys(layout.bounds, in: directory)
            for (slot, bucket) in layout.wanted.enumerated() {
                add(keys[bucket], layout.timestamps, layout.values[slot], layout.isAscending, &output)
            }
        }
    }

    private func add(
        _ key: SeriesKey, _ timestamps: [Int64], _ values: [Double], _ isAscending: Bool,
        _ output: inout SeriesOutput
    ) {
        var piece = SeriesPiece(
            key: key, identity: model.identity, timestamps: timestamps, values: values,
            isAscending: isAscending)
        // Untouched, the timestamps stay shared by all buckets.
        if !staleTimes.isEmpty {
            piece.timestamps += staleTimes
            piece.values += staleTimes.map { _ in Staleness.marker }
            piece.isAscending = false
        }
        output.add(piece)
    }

    // MARK: Delta temporality

    private func appendDeltas(_ rows: Range<Int>, _ points: PointColumns, _ distribution: DistributionColumns) {
        for row in rows {
            let time = (points.times[row], points.startTimes[row])
            if points.isStale(row) {
                deltas?.append(time, nil)
            } else if let inner = distribution.inner(row), let column = distribution.bounds,
                let buckets = distribution.buckets
            {
                deltas?.append(
                    time,
                    HistogramDeltas.Point(
                        count: UInt64(bitPattern: distribution.counts[inner]), sum: distribution.sum(inner),
                        bounds: shared.bounds(column, inner), buckets: buckets.integers(inner)))
            }
        }
    }

    private func finish(_ deltas: HistogramDeltas) {
        let range = SampleBuilder(range: shared.range)
        deltas.accumulate { time, point in
            guard range.contains(time) else { return }
            guard let point else { return staleTimes.append(time) }
            if roles.contains(.bucket) { select(point.bounds) }
            push(time, count: Double(point.count), sum: point.sum, point.buckets)
        }
    }
}

/// The points of a histogram of delta temporality; see `DeltaRestarts`.
struct HistogramDeltas {
    struct Point {
        var count: UInt64
        var sum: Double?
        var bounds: BucketBounds
        /// Not cumulative.
        var buckets: [Int64]
    }

    private var times: [Int64] = []
    private var starts: [Int64] = []
    /// Nil where the point says that there is no value.
    private var points: [Point?] = []

    mutating func append(_ time: (time: Int64, start: Int64), _ point: Point?) {
        times.append(time.time)
        starts.append(time.start)
        points.append(point)
    }

    /// Hands over the running totals, with times in milliseconds.
    func accumulate(_ body: (Int64, Point?) -> Void) {
        var total: Point?
        DeltaRestarts.accumulate(
            times: times, starts: starts, isStale: { points[$0] == nil }, restart: { total = nil },
            zero: { time, row in
                guard let point = points[row] else { return }
                let zeros = point.buckets.map { _ in Int64(0) }
                body(time, Point(count: 0, sum: 0, bounds: point.bounds, buckets: zeros))
            },
            point: { row in
                guard var point = points[row] else { return body(times[row] / 1_000_000, nil) }
                if let total { point.add(total) }
                total = point
                body(times[row] / 1_000_000, point)
            })
    }
}

extension HistogramDeltas.Point {
    /// Adds what was counted before; buckets start again if their bounds change.
    mutating func add(_ before: HistogramDeltas.Point) {
        count &+= before.count
        if let earlier = before.sum { sum = (sum ?? 0) + earlier }
        guard bounds === before.bounds, buckets.count == before.buckets.count else { return }
        for i in buckets.indices { buckets[i] &+= before.buckets[i] }
    }
}
