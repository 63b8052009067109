internal import Columns
package import Core

/// Who produced telemetry, as one byte string that a `LowCardinality` column holds.
///
/// A resource is stored as the fields 1 (`resource`) and 3 (`schema_url`) of OTLP's `ResourceSpans`, a scope as the same fields
/// of `ScopeSpans`: what the sender wrote, so that nothing is lost and equal senders give equal bytes. docs/FORMAT.md, "Identities".
package enum ResourceIdentity {
    /// Appends the bytes of a resource or a scope to `buffer`, which is emptied first.
    package static func write(
        message: ProtobufSlice, schemaURL: ProtobufSlice, into buffer: inout ProtobufWriter
    ) {
        buffer.bytes.removeAll(keepingCapacity: true)
        if message.count > 0 { buffer.field(1, bytes: message.raw) }
        if schemaURL.count > 0 { buffer.field(3, bytes: schemaURL.raw) }
    }

    /// The text of the attribute `service.name`, or nil if there is none that is a string.
    package static func serviceName(ofResource message: ProtobufSlice) throws(ProtobufError) -> ProtobufSlice? {
        var reader = ProtobufReader(message)
        var name: ProtobufSlice?
        while !reader.isAtEnd {
            let tag = try reader.tag()
            guard tag == 1 << 3 | 2 else {
                try reader.skip(tag)
                continue
            }
            let (key, value) = try AnyValue.keyValue(reader.bytes())
            guard key.raw.elementsEqual("service.name".utf8) else { continue }
            let scalar = try AnyValue.scalar(value)
            name = scalar.type == .string ? scalar.bytes : nil
        }
        return name
    }
}

/// A resource or scope read back from its bytes.
package struct IdentityMessage: Sendable {
    package var name = ""
    package var version = ""
    package var attributes: [Attribute] = []
    package var droppedAttributesCount: UInt32 = 0
    package var schemaURL = ""
    /// Of a resource.
    package var entities: [EntityReference] = []

    package init(resource bytes: Span<UInt8>) { self = bytes.withUnsafeBytes { IdentityMessage(resource: $0) } }

    package init(scope bytes: Span<UInt8>) { self = bytes.withUnsafeBytes { IdentityMessage(scope: $0) } }

    package init(resource bytes: UnsafeRawBufferPointer) {
        guard let message = try? split(bytes) else { return }
        attributes = AnyValue.attributes(message, field: 1)
        try? readFields(message) { (tag, reader, identity) throws(ProtobufError) in
            switch tag {
            case 2 << 3: identity.droppedAttributesCount = UInt32(truncatingIfNeeded: try reader.varint())
            case 3 << 3 | 2: identity.entities.append(try Self.entity(reader.bytes()))
            default: try reader.skip(tag)
            }
        }
    }

    package init(scope bytes: UnsafeRawBufferPointer) {
        guard let message = try? split(bytes) else { return }
        attributes = AnyValue.attributes(message, field: 3)
        try? readFields(message) { (tag, reader, identity) throws(ProtobufError) in
            switch tag {
            case 1 << 3 | 2: identity.name = try reader.bytes().string
            case 2 << 3 | 2: identity.version = try reader.bytes().string
            case 4 << 3:
                identity.droppedAttributesCount = UInt32(truncatingIfNeeded: try reader.varint())
            default: try reader.skip(tag)
            }
        }
    }

    private static func entity(_ message: ProtobufSlice) throws(ProtobufError) -> EntityReference {
        var entity = EntityReference()
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: entity.schemaURL = try reader.bytes().string
            case 2 << 3 | 2: entity.type = try reader.bytes().string
            case 3 << 3 | 2: entity.idKeys.append(try reader.bytes().string)
            case 4 << 3 | 2: entity.descriptionKeys.append(try reader.bytes().string)
            default: try reader.skip(tag)
            }
        }
        return entity
    }

    /// Reads the schema URL, and finds the resource's or scope's message.
    private mutating func split(
        _ bytes: UnsafeRawBufferPointer
    ) throws(ProtobufError) -> ProtobufSlice {
        var reader = ProtobufReader(ProtobufSlice(bytes))
        var message = ProtobufSlice.empty
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: message = try reader.bytes()
            case 3 << 3 | 2: schemaURL = try reader.bytes().string
            default: try reader.skip(tag)
            }
        }
        return message
    }

    private mutating func readFields(
        _ message: ProtobufSlice,
        _ body: (UInt64, inout ProtobufReader, inout IdentityMessage) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            try body(tag, &reader, &self)
        }
    }
}

/// The identity of a time series: its metric's descriptor, its attributes, and the hashes of its resource and scope, as a
/// protobuf message of Varve's own. docs/FORMAT.md, "Identities".
package struct SeriesIdentity: Sendable {
    package var name = ""
    package var unit = ""
    package var description = ""
    /// `MetricKind`'s raw value.
    package var kind: UInt8 = 0
    package var temporality: Int32 = 0
    package var isMonotonic = false
    package var attributes: [Attribute] = []
    package var metadata: [Attribute] = []
    package var resourceHash: UInt64 = 0
    package var scopeHash: UInt64 = 0

    package init(_ bytes: Span<UInt8>) { self = bytes.withUnsafeBytes { SeriesIdentity($0) } }

    package init(_ bytes: UnsafeRawBufferPointer) {
        let message = ProtobufSlice(bytes)
        try? read(message)
        attributes = AnyValue.attributes(message, field: 7)
        metadata = AnyValue.attributes(message, field: 12)
    }

    private mutating func read(_ message: ProtobufSlice) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | 2: name = try reader.bytes().string
            case 2 << 3 | 2: unit = try reader.bytes().string
            case 3 << 3 | 2: description = try reader.bytes().string
            case 4 << 3: kind = UInt8(truncatingIfNeeded: try reader.varint())
            case 5 << 3: temporality = Int32(truncatingIfNeeded: try reader.varint())
            case 6 << 3: isMonotonic = try reader.varint() != 0
            case 8 << 3 | 1: resourceHash = try reader.fixed64()
            case 9 << 3 | 1: scopeHash = try reader.fixed64()
            default: try reader.skip(tag)
            }
        }
    }

    /// The hash that stands for a resource's or a scope's bytes in a series' identity.
    package static func hash(_ identity: UnsafeRawBufferPointer) -> UInt64 { XXH3.hash(identity) }
    package static func hash(_ identity: Span<UInt8>) -> UInt64 { XXH3.hash(identity) }
}
