internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Synchronization
internal import Telemetry

/// Hands the points of the streams that one selector accepts to their collectors.
///
/// Blocks are read ahead by the threads of the pool; collectors take what was read in order, on the query's thread.
struct SampleScan {
    private let reading: MetricReading
    private let range: TimeRange
    /// The last timestamp of the range; the last representable one is inside.
    private let end: Int64
    private let pool: QueryPool
    private let makeCollector: (SeriesModel, MetricFamily, SampleRoles) -> any PointCollector
    private var selection: SeriesSelection
    /// In the order in which they were met.
    private var collectors: [any PointCollector] = []
    /// By collector.
    private var requests: [SampleRequest] = []
    /// By the stream's number: the place of its collector, `unknown` or `unwanted`.
    private var slots: [Int32] = []

    private static let unknown: Int32 = -2
    private static let unwanted: Int32 = -1
    /// What is known of parts is held for so many blocks.
    private static let blocksAtOnce = 256

    init(
        _ reading: MetricReading, _ selection: SeriesSelection, range: TimeRange, pool: QueryPool = .shared,
        makeCollector: @escaping (SeriesModel, MetricFamily, SampleRoles) -> any PointCollector
    ) {
        self.reading = reading
        self.range = range
        end = range.end.nanoseconds == .max ? .max : range.end.nanoseconds - 1
        self.selection = selection
        self.pool = pool
        self.makeCollector = makeCollector
    }

    mutating func collect(into output: inout SeriesOutput) throws(QueryError) {
        var blocks: [SampleBlock] = []
        for handle in reading.parts {
            try addBlocks(of: handle, to: &blocks)
            guard blocks.count >= Self.blocksAtOnce else { continue }
            try read(blocks)
            blocks = []
        }
        try read(blocks)
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
        let collector = makeCollector(model, family, roles)
        collectors.append(collector)
        requests.append(
            SampleRequest(
                start: family.isDelta ? reading.range.start.nanoseconds : range.start.nanoseconds, end: end,
                needs: collector.needs))
        return slots[model.number]
    }

    // MARK: Parts

    /// Adds the blocks of a part that may have wanted points.
    private mutating func addBlocks(of handle: PartHandle, to blocks: inout [SampleBlock]) throws(QueryError) {
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
            blocks.append(SampleBlock(handle: handle, block: block, slotOfCode: slotOfCode))
        }
    }

    private func read(_ blocks: [SampleBlock]) throws(QueryError) {
        let loader = SampleLoader(table: reading.table, context: reading.context, requests: requests)
        let work = OrderedWork(count: blocks.count, on: pool) { try loader.load(blocks[$0]) }
        try SourceErrors.mapping {
            try work.run(window: 3 * pool.threadCount) { loaded in
                try reading.context.proceed()
                guard let loaded else { return true }
                try reading.context.charge(bytes: append(loaded))
                return true
            }
        }
    }

    /// - Returns: the bytes that samples took.
    private func append(_ loaded: LoadedSamples) -> Int {
        var bytes = 0
        for run in loaded.runs {
            let collector = collectors[Int(run.slot)]
            collector.append(run.rows, loaded.points)
            bytes += run.rows.count * collector.bytesPerPoint
            reading.context.statistics.rowsMatched.add(run.rows.count, ordering: .relaxed)
        }
        return bytes
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
            let slot = slotOfCode[Int(codes[row])]
            guard slot >= 0 else { continue }
            let time = points.times[row]
            guard time >= requests[Int(slot)].start, time <= end else { continue }
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
