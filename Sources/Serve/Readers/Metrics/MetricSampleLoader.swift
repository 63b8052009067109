internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import Scheduling
internal import Storage
internal import Synchronization
internal import Telemetry

/// What a collector wants of a stream's points.
struct SampleRequest {
    var start: Int64
    /// The last timestamp.
    var end: Int64
    var needs: PointNeeds
}

/// A block to be read.
struct SampleBlock {
    /// Not the part itself: of many parts few are open at a time.
    let handle: PartHandle
    let block: Int
    /// By code of the part's series: the place of the collector, or a negative number.
    let slotOfCode: [Int32]
}

/// Rows that follow each other and belong to one wanted stream.
struct SampleRun {
    var slot: Int32
    var rows: Range<Int>
}

/// What a block has for collectors.
struct LoadedSamples {
    let runs: [SampleRun]
    let points: PointColumns
    /// The memory of the columns.
    let lease: MemoryLease
}

/// Reads the wanted points of blocks, on any thread.
struct SampleLoader {
    private let loader: PointLoader
    /// By collector.
    private let requests: [SampleRequest]

    init(table: MetricTable, context: QueryContext, requests: [SampleRequest]) {
        loader = PointLoader(table: table, context: context)
        self.requests = requests
    }

    /// All that is wanted of a block is read before collectors get any of it.
    ///
    /// - Returns: nil if the block has no wanted points, or is damaged, and left out with a warning.
    func load(_ wanted: SampleBlock) throws -> LoadedSamples? {
        let context = loader.context
        try context.check()
        guard let part = try context.reading(wanted.handle, { try wanted.handle.part() }) else { return nil }
        let loaded = try context.reading(wanted.handle, block: wanted.block) {
            try load(part, wanted.block, wanted.slotOfCode)
        }
        guard let (runs, points) = loaded ?? nil else { return nil }
        let lease = MemoryLease(context)
        try lease.extend(bytes: points.byteCount)
        return LoadedSamples(runs: runs, points: points, lease: lease)
    }

    private func load(
        _ part: Part, _ block: Int, _ slotOfCode: [Int32]
    ) throws(PartError) -> ([SampleRun], PointColumns)? {
        let statistics = loader.context.statistics
        let codes = try loader.seriesCodes(part, block)
        statistics.blocksRead.add(1, ordering: .relaxed)
        statistics.rowsRead.add(codes.count, ordering: .relaxed)
        var runs = Self.runs(codes, slotOfCode)
        guard !runs.isEmpty else { return nil }
        let times = try loader.integers(part, loader.table.time.ordinal, block)
        var needs: PointNeeds = []
        for index in runs.indices {
            let request = requests[Int(runs[index].slot)]
            runs[index].rows = Self.cut(runs[index].rows, times, request)
            if !runs[index].rows.isEmpty { needs.formUnion(request.needs) }
        }
        runs.removeAll { $0.rows.isEmpty }
        guard !runs.isEmpty else { return nil }
        return (runs, try loader.load(part, block, times: times, needs))
    }

    /// Rows that follow each other and belong to one wanted stream.
    private static func runs(
        _ codes: Buffer<UInt32>, _ slotOfCode: [Int32]
    ) -> [SampleRun] {
        var runs: [SampleRun] = []
        var begin = 0
        while begin < codes.count {
            let end = codes.endOfRun(from: begin)
            let slot = slotOfCode[Int(codes[begin])]
            if slot >= 0 { runs.append(SampleRun(slot: slot, rows: begin..<end)) }
            begin = end
        }
        return runs
    }

    /// The rows of a run, which ascend in time, that lie between the request's timestamps.
    private static func cut(_ rows: Range<Int>, _ times: Buffer<Int64>, _ request: SampleRequest) -> Range<Int> {
        let first = partition(rows, times) { $0 >= request.start }
        let last = partition(first..<rows.upperBound, times) { $0 > request.end }
        return first..<last
    }

    /// The first row whose time is in the second half.
    static func partition(
        _ rows: Range<Int>, _ times: Buffer<Int64>, _ isInSecondHalf: (Int64) -> Bool
    ) -> Int {
        guard let last = rows.last else { return rows.upperBound }
        if isInSecondHalf(times[rows.lowerBound]) { return rows.lowerBound }
        if !isInSecondHalf(times[last]) { return rows.upperBound }
        var low = rows.lowerBound
        var high = last
        while low < high {
            let middle = (low + high) / 2
            if isInSecondHalf(times[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
