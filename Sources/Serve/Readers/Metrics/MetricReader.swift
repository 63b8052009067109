internal import Columns
package import Core
internal import Observability
internal import Parts
package import QueryModel
package import Scheduling
package import Storage
package import Telemetry

/// Metrics as Prometheus sees them (rules T-1 to T-12), read from `otel_metrics`.
///
/// 1. Streams are translated once: a `SeriesDirectory` keeps, by a stream's identity, its labels and an index of them, and for each
///    part what the codes of its series column mean. Matchers are asked of the index, never about rows.
/// 2. A part's rows are ordered by metric, stream and time. Blocks whose codes or times lie elsewhere are not read; of the others
///    the series column gives runs of rows, binary search cuts the runs to the range, and only then are values read.
/// 3. Each stream has a collector, which takes runs and makes the samples of its series; equal label sets are merged at the end.
package struct MetricReader: SeriesSource {
    let table: MetricTable
    let metrics: any SnapshotSource
    let translation: SeriesModelBuilder
    private let directories: SeriesDirectories
    let pool: QueryPool

    /// - Parameters:
    ///   - directoryBytes: how much memory streams, with the index of their labels, may take of all tenants together.
    ///   - pool: the threads that read samples.
    package init(
        table: MetricTable, metrics: any SnapshotSource,
        translation: MetricTranslation = MetricTranslation(), directoryBytes: Int = 256 << 20,
        pool: QueryPool = .shared
    ) {
        self.pool = pool
        self.table = table
        self.metrics = metrics
        self.translation = SeriesModelBuilder(translation: translation)
        directories = SeriesDirectories(translation: translation, limit: directoryBytes)
    }

    /// Bytes of memory that streams and the index of their labels take, about.
    package var indexByteCount: Int { directories.byteCount }

    package func series(
        matching matchers: [LabelMatcher], in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [SampleSeries] {
        guard !range.isEmpty else { return [] }
        context.statistics.note(plan: "samples of \(matchers.text)")
        let selection = SeriesSelection(matchers)
        let reading = reading(in: range, forDeltas: true, context: context)
        let shared = CollectionContext(directory: reading.directory, range: range, selection: selection)
        var scan = SampleScan(reading, selection, range: range, pool: pool) { shared.collector($0, $1, $2) }
        var output = SeriesOutput()
        try scan.collect(into: &output)
        if selection.acceptsName(MetricTargets.name) {
            try MetricTargets(reading.narrowed(to: range)).collect(selection, in: range, into: &output)
        }
        return output.series()
    }

    /// What a call reads.
    ///
    /// - Parameter forDeltas: whether points from the beginning of the day on are wanted; see `DeltaRestarts`.
    func reading(in range: TimeRange, forDeltas: Bool, context: QueryContext) -> MetricReading {
        var wide = range
        if forDeltas {
            let start = DeltaRestarts.start(ofDay: range.start.nanoseconds)
            wide.start = Timestamp(nanoseconds: start)
        }
        return MetricReading(
            table: table, snapshot: metrics.snapshot(context.tenant, in: wide), range: wide,
            directory: directories.directory(of: context.tenant), context: context)
    }
}

/// A snapshot with the streams in it.
struct MetricReading {
    let table: MetricTable
    let snapshot: TableSnapshot
    /// What the snapshot may have rows of.
    let range: TimeRange
    let directory: SeriesDirectory
    let context: QueryContext

    /// Without the parts that lie outside of `range`.
    func narrowed(to range: TimeRange) -> MetricReading {
        let parts = snapshot.parts.filter {
            range.overlaps(
                first: Timestamp(nanoseconds: $0.record.leastTime),
                last: Timestamp(nanoseconds: $0.record.greatestTime))
        }
        return MetricReading(
            table: table, snapshot: TableSnapshot(table: snapshot.table, memory: snapshot.memory, parts: parts),
            range: range, directory: directory, context: context)
    }

    /// The parts that can be opened, oldest first; the answer has a warning for each of the others.
    var parts: [PartHandle] {
        let usable = snapshot.parts.filter { handle in
            // What may be over soon fails where the part is read.
            do { return try context.reading(handle) { try handle.part() } != nil } catch { return true }
        }
        return usable.sorted {
            ($0.record.leastTime, $0.record.id) < ($1.record.leastTime, $1.record.id)
        }
    }

    var memory: [ColumnBatch] { snapshot.memory.filter { $0.rowCount > 0 } }

    /// Opens a part and its table of streams; nil if it is damaged, and left out with a warning.
    func open(_ handle: PartHandle) throws(QueryError) -> (part: Part, series: PartSeries)? {
        try context.proceed()
        let part: Part
        do throws(StorageError) { part = try handle.part() } catch {
            guard case .part(_, let error) = error else { throw .storage(error.description) }
            try leaveOut(handle, error)
            return nil
        }
        return try reading(handle) { () throws(PartError) in
            (part, try directory.series(of: handle, part, table: table))
        }
    }

    /// Runs what reads a part, or one of its blocks; what is damaged is left out with a warning.
    ///
    /// - Returns: nil if it is left out.
    func reading<Result>(
        _ handle: PartHandle, block: Int? = nil, _ body: () throws(PartError) -> Result
    ) throws(QueryError) -> Result? {
        do throws(PartError) {
            return try body()
        } catch {
            try leaveOut(handle, block: block, error)
            return nil
        }
    }

    private func leaveOut(_ handle: PartHandle, block: Int? = nil, _ error: PartError) throws(QueryError) {
        guard let warning = handle.leaveOut(error, block: block) else {
            throw .storage(StorageError.part(path: handle.path, error).description)
        }
        context.statistics.warn(warning)
    }
}
