internal import Columns
internal import Core
internal import Rollups
internal import Storage
internal import Telemetry

/// Rows in memory, to which others are appended.
struct GrowingBatch {
    let rows: ColumnBatch
    let startColumn: Int
    /// The same object as long as the batch grows; nil if it does not.
    let identity: MemoryIndex?

    /// Whether a row starts in a range.
    func hasSpans(in range: TimeRange) -> Bool {
        let times = range.start.nanoseconds..<range.end.nanoseconds
        return starts.contains { times.contains($0) }
    }

    var starts: Buffer<Int64> {
        guard case .integers(let starts)? = rows.columns[startColumn] else {
            preconditionFailure("rows in memory are whole")
        }
        return starts
    }
}

/// The graph of one hour's spans in a batch that grows: each row is joined once, when the graph is asked for after it has come.
struct HourTail {
    let join: JoinAggregator
    private let identity: MemoryIndex?
    /// How many rows of the batch were looked at, and which of those may be parents.
    private var count = 0
    private(set) var parents: [UInt32] = []

    init(_ batch: GrowingBatch, _ join: JoinAggregator) {
        identity = batch.identity
        self.join = join
    }

    func isOf(_ batch: GrowingBatch) -> Bool { identity != nil && identity === batch.identity }

    /// Takes the rows that have come since it did last.
    ///
    /// - Returns: those of the hour, and those that may be parents.
    mutating func takeNew(_ batch: GrowingBatch, of hour: TimeRange, parents range: TimeRange)
        -> (own: [UInt32], parents: [UInt32])
    {
        let starts = batch.starts
        let (own, any) = (
            hour.start.nanoseconds..<hour.end.nanoseconds, range.start.nanoseconds..<range.end.nanoseconds
        )
        let new = count..<max(count, batch.rows.rowCount)
        count = new.upperBound
        let known = parents.count
        parents += new.lazy.filter { any.contains(starts[$0]) }.map { UInt32($0) }
        return (new.filter { own.contains(starts[$0]) }.map { UInt32($0) }, Array(parents[known...]))
    }
}
