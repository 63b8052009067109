internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// The resources and scopes that a query has met, each decoded once.
final class SpanIdentities: Sendable {
    private let resources = ByteMemo<TelemetryResource>()
    private let scopes = ByteMemo<TelemetryScope>()

    func resource(_ bytes: Span<UInt8>) -> TelemetryResource {
        resources.value(of: bytes) {
            let message = IdentityMessage(resource: bytes)
            var name: String?
            if case .string(let text)? = message.attributes.last(where: { $0.key == "service.name" })?.value {
                name = text
            }
            return TelemetryResource(
                serviceName: name, attributes: message.attributes,
                droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL,
                entities: message.entities)
        }
    }

    func scope(_ bytes: Span<UInt8>) -> TelemetryScope {
        scopes.value(of: bytes) {
            let message = IdentityMessage(scope: bytes)
            return TelemetryScope(
                name: message.name, version: message.version, attributes: message.attributes,
                droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL)
        }
    }
}

/// Makes spans of the rows of one batch of `otel_traces`.
struct SpanRows {
    private let batch: ColumnBatch
    private let table: SpanTable
    private let identities: SpanIdentities
    private let starts, durations, kinds, statuses, flags, droppedAttributes, droppedEvents, droppedLinks: Buffer<Int64>
    private let traceIDs, spanIDs, parents: FixedColumn
    private let names, messages, states, resources, scopes: StringColumn
    private var attributes: AttributeRows
    private var events: EventRows?
    private var links: LinkRows?
    /// Of the last row: the next one mostly has the same.
    private var lastResource: (code: UInt32, resource: TelemetryResource)?
    private var lastScope: (code: UInt32, scope: TelemetryScope)?

    init(_ batch: ColumnBatch, _ table: SpanTable, _ identities: SpanIdentities) {
        self.batch = batch
        self.table = table
        self.identities = identities
        starts = batch[table.startTime]
        durations = batch[table.duration]
        kinds = batch[table.kind]
        statuses = batch[table.statusCode]
        flags = batch[table.flags]
        droppedAttributes = batch[table.droppedAttributes]
        droppedEvents = batch[table.droppedEvents]
        droppedLinks = batch[table.droppedLinks]
        traceIDs = batch[table.traceID]
        spanIDs = batch[table.spanID]
        parents = batch[table.parentSpanID]
        names = batch[table.spanName]
        messages = batch[table.statusMessage]
        states = batch[table.traceState]
        resources = batch[table.resource]
        scopes = batch[table.scope]
        attributes = AttributeRows(batch[table.attributes])
        events = EventRows(batch[table.events])
        links = LinkRows(batch[table.links])
    }

    mutating func span(_ row: Int) -> TraceSpan {
        var span = TraceSpan(resource: resource(row), scope: scope(row))
        span.traceID = traceIDs.traceID(row)
        span.spanID = spanIDs.spanID(row)
        span.parentSpanID = parents.spanID(row)
        span.traceState = states.string(row)
        span.name = names.string(row)
        span.kind = Int32(truncatingIfNeeded: kinds[row])
        let start = starts[row]
        span.start = Timestamp(nanoseconds: start)
        span.end = Timestamp(nanoseconds: start &+ durations[row])
        span.attributes = attributes.attributes(row)
        span.droppedAttributesCount = UInt32(truncatingIfNeeded: droppedAttributes[row])
        span.events = events?.events(row, start: start) ?? []
        span.droppedEventsCount = UInt32(truncatingIfNeeded: droppedEvents[row])
        span.links = links?.links(row) ?? []
        span.droppedLinksCount = UInt32(truncatingIfNeeded: droppedLinks[row])
        span.statusCode = Int32(truncatingIfNeeded: statuses[row])
        span.statusMessage = messages.string(row)
        span.flags = UInt32(truncatingIfNeeded: flags[row])
        return span
    }

    private mutating func resource(_ row: Int) -> TelemetryResource {
        let code = resources.codes[row]
        if let lastResource, lastResource.code == code { return lastResource.resource }
        let resource = identities.resource(resources.span(row))
        lastResource = (code, resource)
        return resource
    }

    private mutating func scope(_ row: Int) -> TelemetryScope {
        let code = scopes.codes[row]
        if let lastScope, lastScope.code == code { return lastScope.scope }
        let scope = identities.scope(scopes.span(row))
        lastScope = (code, scope)
        return scope
    }
}

/// Attributes of rows, whose keys become text once for all rows.
struct AttributeRows {
    private let column: AttributesColumn
    private var keys: [String?]

    init(_ column: AttributesColumn) {
        self.column = column
        keys = Array(repeating: nil, count: column.subcolumns.count)
    }

    mutating func attributes(_ row: Int) -> [Attribute] {
        let subcolumns = column.subcolumnsOfShape[Int(column.shapes[row])]
        guard !subcolumns.isEmpty else { return [] }
        let start = Int(column.starts[row])
        var result: [Attribute] = []
        result.reserveCapacity(subcolumns.count)
        for place in subcolumns.indices {
            let number = Int(subcolumns[place])
            let slot = Int(column.slots[start + place])
            if column.subcolumns[number].type == .overflow {
                guard case .strings(let values)? = column.subcolumns[number].values else { continue }
                result += AnyValue.attributes(values.span(slot), field: 1)
                continue
            }
            result.append(Attribute(key: key(number), value: column.subcolumns[number].value(slot)))
        }
        return result
    }

    private mutating func key(_ subcolumn: Int) -> String {
        if let key = keys[subcolumn] { return key }
        let key = String(decoding: column.subcolumns[subcolumn].key, as: UTF8.self)
        keys[subcolumn] = key
        return key
    }
}

private struct EventRows {
    private let column: NestedColumn
    private let offsets, dropped: Buffer<Int64>
    private let names: StringColumn
    private var attributes: AttributeRows

    init?(_ column: NestedColumn) {
        self.column = column
        guard case .integers(let offsets) = column.fields[SpanTable.EventField.timeOffset],
            case .strings(let names) = column.fields[SpanTable.EventField.name],
            case .attributes(let attributes) = column.fields[SpanTable.EventField.attributes],
            case .integers(let dropped) = column.fields[SpanTable.EventField.dropped]
        else { return nil }
        (self.offsets, self.names, self.dropped) = (offsets, names, dropped)
        self.attributes = AttributeRows(attributes)
    }

    mutating func events(_ row: Int, start: Int64) -> [TraceSpan.Event] {
        let range = column.range(row)
        var events: [TraceSpan.Event] = []
        events.reserveCapacity(range.count)
        for event in range {
            events.append(
                TraceSpan.Event(
                    time: Timestamp(nanoseconds: start &+ offsets[event]), name: names.string(event),
                    attributes: attributes.attributes(event),
                    droppedAttributesCount: UInt32(truncatingIfNeeded: dropped[event])))
        }
        return events
    }
}

private struct LinkRows {
    private let column: NestedColumn
    private let traceIDs, spanIDs: FixedColumn
    private let states: StringColumn
    private var attributes: AttributeRows
    private let dropped, flags: Buffer<Int64>

    init?(_ column: NestedColumn) {
        self.column = column
        guard case .fixed(let traceIDs) = column.fields[SpanTable.LinkField.traceID],
            case .fixed(let spanIDs) = column.fields[SpanTable.LinkField.spanID],
            case .strings(let states) = column.fields[SpanTable.LinkField.traceState],
            case .attributes(let attributes) = column.fields[SpanTable.LinkField.attributes],
            case .integers(let dropped) = column.fields[SpanTable.LinkField.dropped],
            case .integers(let flags) = column.fields[SpanTable.LinkField.flags]
        else { return nil }
        (self.traceIDs, self.spanIDs, self.states) = (traceIDs, spanIDs, states)
        (self.dropped, self.flags) = (dropped, flags)
        self.attributes = AttributeRows(attributes)
    }

    mutating func links(_ row: Int) -> [TraceSpan.Link] {
        let range = column.range(row)
        var links: [TraceSpan.Link] = []
        links.reserveCapacity(range.count)
        for link in range {
            links.append(
                TraceSpan.Link(
                    traceID: traceIDs.traceID(link), spanID: spanIDs.spanID(link), traceState: states.string(link),
                    attributes: attributes.attributes(link),
                    droppedAttributesCount: UInt32(truncatingIfNeeded: dropped[link]),
                    flags: UInt32(truncatingIfNeeded: flags[link])))
        }
        return links
    }
}
