internal import Columns
internal import Core
internal import QueryModel
private import Synchronization
internal import Telemetry

/// The resources and scopes that a query has met, each decoded once.
final class SpanIdentities: Sendable {
    private let resources = Mutex<[[UInt8]: TelemetryResource]>([:])
    private let scopes = Mutex<[[UInt8]: TelemetryScope]>([:])

    func resource(_ bytes: UnsafeRawBufferPointer) -> TelemetryResource {
        let key = Array(bytes)
        return resources.withLock { known in
            if let resource = known[key] { return resource }
            let message = IdentityMessage(resource: bytes)
            var name: String?
            if case .string(let text)? = message.attributes.last(where: { $0.key == "service.name" })?.value {
                name = text
            }
            let resource = TelemetryResource(
                serviceName: name, attributes: message.attributes,
                droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL)
            known[key] = resource
            return resource
        }
    }

    func scope(_ bytes: UnsafeRawBufferPointer) -> TelemetryScope {
        let key = Array(bytes)
        return scopes.withLock { known in
            if let scope = known[key] { return scope }
            let message = IdentityMessage(scope: bytes)
            let scope = TelemetryScope(
                name: message.name, version: message.version, attributes: message.attributes,
                droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL)
            known[key] = scope
            return scope
        }
    }
}

/// One row of `otel_traces`.
struct SpanRow {
    let table: SpanTable
    let batch: ColumnBatch
    let row: Int

    func span(_ identities: SpanIdentities) -> TraceSpan {
        var span = TraceSpan(
            resource: identities.resource(batch[table.resource].bytes(row)),
            scope: identities.scope(batch[table.scope].bytes(row)))
        span.traceID = batch[table.traceID].traceID(row)
        span.spanID = batch[table.spanID].spanID(row)
        span.parentSpanID = batch[table.parentSpanID].spanID(row)
        span.traceState = batch[table.traceState].string(row)
        span.name = batch[table.spanName].string(row)
        span.kind = Int32(truncatingIfNeeded: batch[table.kind][row])
        let start = batch[table.startTime][row]
        span.start = Timestamp(nanoseconds: start)
        span.end = Timestamp(nanoseconds: start &+ batch[table.duration][row])
        span.attributes = batch[table.attributes].attributes(row)
        span.droppedAttributesCount = count(table.droppedAttributes)
        span.events = events(start)
        span.droppedEventsCount = count(table.droppedEvents)
        span.links = links()
        span.droppedLinksCount = count(table.droppedLinks)
        span.statusCode = Int32(truncatingIfNeeded: batch[table.statusCode][row])
        span.statusMessage = batch[table.statusMessage].string(row)
        span.flags = count(table.flags)
        return span
    }

    private func count(_ column: ColumnHandle<Int64>) -> UInt32 {
        UInt32(truncatingIfNeeded: batch[column][row])
    }

    private func events(_ start: Int64) -> [TraceSpan.Event] {
        let nested = batch[table.events]
        guard case .integers(let offsets) = nested.fields[SpanTable.EventField.timeOffset],
            case .strings(let names) = nested.fields[SpanTable.EventField.name],
            case .attributes(let attributes) = nested.fields[SpanTable.EventField.attributes],
            case .integers(let dropped) = nested.fields[SpanTable.EventField.dropped]
        else { return [] }
        return nested.range(row).map { event in
            TraceSpan.Event(
                time: Timestamp(nanoseconds: start &+ offsets[event]), name: names.string(event),
                attributes: attributes.attributes(event),
                droppedAttributesCount: UInt32(truncatingIfNeeded: dropped[event]))
        }
    }

    private func links() -> [TraceSpan.Link] {
        let nested = batch[table.links]
        guard case .fixed(let traceIDs) = nested.fields[SpanTable.LinkField.traceID],
            case .fixed(let spanIDs) = nested.fields[SpanTable.LinkField.spanID],
            case .strings(let states) = nested.fields[SpanTable.LinkField.traceState],
            case .attributes(let attributes) = nested.fields[SpanTable.LinkField.attributes],
            case .integers(let dropped) = nested.fields[SpanTable.LinkField.dropped],
            case .integers(let flags) = nested.fields[SpanTable.LinkField.flags]
        else { return [] }
        return nested.range(row).map { link in
            TraceSpan.Link(
                traceID: traceIDs.traceID(link), spanID: spanIDs.spanID(link),
                traceState: states.string(link), attributes: attributes.attributes(link),
                droppedAttributesCount: UInt32(truncatingIfNeeded: dropped[link]),
                flags: UInt32(truncatingIfNeeded: flags[link]))
        }
    }
}
