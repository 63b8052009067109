internal import Core
import JSON
import QueryModel

/// `resourceSpans` and `resourceLogs`.
extension OTLPJSONWriter {
    /// Writes the array that is `resourceSpans`.
    mutating func resourceSpans(_ spans: [TraceSpan]) throws(QueryError) {
        try grouped(spans, scopesKey: "scopeSpans", itemsKey: "spans", origin: { ($0.resource, $0.scope) }) {
            (writer, spans) throws(QueryError) in
            for span in spans {
                writer.span(span)
                try writer.countText()
            }
        }
    }

    /// Writes the array that is `resourceLogs`.
    mutating func resourceLogs(_ records: [LogRecord]) throws(QueryError) {
        try grouped(records, scopesKey: "scopeLogs", itemsKey: "logRecords", origin: { ($0.resource, $0.scope) }) {
            (writer, records) throws(QueryError) in
            for record in records {
                writer.logRecord(record)
                try writer.countText()
            }
        }
    }

    private mutating func span(_ span: TraceSpan) {
        json.beginObject()
        json.key("traceId")
        json.string(span.traceID.hex)
        json.key("spanId")
        json.string(span.spanID.hex)
        text("traceState", span.traceState)
        id("parentSpanId", span.parentSpanID)
        count("flags", span.flags)
        json.key("name")
        json.string(span.name)
        json.key("kind")
        json.int(Int64(span.kind))
        time("startTimeUnixNano", span.start)
        time("endTimeUnixNano", span.end)
        attributes(span.attributes)
        count("droppedAttributesCount", span.droppedAttributesCount)
        if !span.events.isEmpty { events(span.events) }
        count("droppedEventsCount", span.droppedEventsCount)
        if !span.links.isEmpty { links(span.links) }
        count("droppedLinksCount", span.droppedLinksCount)
        json.key("status")
        json.beginObject()
        text("message", span.statusMessage)
        if span.statusCode != 0 {
            json.key("code")
            json.int(Int64(span.statusCode))
        }
        json.endObject()
        json.endObject()
    }

    private mutating func events(_ events: [TraceSpan.Event]) {
        json.key("events")
        json.beginArray()
        for event in events {
            json.beginObject()
            time("timeUnixNano", event.time)
            json.key("name")
            json.string(event.name)
            if !event.attributes.isEmpty { attributes(event.attributes) }
            count("droppedAttributesCount", event.droppedAttributesCount)
            json.endObject()
        }
        json.endArray()
    }

    private mutating func links(_ links: [TraceSpan.Link]) {
        json.key("links")
        json.beginArray()
        for link in links {
            json.beginObject()
            json.key("traceId")
            json.string(link.traceID.hex)
            json.key("spanId")
            json.string(link.spanID.hex)
            text("traceState", link.traceState)
            if !link.attributes.isEmpty { attributes(link.attributes) }
            count("droppedAttributesCount", link.droppedAttributesCount)
            count("flags", link.flags)
            json.endObject()
        }
        json.endArray()
    }

    private mutating func logRecord(_ record: LogRecord) {
        json.beginObject()
        time("timeUnixNano", record.time)
        if record.observedTime.nanoseconds != 0 { time("observedTimeUnixNano", record.observedTime) }
        if record.severityNumber != 0 {
            json.key("severityNumber")
            json.int(Int64(record.severityNumber))
        }
        text("severityText", record.severityText)
        if record.body != .empty {
            json.key("body")
            value(record.body)
        }
        attributes(record.attributes)
        count("droppedAttributesCount", record.droppedAttributesCount)
        count("flags", record.flags)
        id("traceId", record.traceID)
        id("spanId", record.spanID)
        text("eventName", record.eventName)
        json.endObject()
    }
}
