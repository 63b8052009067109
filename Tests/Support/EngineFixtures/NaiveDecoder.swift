package import TableSchema

/// Reads OTLP requests into plain rows, slowly and after the text of contract §8.4 alone: what the decoders must agree with.
package struct NaiveDecoder {
    package private(set) var rows: [[Cell]] = []
    package private(set) var rejected = 0
    let table: TableDefinition

    package init(_ table: TableDefinition) { self.table = table }

    struct Rejection: Error {}

    /// What an item has from its resource and scope.
    struct Origin {
        var resource: [UInt8]
        var scope: [UInt8]
        var service: [UInt8]
    }

    mutating func add(_ cells: [String: Cell]) { rows.append(table.row(cells)) }

    mutating func accept(_ body: () throws -> [String: Cell]) throws {
        do {
            add(try body())
        } catch is Rejection {
            rejected += 1
        }
    }

    func forEachItem(_ request: [UInt8], _ body: ([UInt8], Origin) throws -> Void) throws {
        for group in try NaiveMessage(request).all(1) {
            let resourceGroup = try NaiveMessage(group)
            for scope in resourceGroup.all(2) {
                let scopeGroup = try NaiveMessage(scope)
                let origin = Origin(
                    resource: Self.identity(resourceGroup), scope: Self.identity(scopeGroup),
                    service: try Self.service(resourceGroup.merged(1)))
                for item in scopeGroup.all(2) { try body(item, origin) }
            }
        }
    }

    private static func identity(_ group: NaiveMessage) -> [UInt8] {
        field(1, group.merged(1)) + field(3, group.bytes(3))
    }

    static func field(_ number: UInt8, _ bytes: [UInt8], evenIfEmpty: Bool = false) -> [UInt8] {
        if bytes.isEmpty, !evenIfEmpty { return [] }
        return [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value % 128) + 128] + varint(value / 128)
    }

    private static func service(_ resource: [UInt8]) throws -> [UInt8] {
        let set = try NaiveAttributes.set(in: resource, field: 1)
        guard let name = set.entries.first(where: { $0.key == Array("service.name".utf8) }), name.type == 1
        else { return [] }
        return name.value
    }

    /// A time that is kept: below 2^63 − 1, so that a half-open range can hold it.
    static func time(_ value: UInt64?) throws -> Int64 {
        guard let time = Int64(exactly: value ?? 0), time < .max else { throw Rejection() }
        return time
    }

    static func id(_ bytes: [UInt8], _ width: Int) -> Cell {
        .bytes(bytes.count == width ? bytes : Array(repeating: 0, count: width))
    }
}

extension NaiveDecoder {
    package mutating func decode(traces request: [UInt8]) throws {
        var found: [([UInt8], Origin)] = []
        try forEachItem(request) { found.append(($0, $1)) }
        for (item, origin) in found { try accept { try Self.span(item, origin) } }
    }

    private static func span(_ bytes: [UInt8], _ origin: Origin) throws -> [String: Cell] {
        let span = try NaiveMessage(bytes)
        let (traceID, spanID, parent) = (span.bytes(1), span.bytes(2), span.bytes(4))
        guard traceID.count == 16, spanID.count == 8, [0, 8].contains(parent.count),
            traceID.contains(where: { $0 != 0 }), spanID.contains(where: { $0 != 0 })
        else { throw Rejection() }
        let start = try time(span.fixed64(7))
        let end = try time(span.fixed64(8))
        let status = try NaiveMessage(span.merged(15))
        return [
            "start_time": .integer(start), "duration": .integer(end - start), "trace_id": .bytes(traceID),
            "span_id": .bytes(spanID), "parent_span_id": id(parent, 8), "service_name": .bytes(origin.service),
            "span_name": .bytes(span.bytes(5)), "span_kind": .integer(span.int32(6)),
            "status_code": .integer(status.int32(3)), "status_message": .bytes(status.bytes(2)),
            "trace_state": .bytes(span.bytes(3)), "flags": .integer(Int64(span.fixed32(16) ?? 0)),
            "resource": .bytes(origin.resource), "scope": .bytes(origin.scope),
            "attributes": .attributes(try NaiveAttributes.set(in: bytes, field: 9)),
            "dropped_attributes_count": .integer(span.uint32(10)),
            "events": .rows(try span.all(11).map { try event($0, start) }),
            "dropped_events_count": .integer(span.uint32(12)), "links": .rows(try span.all(13).map(link)),
            "dropped_links_count": .integer(span.uint32(14)),
        ]
    }

    private static func event(_ bytes: [UInt8], _ start: Int64) throws -> [Cell] {
        let event = try NaiveMessage(bytes)
        return [
            .integer(Int64(clamping: event.fixed64(1) ?? 0) &- start), .bytes(event.bytes(2)),
            .attributes(try NaiveAttributes.set(in: bytes, field: 3)), .integer(event.uint32(4)),
        ]
    }

    private static func link(_ bytes: [UInt8]) throws -> [Cell] {
        let link = try NaiveMessage(bytes)
        return [
            id(link.bytes(1), 16), id(link.bytes(2), 8), .bytes(link.bytes(3)),
            .attributes(try NaiveAttributes.set(in: bytes, field: 4)), .integer(link.uint32(5)),
            .integer(Int64(link.fixed32(6) ?? 0)),
        ]
    }

    package mutating func decode(logs request: [UInt8], received: Int64) throws {
        var found: [([UInt8], Origin)] = []
        try forEachItem(request) { found.append(($0, $1)) }
        for (item, origin) in found { try accept { try Self.record(item, origin, received) } }
    }

    private static func record(
        _ bytes: [UInt8], _ origin: Origin, _ received: Int64
    ) throws -> [String: Cell] {
        let record = try NaiveMessage(bytes)
        let (traceID, spanID) = (record.bytes(9), record.bytes(10))
        let own = try time(record.fixed64(1))
        let observed = try time(record.fixed64(11))
        let body = record.bytes(5)
        let (bodyType, bodyValue) = try NaiveAttributes.value(body)
        let shown = own != 0 ? own : observed != 0 ? observed : received
        return [
            "time": .integer(shown), "time_source": .integer(own != 0 ? 0 : observed != 0 ? 1 : 2),
            "observed_delay": .integer(observed == 0 ? .min : observed - shown),
            "service_name": .bytes(origin.service), "resource": .bytes(origin.resource),
            "scope": .bytes(origin.scope), "severity_number": .integer(record.int32(2)),
            "severity_text": .bytes(record.bytes(3)), "event_name": .bytes(record.bytes(12)),
            "body": .bytes(bodyType == 1 ? bodyValue : body), "body_type": .integer(Int64(bodyType)),
            "trace_id": id(traceID, 16), "span_id": id(spanID, 8),
            "flags": .integer(Int64(record.fixed32(8) ?? 0)),
            "attributes": .attributes(try NaiveAttributes.set(in: bytes, field: 6)),
            "dropped_attributes_count": .integer(record.uint32(7)),
        ]
    }
}
