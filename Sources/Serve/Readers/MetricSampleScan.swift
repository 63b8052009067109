internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Storage
internal import Synchronization
internal import Telemetry

/// Hands the points of the streams that one selector accepts to their collectors.
struct SampleScan {
    private let reading: MetricReading
    private let range: TimeRange
    /// The last moment of the range; the last representable one is inside.
    private let end: Int64
    private let loader: PointLoader
    private let makeCollector: (SeriesModel, MetricFamily, SampleRoles) -> any PointCollector
    private var selection: SeriesSelection
    /// In the order in which they were met.
    private var collectors: [any PointCollector] = []
    private var isDelta: [Bool] = []
    /// By the stream's number: the place of its collector, `unknown` or `unwanted`.
    private var slots: [Int32] = []

    private static let unknown: Int32 = -2
    private static let unwanted: Int32 = -1

    init(
        _ reading: MetricReading, _ selection: SeriesSelection, range: TimeRange,
        makeCollector: @escaping (SeriesModel, MetricFamily, SampleRoles) -> any PointCollector
    ) {
        self.reading = reading
        self.range = range
        end = range.end.nanoseconds == .max ? .max : range.end.nanoseconds - 1
        self.selection = selection
        self.makeCollector = makeCollector
        loader = PointLoader(table: reading.table, context: reading.context)
    }

    mutating func collect(into output: inout SeriesOutput) throws(QueryError) {
        for handle in reading.parts { try read(handle) }
        for batch in reading.memory { try read(batch) }
        for (index, collector) in collectors.enumerated() {
            if index % 256 == 0 { try reading.context.proceed() }
            collector.finish(into: &output)
        }
    }

    // MARK: Streams

    private mutating func slot(_ model: SeriesModel) -> Int32 {
        if model.number >= slots.count {
            slots += repeatElement(Self.unknown, count: model.number + 1024 - slots.count)
        }
        if slots[model.number] != Self.unknown { return slots[model.number] }
        let roles = selection.roles(of: model)
        guard !roles.isEmpty, let family = model.family else {
            slots[model.number] = Self.unwanted
            return Self.unwanted
        }
        slots[model.number] = Int32(collectors.count)
        collectors.append(makeCollector(model, family, roles))
        isDelta.append(family.isDelta)
        return slots[model.number]
    }

    /// The first moment of which a collector wants points.
    private func start(_ slot: Int32) -> Int64 {
        isDelta[Int(slot)] ? reading.range.start.nanoseconds : range.start.nanoseconds
    }

    // MARK: Parts

    private mutating func read(_ handle: PartHandle) throws(QueryError) {
        let statistics = reading.context.statistics
        statistics.partsConsidered.add(1, ordering: .relaxed)
        guard let (part, series) = try reading.open(handle) else { return }
        let isInRange = handle.record.greatestTime >= range.start.nanoseconds
        var slotOfCode = [Int32](repeating: Self.unwanted, count: series.models.count)
        // By code: the number of wanted streams below it.
        var wantedBelow: [Int32]?
        for (family, codes) in series.runs where !selection.roles(of: family).isEmpty {
            // What lies before the range is read for deltas only.
            guard isInRange || family.isDelta else { continue }
            for code in codes {
                let number = Int(series.numbers[code])
                let known = number < slots.count ? slots[number] : Self.unknown
                slotOfCode[code] = known == Self.unknown ? slot(series.models[code]) : known
            }
            wantedBelow = []
        }
        statistics.blocksConsidered.add(part.blockCount, ordering: .relaxed)
        guard wantedBelow != nil else { return }
        var below: [Int32] = [0]
        below.reserveCapacity(slotOfCode.count + 1)
        for slot in slotOfCode { below.append(below[below.count - 1] + (slot >= 0 ? 1 : 0)) }
        guard below[slotOfCode.count] > 0 else { return }
        statistics.partsRead.add(1, ordering: .relaxed)
        for block in 0..<part.blockCount where mayHave(part, block, below) {
            try reading.context.proceed()
            // All that is wanted of a block is read before collectors get any of it.
            let bytes = try reading.reading(handle, block: block) { () throws(PartError) in
                try read(part, block, slotOfCode)
            }
            try reading.context.charge(bytes: bytes ?? 0)
        }
    }

    private func mayHave(_ part: Part, _ block: Int, _ wantedBelow: [Int32]) -> Bool {
        let table = reading.table
        if let times = part.zone(table.time.ordinal, block: block),
            times.upperBound < reading.range.start.nanoseconds || times.lowerBound > end
        {
            return false
        }
        guard let codes = part.zone(table.series.ordinal, block: block), codes.lowerBound >= 0,
            codes.upperBound < wantedBelow.count - 1
        else { return true }
        return wantedBelow[Int(codes.upperBound) + 1] > wantedBelow[Int(codes.lowerBound)]
    }

    /// - Returns: the bytes that samples took.
    private mutating func read(_ part: Part, _ block: Int, _ slotOfCode: [Int32]) throws(PartError) -> Int {
        let context = reading.context
        let codes = try loader.seriesCodes(part, block)
        context.statistics.blocksRead.add(1, ordering: .relaxed)
        context.statistics.rowsRead.add(codes.count, ordering: .relaxed)
        var runs = Self.runs(codes, slotOfCode)
        guard !runs.isEmpty else { return 0 }
        let times = try loader.integers(part, reading.table.time.ordinal, block)
        var needs: PointNeeds = []
        for index in runs.indices {
            runs[index].rows = cut(runs[index].rows, times, from: start(runs[index].slot))
            if !runs[index].rows.isEmpty { needs.formUnion(collectors[Int(runs[index].slot)].needs) }
        }
        runs.removeAll { $0.rows.isEmpty }
        guard !runs.isEmpty else { return 0 }
        let points = try loader.load(part, block, times: times, needs)
        var bytes = 0
        for run in runs {
            let collector = collectors[Int(run.slot)]
            collector.append(run.rows, points)
            bytes += run.rows.count * collector.bytesPerPoint
            context.statistics.rowsMatched.add(run.rows.count, ordering: .relaxed)
        }
        return bytes
    }

    /// Rows that follow each other and belong to one wanted stream.
    private static func runs(
        _ codes: Buffer<UInt32>, _ slotOfCode: [Int32]
    ) -> [(slot: Int32, rows: Range<Int>)] {
        var runs: [(slot: Int32, rows: Range<Int>)] = []
        let codes = codes.unsafeElements
        slotOfCode.withUnsafeBufferPointer { slotOfCode in
            var begin = 0
            while begin < codes.count {
                let code = codes[begin]
                var end = begin + 1
                while end < codes.count, codes[end] == code { end += 1 }
                let slot = slotOfCode[Int(code)]
                if slot >= 0 { runs.append((slot, begin..<end)) }
                begin = end
            }
        }
        return runs
    }

    /// The rows of a run, which ascend in time, from `start` to the end of the range.
    private func cut(_ rows: Range<Int>, _ times: Buffer<Int64>, from start: Int64) -> Range<Int> {
        let first = Self.partition(rows, times) { $0 >= start }
        let last = Self.partition(first..<rows.upperBound, times) { $0 > end }
        return first..<last
    }

    /// The first row whose time is in the second half.
    private static func partition(
        _ rows: Range<Int>, _ times: Buffer<Int64>, _ isInSecondHalf: (Int64) -> Bool
    ) -> Int {
        guard let last = rows.last else { return rows.upperBound }
        if isInSecondHalf(times.base[rows.lowerBound]) { return rows.lowerBound }
        if !isInSecondHalf(times.base[last]) { return rows.upperBound }
        var low = rows.lowerBound
        var high = last
        while low < high {
            let middle = (low + high) / 2
            if isInSecondHalf(times.base[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: Memory

    private mutating func read(_ batch: ColumnBatch) throws(QueryError) {
        try reading.context.proceed()
        let models = reading.directory.series(ofMemory: batch, table: reading.table)
        let slotOfCode = models.map { slot($0) }
        guard slotOfCode.contains(where: { $0 >= 0 }) else { return }
        let points = PointColumns(batch, table: reading.table)
        let codes = batch[reading.table.series].codes
        let statistics = reading.context.statistics
        statistics.rowsRead.add(batch.rowCount, ordering: .relaxed)
        var bytes = 0
        var matched = 0
        for row in 0..<batch.rowCount {
            let slot = slotOfCode[Int(codes.base[row])]
            guard slot >= 0 else { continue }
            let time = points.times.base[row]
            guard time >= start(slot), time <= end else { continue }
            let collector = collectors[Int(slot)]
            collector.append(row..<(row + 1), points)
            bytes += collector.bytesPerPoint
            matched += 1
            if matched % 65_536 == 0 { try reading.context.charge(bytes: bytes); bytes = 0 }
        }
        statistics.rowsMatched.add(matched, ordering: .relaxed)
        try reading.context.charge(bytes: bytes)
    }
}
