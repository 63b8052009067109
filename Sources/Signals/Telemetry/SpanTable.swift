package import Columns
package import TableSchema

/// The columns of `otel_traces`, bound.
package struct SpanTable: Sendable {
    package let definition: TableDefinition
    package let startTime, duration, kind, statusCode, flags: ColumnHandle<Int64>
    package let droppedAttributes, droppedEvents, droppedLinks: ColumnHandle<Int64>
    package let traceID, spanID, parentSpanID: ColumnHandle<FixedColumn>
    package let serviceName, spanName, statusMessage, traceState, resource, scope: ColumnHandle<StringColumn>
    package let attributes: ColumnHandle<AttributesColumn>
    package let events, links: ColumnHandle<NestedColumn>

    /// The places of the fields inside `events`.
    package enum EventField { package static let timeOffset = 0, name = 1, attributes = 2, dropped = 3 }
    /// The places of the fields inside `links`.
    package enum LinkField {
        package static let traceID = 0, spanID = 1, traceState = 2, attributes = 3, dropped = 4, flags = 5
    }

    package init(_ table: TableDefinition) throws(BindingError) {
        definition = table
        startTime = try table.integers("start_time")
        duration = try table.integers("duration")
        kind = try table.integers("span_kind")
        statusCode = try table.integers("status_code")
        flags = try table.integers("flags")
        droppedAttributes = try table.integers("dropped_attributes_count")
        droppedEvents = try table.integers("dropped_events_count")
        droppedLinks = try table.integers("dropped_links_count")
        traceID = try table.fixed("trace_id", width: 16)
        spanID = try table.fixed("span_id", width: 8)
        parentSpanID = try table.fixed("parent_span_id", width: 8)
        serviceName = try table.strings("service_name")
        spanName = try table.strings("span_name")
        statusMessage = try table.strings("status_message")
        traceState = try table.strings("trace_state")
        resource = try table.strings("resource")
        scope = try table.strings("scope")
        attributes = try table.attributes("attributes")
        events = try table.nested(
            "events", ["time_offset", "name", "attributes", "dropped_attributes_count"])
        links = try table.nested(
            "links",
            ["trace_id", "span_id", "trace_state", "attributes", "dropped_attributes_count", "flags"])
    }
}
