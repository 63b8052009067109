internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// Takes the points of one stream, and makes samples of them.
protocol PointCollector: AnyObject {
    /// What `append` reads.
    var needs: PointNeeds { get }
    /// Roughly what a point takes in memory.
    var bytesPerPoint: Int { get }
    /// Takes points that follow each other in time; calls may come in any order of time.
    func append(_ rows: Range<Int>, _ points: PointColumns)
    func finish(into output: inout SeriesOutput)
}

/// What the collectors of one query share.
final class CollectionContext {
    let directory: SeriesDirectory
    /// Samples outside of it are read only to accumulate them.
    let range: TimeRange
    let selection: SeriesSelection
    /// The dictionary of bounds that was seen last, and its entries as far as they were asked for.
    private var dictionary: StringDictionary?
    private var known: [BucketBounds?] = []

    init(directory: SeriesDirectory, range: TimeRange, selection: SeriesSelection) {
        self.directory = directory
        self.range = range
        self.selection = selection
    }

    func bounds(_ column: StringColumn, _ row: Int) -> BucketBounds {
        if dictionary !== column.dictionary {
            dictionary = column.dictionary
            known = Array(repeating: nil, count: column.dictionary.count)
        }
        let code = Int(column.codes[row])
        if let bounds = known[code] { return bounds }
        let bounds = directory.bounds(column.dictionary.span(code))
        known[code] = bounds
        return bounds
    }

    func collector(_ model: SeriesModel, _ family: MetricFamily, _ roles: SampleRoles) -> any PointCollector {
        switch family.kind {
        case .gauge, .sum: NumberCollector(model, isDelta: family.isDelta, self)
        case .histogram: HistogramCollector(model, isDelta: family.isDelta, roles, self)
        case .exponentialHistogram: ExponentialCollector(model, isDelta: family.isDelta, self)
        case .summary: SummaryCollector(model, roles, self)
        }
    }
}

/// How points of delta temporality are shown: accumulated, as counters that start again from zero at 0:00 UTC of each day.
///
/// A sample's value must not depend on the query that asks for it, and no query can read a series from its first point on. So
/// the running sum begins with each day, which is also a partition of the table: a query reads at most one day more than it asks
/// for. A restart is no loss, because every counter function takes a fall for a restart; and for the fall to be seen even if
/// the first point of a day is greater than all of the day before, a zero stands at the beginning of that point's interval.
/// Delta sums that are not monotonic are accumulated likewise; their level is that since 0:00.
enum DeltaRestarts {
    static let day: Int64 = 86_400_000_000_000

    /// The beginning of the day of a timestamp, not before the earliest timestamp.
    static func start(ofDay time: Int64) -> Int64 {
        let rest = time % day
        let (start, overflow) = time.subtractingReportingOverflow(rest < 0 ? rest + day : rest)
        return overflow ? .min : start
    }

    /// Where the zero before the first point of a day stands, in milliseconds: just after the interval's beginning, which is
    /// the time of the point before. Nil if the sender did not say when the interval began.
    static func zero(before time: Int64, start: Int64) -> Int64? {
        guard start > 0, start / 1_000_000 + 1 < time / 1_000_000 else { return nil }
        return start / 1_000_000 + 1
    }

    /// The rows in the order of their times, of equal times only the last.
    static func order(_ times: [Int64]) -> [Int] {
        let order = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        return order.enumerated().filter { place, row in
            place + 1 == order.count || times[order[place + 1]] != times[row]
        }.map(\.element)
    }

    /// Walks over the rows of one stream in the order of time; those that are stale count nothing.
    ///
    /// - Parameter zero: called before the first row of a day that counts, if a zero stands there.
    static func accumulate(
        times: [Int64], starts: [Int64], isStale: (_ row: Int) -> Bool, restart: () -> Void,
        zero: (_ milliseconds: Int64, _ row: Int) -> Void, point: (_ row: Int) -> Void
    ) {
        var today: Int64?
        for row in order(times) {
            let day = start(ofDay: times[row])
            if !isStale(row), day != today {
                today = day
                restart()
                if let time = Self.zero(before: times[row], start: starts[row]) { zero(time, row) }
            }
            point(row)
        }
    }
}

/// Gauges and sums.
final class NumberCollector: PointCollector {
    private let model: SeriesModel
    private let isDelta: Bool
    private let shared: CollectionContext
    private var timestamps: [Int64] = []
    private var values: [Double] = []
    private var isAscending = true
    /// Of delta points, for which `timestamps` are nanoseconds until the end.
    private var starts: [Int64] = []

    init(_ model: SeriesModel, isDelta: Bool, _ shared: CollectionContext) {
        self.model = model
        self.isDelta = isDelta
        self.shared = shared
    }

    var needs: PointNeeds { isDelta ? [.numbers, .startTimes] : .numbers }
    var bytesPerPoint: Int { isDelta ? 24 : 16 }

    func append(_ rows: Range<Int>, _ points: PointColumns) {
        if isDelta || points.types != nil || points.flags != nil { return appendEach(rows, points) }
        isAscending = timestamps.append(milliseconds: points.times, rows) && isAscending
        values.append(
            contentsOf: points.values[rows])
    }

    private func appendEach(_ rows: Range<Int>, _ points: PointColumns) {
        for row in rows {
            let isStale = points.isStale(row)
            if !isStale, let types = points.types, types[row] == MetricTable.ValueType.none { continue }
            let time = points.times[row]
            let timestamp = isDelta ? time : time / 1_000_000
            if let last = timestamps.last, last >= timestamp { isAscending = false }
            timestamps.append(timestamp)
            values.append(isStale ? Staleness.marker : points.values[row])
            if isDelta { starts.append(points.startTimes[row]) }
        }
    }

    func finish(into output: inout SeriesOutput) {
        guard !timestamps.isEmpty else { return }
        var piece = SeriesPiece(
            key: model.key(.value, in: shared.directory), identity: model.identity,
            timestamps: timestamps, values: values, isAscending: isAscending)
        if isDelta { accumulate(&piece) }
        output.add(piece)
    }

    private func accumulate(_ piece: inout SeriesPiece) {
        var result = SampleBuilder(range: shared.range)
        var total = 0.0
        DeltaRestarts.accumulate(
            times: timestamps, starts: starts, isStale: { Staleness.isMarker(values[$0]) },
            restart: { total = 0 }, zero: { time, _ in result.append(time, 0) },
            point: { row in
                let isStale = Staleness.isMarker(values[row])
                if !isStale { total += values[row] }
                result.append(timestamps[row] / 1_000_000, isStale ? Staleness.marker : total)
            })
        (piece.timestamps, piece.values) = (result.timestamps, result.values)
        piece.isAscending = result.isAscending
    }
}

/// Exponential histograms, as native ones.
final class ExponentialCollector: PointCollector {
    private let model: SeriesModel
    private let isDelta: Bool
    private let shared: CollectionContext
    private var times: [Int64] = []
    private var starts: [Int64] = []
    private var histograms: [NativeHistogram] = []

    init(_ model: SeriesModel, isDelta: Bool, _ shared: CollectionContext) {
        self.model = model
        self.isDelta = isDelta
        self.shared = shared
    }

    var needs: PointNeeds { isDelta ? [.exponential, .startTimes] : .exponential }
    /// Some two hundred buckets.
    var bytesPerPoint: Int { 2048 }

    func append(_ rows: Range<Int>, _ points: PointColumns) {
        guard let distribution = points.distribution else { return }
        for row in rows {
            let histogram: NativeHistogram?
            if points.isStale(row) {
                histogram = .staleMarker
            } else {
                histogram = distribution.inner(row).flatMap { NativeHistogram(distribution, $0) }
            }
            guard let histogram else { continue }
            times.append(points.times[row])
            histograms.append(histogram)
            if isDelta { starts.append(points.startTimes[row]) }
        }
    }

    func finish(into output: inout SeriesOutput) {
        guard !times.isEmpty else { return }
        var result = SampleBuilder(range: shared.range)
        var found: [NativeHistogram] = []
        if isDelta {
            var total: NativeHistogram?
            DeltaRestarts.accumulate(
                times: times, starts: starts, isStale: { histograms[$0].isStale },
                restart: { total = nil },
                zero: { time, _ in if result.append(time, 0) { found.append(.zero) } },
                point: { row in
                    var shown = histograms[row]
                    if !shown.isStale {
                        // Buckets too far apart to be added: the sum starts again.
                        shown = total?.combined(with: shown, subtracting: false) ?? shown
                        total = shown
                    }
                    if result.append(times[row] / 1_000_000, 0) { found.append(shown) }
                })
        } else {
            for (time, histogram) in zip(times, histograms) where result.append(time / 1_000_000, 0) {
                found.append(histogram)
            }
        }
        output.add(
            SeriesPiece(
                key: model.key(.value, in: shared.directory), identity: model.identity,
                timestamps: result.timestamps, values: result.values, histograms: found,
                isAscending: result.isAscending))
    }
}

/// Samples of one series, of which those outside of the range are left out.
struct SampleBuilder {
    private(set) var timestamps: [Int64] = []
    private(set) var values: [Double] = []
    private(set) var isAscending = true
    private let start: Int64
    private let end: Int64

    init(range: TimeRange) {
        start = range.start.milliseconds
        end = range.end.milliseconds + (range.end.nanoseconds % 1_000_000 == 0 ? 0 : 1)
    }

    func contains(_ timestamp: Int64) -> Bool { timestamp >= start && timestamp < end }

    /// - Returns: whether the sample lies in the range.
    @discardableResult
    mutating func append(_ timestamp: Int64, _ value: Double) -> Bool {
        guard contains(timestamp) else { return false }
        if let last = timestamps.last, last >= timestamp { isAscending = false }
        timestamps.append(timestamp)
        values.append(value)
        return true
    }
}

extension [Int64] {
    /// Appends times in nanoseconds, none before the epoch, as milliseconds.
    ///
    /// - Returns: whether they ascend strictly, also from the one before.
    mutating func append(milliseconds times: Buffer<Int64>, _ rows: Range<Int>) -> Bool {
        var last = self.last ?? .min
        var ascends = true
        reserveCapacity(count + rows.count)
        for time in times[rows] {
            let time = Int64(truncatingIfNeeded: UInt64(bitPattern: time) / 1_000_000)
            ascends = ascends && time > last
            last = time
            append(time)
        }
        return ascends
    }
}
