internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// Makes outlines of the rows of one batch of `otel_traces`, of which few columns were read.
struct SpanOutlineRows: Sendable {
    private let starts, durations, statuses: Buffer<Int64>
    private let traceIDs, spanIDs, parents: FixedColumn
    private let services, names: StringColumn

    static func columns(_ table: SpanTable) -> [Int] {
        [
            table.startTime.ordinal, table.duration.ordinal, table.statusCode.ordinal, table.traceID.ordinal,
            table.spanID.ordinal, table.parentSpanID.ordinal, table.serviceName.ordinal, table.spanName.ordinal,
        ]
    }

    /// What outlines with their strings take, about.
    static func footprint(_ count: Int) -> Int { count * 128 }

    init(_ batch: ColumnBatch, _ table: SpanTable) {
        starts = batch[table.startTime]
        durations = batch[table.duration]
        statuses = batch[table.statusCode]
        traceIDs = batch[table.traceID]
        spanIDs = batch[table.spanID]
        parents = batch[table.parentSpanID]
        services = batch[table.serviceName]
        names = batch[table.spanName]
    }

    func traceID(_ row: Int) -> TraceID { traceIDs.traceID(row) }

    func outline(_ row: Int) -> SpanOutline {
        SpanOutline(
            spanID: spanIDs.spanID(row), parentSpanID: parents.spanID(row), serviceName: services.string(row),
            name: names.string(row), start: Timestamp(nanoseconds: starts[row]),
            end: Timestamp(nanoseconds: starts[row] &+ durations[row]),
            statusCode: Int32(truncatingIfNeeded: statuses[row]))
    }
}
