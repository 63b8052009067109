package import Columns
package import Core
internal import TableSchema

/// Grows rows of `otel_traces`. A decoder appends to every column of a row, the attributes, events and links first, and calls
/// `finishRow` at its end.
package struct SpanBuilder: BatchBuilder, IdentityColumns, ~Copyable {
    package struct Events: ~Copyable {
        package var ends = BufferBuilder<UInt32>.offsets()
        /// The event's own time until the row is finished, then its distance from the span's start.
        package var times = BufferBuilder<Int64>()
        package var names = StringColumnBuilder(.adaptive)
        package var attributes = AttributesBuilder()
        package var dropped = BufferBuilder<Int64>()
    }

    package struct Links: ~Copyable {
        package var ends = BufferBuilder<UInt32>.offsets()
        package var traceIDs = BufferBuilder<UInt8>()
        package var spanIDs = BufferBuilder<UInt8>()
        package var traceStates = StringColumnBuilder(.adaptive)
        package var attributes = AttributesBuilder()
        package var dropped = BufferBuilder<Int64>()
        package var flags = BufferBuilder<Int64>()
    }

    private let table: SpanTable
    package var startTimes = BufferBuilder<Int64>()
    package var durations = BufferBuilder<Int64>()
    package var traceIDs = BufferBuilder<UInt8>()
    package var spanIDs = BufferBuilder<UInt8>()
    package var parentSpanIDs = BufferBuilder<UInt8>()
    package var kinds = BufferBuilder<Int64>()
    package var statusCodes = BufferBuilder<Int64>()
    package var flags = BufferBuilder<Int64>()
    package var droppedAttributes = BufferBuilder<Int64>()
    package var droppedEvents = BufferBuilder<Int64>()
    package var droppedLinks = BufferBuilder<Int64>()
    package var serviceNames = StringColumnBuilder(.unique)
    package var spanNames = StringColumnBuilder(.adaptive)
    package var statusMessages = StringColumnBuilder(.adaptive)
    package var traceStates = StringColumnBuilder(.adaptive)
    package var resources = StringColumnBuilder(.unique)
    package var scopes = StringColumnBuilder(.unique)
    package var attributes = AttributesBuilder()
    package var events = Events()
    package var links = Links()
    /// Reused between requests.
    package var scratch = ProtobufWriter()

    package init(_ table: SpanTable) { self.table = table }

    package var rowCount: Int { startTimes.count }

    @inline(__always)
    package var itemCount: Int { startTimes.count &+ events.times.count &+ links.flags.count }

    /// Ends the row's lists of events and links, whose rows were appended before.
    @inline(__always)
    package mutating func finishRow(start: Int64, end: Int64) {
        var event = Int(events.ends.base[events.ends.count - 1])
        while event < events.times.count {
            events.times.base[event] &-= start
            event += 1
        }
        events.ends.append(UInt32(truncatingIfNeeded: events.times.count))
        links.ends.append(UInt32(truncatingIfNeeded: links.flags.count))
        durations.append(end &- start)
        startTimes.append(start)
    }

    package var byteCount: Int {
        rowCount * (8 * 8 + 32 + 8) + serviceNames.byteCount + spanNames.byteCount + statusMessages.byteCount
            + traceStates.byteCount + resources.byteCount + scopes.byteCount + attributes.byteCount
            + events.times.count * 16 + events.names.byteCount + events.attributes.byteCount
            + links.flags.count * 40 + links.traceStates.byteCount + links.attributes.byteCount
    }

    package func times(from row: Int) -> ClosedRange<Int64>? { startTimes.bounds(from: row) }

    package mutating func truncate(to rows: Int) {
        startTimes.truncate(to: rows)
        durations.truncate(to: rows)
        traceIDs.truncate(to: rows * 16)
        spanIDs.truncate(to: rows * 8)
        parentSpanIDs.truncate(to: rows * 8)
        kinds.truncate(to: rows)
        statusCodes.truncate(to: rows)
        flags.truncate(to: rows)
        droppedAttributes.truncate(to: rows)
        droppedEvents.truncate(to: rows)
        droppedLinks.truncate(to: rows)
        serviceNames.truncate(to: rows)
        spanNames.truncate(to: rows)
        statusMessages.truncate(to: rows)
        traceStates.truncate(to: rows)
        resources.truncate(to: rows)
        scopes.truncate(to: rows)
        attributes.truncate(to: rows)
        truncateEvents(rows)
        truncateLinks(rows)
    }

    private mutating func truncateEvents(_ rows: Int) {
        events.ends.truncate(to: rows + 1)
        let count = Int(events.ends[rows])
        events.times.truncate(to: count)
        events.names.truncate(to: count)
        events.attributes.truncate(to: count)
        events.dropped.truncate(to: count)
    }

    private mutating func truncateLinks(_ rows: Int) {
        links.ends.truncate(to: rows + 1)
        let count = Int(links.ends[rows])
        links.traceIDs.truncate(to: count * 16)
        links.spanIDs.truncate(to: count * 8)
        links.traceStates.truncate(to: count)
        links.attributes.truncate(to: count)
        links.dropped.truncate(to: count)
        links.flags.truncate(to: count)
    }

    package func snapshot(rows: Int) -> ColumnBatch {
        var batch = ColumnBatch(
            rowCount: rows, columns: Array(repeating: nil, count: table.definition.columns.count))
        batch.columns[table.startTime.ordinal] = startTimes.column(rows)
        batch.columns[table.duration.ordinal] = durations.column(rows)
        batch.columns[table.traceID.ordinal] = traceIDs.fixed(rows, width: 16)
        batch.columns[table.spanID.ordinal] = spanIDs.fixed(rows, width: 8)
        batch.columns[table.parentSpanID.ordinal] = parentSpanIDs.fixed(rows, width: 8)
        batch.columns[table.kind.ordinal] = kinds.column(rows)
        batch.columns[table.statusCode.ordinal] = statusCodes.column(rows)
        batch.columns[table.flags.ordinal] = flags.column(rows)
        batch.columns[table.droppedAttributes.ordinal] = droppedAttributes.column(rows)
        batch.columns[table.droppedEvents.ordinal] = droppedEvents.column(rows)
        batch.columns[table.droppedLinks.ordinal] = droppedLinks.column(rows)
        batch.columns[table.serviceName.ordinal] = .strings(serviceNames.snapshot(rows: rows))
        batch.columns[table.spanName.ordinal] = .strings(spanNames.snapshot(rows: rows))
        batch.columns[table.statusMessage.ordinal] = .strings(statusMessages.snapshot(rows: rows))
        batch.columns[table.traceState.ordinal] = .strings(traceStates.snapshot(rows: rows))
        batch.columns[table.resource.ordinal] = .strings(resources.snapshot(rows: rows))
        batch.columns[table.scope.ordinal] = .strings(scopes.snapshot(rows: rows))
        batch.columns[table.attributes.ordinal] = .attributes(attributes.snapshot(rows: rows))
        let eventCount = Int(events.ends[rows])
        batch.columns[table.events.ordinal] = .nested(
            NestedColumn(
                offsets: events.ends.snapshot()[0..<(rows + 1)],
                fields: [
                    events.times.column(eventCount),
                    .strings(events.names.snapshot(rows: eventCount)),
                    .attributes(events.attributes.snapshot(rows: eventCount)),
                    events.dropped.column(eventCount),
                ]))
        let linkCount = Int(links.ends[rows])
        batch.columns[table.links.ordinal] = .nested(
            NestedColumn(
                offsets: links.ends.snapshot()[0..<(rows + 1)],
                fields: [
                    links.traceIDs.fixed(linkCount, width: 16),
                    links.spanIDs.fixed(linkCount, width: 8),
                    .strings(links.traceStates.snapshot(rows: linkCount)),
                    .attributes(links.attributes.snapshot(rows: linkCount)),
                    links.dropped.column(linkCount),
                    links.flags.column(linkCount),
                ]))
        return batch
    }
}
