package import Columns
package import Core
package import TableSchema

/// The columns of `otel_logs`, bound.
package struct LogTable: Sendable {
    package let definition: TableDefinition
    package let time, timeSource, observedDelay, severityNumber, bodyType, flags: ColumnHandle<Int64>
    package let droppedAttributes: ColumnHandle<Int64>
    package let serviceName, resource, scope, severityText, eventName, body: ColumnHandle<StringColumn>
    package let traceID, spanID: ColumnHandle<FixedColumn>
    package let attributes: ColumnHandle<AttributesColumn>

    /// Where a record's `time` comes from.
    package enum TimeSource {
        package static let record: Int64 = 0
        package static let observed: Int64 = 1
        package static let receipt: Int64 = 2
    }

    /// `observed_delay` of a record without an observed time.
    package static let notObserved = Int64.min

    package init(_ table: TableDefinition) throws(BindingError) {
        definition = table
        time = try table.integers("time")
        timeSource = try table.integers("time_source")
        observedDelay = try table.integers("observed_delay")
        severityNumber = try table.integers("severity_number")
        bodyType = try table.integers("body_type")
        flags = try table.integers("flags")
        droppedAttributes = try table.integers("dropped_attributes_count")
        serviceName = try table.strings("service_name")
        resource = try table.strings("resource")
        scope = try table.strings("scope")
        severityText = try table.strings("severity_text")
        eventName = try table.strings("event_name")
        body = try table.strings("body")
        traceID = try table.fixed("trace_id", width: 16)
        spanID = try table.fixed("span_id", width: 8)
        attributes = try table.attributes("attributes")
    }
}

/// Grows rows of `otel_logs`.
package struct LogBuilder: BatchBuilder, IdentityColumns, ~Copyable {
    private let table: LogTable
    package var times = BufferBuilder<Int64>()
    package var timeSources = BufferBuilder<Int64>()
    package var observedDelays = BufferBuilder<Int64>()
    package var severityNumbers = BufferBuilder<Int64>()
    package var bodyTypes = BufferBuilder<Int64>()
    package var flags = BufferBuilder<Int64>()
    package var droppedAttributes = BufferBuilder<Int64>()
    package var serviceNames = StringColumnBuilder(.unique)
    package var resources = StringColumnBuilder(.unique)
    package var scopes = StringColumnBuilder(.unique)
    package var severityTexts = StringColumnBuilder(.adaptive)
    package var eventNames = StringColumnBuilder(.adaptive)
    package var bodies = StringColumnBuilder(.adaptive)
    package var traceIDs = BufferBuilder<UInt8>()
    package var spanIDs = BufferBuilder<UInt8>()
    package var attributes = AttributesBuilder()
    /// Reused between requests.
    package var scratch = ProtobufWriter()

    package init(_ table: LogTable) { self.table = table }

    package var rowCount: Int { times.count }

    @inline(__always)
    package var itemCount: Int { times.count }

    package var byteCount: Int {
        rowCount * (7 * 8 + 24) + serviceNames.byteCount + resources.byteCount + scopes.byteCount
            + severityTexts.byteCount + eventNames.byteCount + bodies.byteCount + attributes.byteCount
    }

    package func times(from row: Int) -> ClosedRange<Int64>? { times.bounds(from: row) }

    package mutating func truncate(to rows: Int) {
        times.truncate(to: rows)
        timeSources.truncate(to: rows)
        observedDelays.truncate(to: rows)
        severityNumbers.truncate(to: rows)
        bodyTypes.truncate(to: rows)
        flags.truncate(to: rows)
        droppedAttributes.truncate(to: rows)
        serviceNames.truncate(to: rows)
        resources.truncate(to: rows)
        scopes.truncate(to: rows)
        severityTexts.truncate(to: rows)
        eventNames.truncate(to: rows)
        bodies.truncate(to: rows)
        traceIDs.truncate(to: rows * 16)
        spanIDs.truncate(to: rows * 8)
        attributes.truncate(to: rows)
    }

    package func snapshot(rows: Int) -> ColumnBatch {
        var batch = ColumnBatch(
            rowCount: rows, columns: Array(repeating: nil, count: table.definition.columns.count))
        batch.columns[table.time.ordinal] = times.column(rows)
        batch.columns[table.timeSource.ordinal] = timeSources.column(rows)
        batch.columns[table.observedDelay.ordinal] = observedDelays.column(rows)
        batch.columns[table.severityNumber.ordinal] = severityNumbers.column(rows)
        batch.columns[table.bodyType.ordinal] = bodyTypes.column(rows)
        batch.columns[table.flags.ordinal] = flags.column(rows)
        batch.columns[table.droppedAttributes.ordinal] = droppedAttributes.column(rows)
        batch.columns[table.serviceName.ordinal] = .strings(serviceNames.snapshot(rows: rows))
        batch.columns[table.resource.ordinal] = .strings(resources.snapshot(rows: rows))
        batch.columns[table.scope.ordinal] = .strings(scopes.snapshot(rows: rows))
        batch.columns[table.severityText.ordinal] = .strings(severityTexts.snapshot(rows: rows))
        batch.columns[table.eventName.ordinal] = .strings(eventNames.snapshot(rows: rows))
        batch.columns[table.body.ordinal] = .strings(bodies.snapshot(rows: rows))
        batch.columns[table.traceID.ordinal] = traceIDs.fixed(rows, width: 16)
        batch.columns[table.spanID.ordinal] = spanIDs.fixed(rows, width: 8)
        batch.columns[table.attributes.ordinal] = .attributes(attributes.snapshot(rows: rows))
        return batch
    }
}
