internal import Columns
internal import Core
internal import JSON
internal import TableSchema
internal import Telemetry

/// How the values of a column are written.
struct ExportColumn {
    /// What byte strings of Varve's own mean.
    enum Meaning {
        case text
        case resource, scope, series
        /// Of a log record, whose type stands in another column of the table.
        case body(type: Int)
        /// Doubles, little-endian.
        case doubles
        case opaque
    }

    let ordinal: Int
    let definition: ColumnDefinition
    let meaning: Meaning
    let fields: [ExportColumn]

    init(_ ordinal: Int, _ table: TableDefinition) {
        self.init(ordinal, table.columns[ordinal], table)
    }

    private init(_ ordinal: Int, _ definition: ColumnDefinition, _ table: TableDefinition) {
        self.ordinal = ordinal
        self.definition = definition
        if case .nested(let fields) = definition.type {
            self.fields = fields.enumerated().map { ExportColumn($0, $1, table) }
        } else {
            fields = []
        }
        let type = table.columns.firstIndex { $0.name == "body_type" }
        meaning =
            switch (definition.name, definition.type) {
            case (_, .aggregateState): .opaque
            case ("resource", .lowCardinality): .resource
            case ("scope", .lowCardinality): .scope
            case ("series", .lowCardinality): .series
            case ("bounds", .lowCardinality): .doubles
            case ("body", .string): type.map { .body(type: $0) } ?? .text
            default: .text
            }
    }

    /// Places of the columns that must be read for this one.
    var needs: [Int] {
        if case .body(let type) = meaning { return [ordinal, type] }
        return [ordinal]
    }

    /// Whether a cell of a CSV file holds the value as it is; otherwise it holds JSON.
    var isPlain: Bool {
        switch (meaning, definition.type) {
        case (.text, .integer), (.text, .float), (.text, .fixed), (.text, .string), (.text, .lowCardinality): true
        default: false
        }
    }

    func write(_ batch: ColumnBatch, _ row: Int, to json: inout JSONWriter) {
        guard let column = batch.columns[ordinal] else { return json.null() }
        if case .body(let type) = meaning, case .strings(let bodies) = column,
            case .integers(let types)? = batch.columns[type]
        {
            return unsafe AttributeText.body(bodies.bytes(row), type: types[row], to: &json)
        }
        write(column, row, to: &json)
    }

    private func write(_ column: Column, _ row: Int, to json: inout JSONWriter) {
        switch column {
        case .integers(let values): integer(values[row], to: &json)
        case .floats(let values): AttributeText.write(.double(values[row]), to: &json)
        case .fixed(let values):
            let bytes = unsafe values.bytes[(row * values.width)..<((row + 1) * values.width)].unsafeElements
            if unsafe bytes.allSatisfy({ $0 == 0 }) { json.null() } else { unsafe json.string(Self.hex(bytes)) }
        case .strings(let values): unsafe string(values.bytes(row), to: &json)
        case .arrays(let values):
            json.beginArray()
            for place in values.range(row) { element(values.elements, place, to: &json) }
            json.endArray()
        case .attributes(let values): AttributeText.write(values.attributes(row), to: &json)
        case .nested(let values):
            json.beginArray()
            for inner in values.range(row) {
                json.beginObject()
                for (field, column) in zip(fields, values.fields) {
                    json.key(field.definition.name)
                    field.write(column, inner, to: &json)
                }
                json.endObject()
            }
            json.endArray()
        }
    }

    private func element(_ column: Column, _ place: Int, to json: inout JSONWriter) {
        switch (column, definition.type) {
        case (.integers(let values), .array(.integer(.uint64))): json.uint(UInt64(bitPattern: values[place]))
        case (.integers(let values), _): json.int(values[place])
        case (.floats(let values), _): AttributeText.write(.double(values[place]), to: &json)
        default: json.null()
        }
    }

    private func integer(_ value: Int64, to json: inout JSONWriter) {
        switch definition.type {
        case .integer(.dateTime64): json.string(CalendarTime.text(Timestamp(nanoseconds: value)))
        case .integer(.uint64): json.uint(UInt64(bitPattern: value))
        case .integer(.bool): json.bool(value != 0)
        default: json.int(value)
        }
    }

    private func string(_ bytes: UnsafeRawBufferPointer, to json: inout JSONWriter) {
        switch meaning {
        case .text, .body: unsafe json.string(bytes)
        case .resource:
            let message = unsafe IdentityMessage(resource: bytes)
            json.beginObject()
            json.key("attributes")
            AttributeText.write(message.attributes, to: &json)
            Self.member("dropped_attributes_count", message.droppedAttributesCount, to: &json)
            Self.member("schema_url", message.schemaURL, to: &json)
            json.endObject()
        case .scope:
            let message = unsafe IdentityMessage(scope: bytes)
            json.beginObject()
            Self.member("name", message.name, to: &json)
            Self.member("version", message.version, to: &json)
            json.key("attributes")
            AttributeText.write(message.attributes, to: &json)
            Self.member("dropped_attributes_count", message.droppedAttributesCount, to: &json)
            Self.member("schema_url", message.schemaURL, to: &json)
            json.endObject()
        case .series: unsafe series(SeriesIdentity(bytes), to: &json)
        case .doubles:
            json.beginArray()
            for place in stride(from: 0, to: bytes.count / 8 * 8, by: 8) {
                let bits = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                AttributeText.write(.double(Double(bitPattern: bits)), to: &json)
            }
            json.endArray()
        case .opaque: unsafe json.string(Base64.encode(Array(bytes)))
        }
    }

    private func series(_ series: SeriesIdentity, to json: inout JSONWriter) {
        let kinds = ["", "gauge", "sum", "histogram", "exponential_histogram", "summary"]
        json.beginObject()
        Self.member("name", series.name, to: &json)
        Self.member("kind", Int(series.kind) < kinds.count ? kinds[Int(series.kind)] : "\(series.kind)", to: &json)
        Self.member("temporality", UInt32(truncatingIfNeeded: series.temporality), to: &json)
        if series.isMonotonic {
            json.key("monotonic")
            json.bool(true)
        }
        Self.member("unit", series.unit, to: &json)
        Self.member("description", series.description, to: &json)
        if !series.metadata.isEmpty {
            json.key("metadata")
            AttributeText.write(series.metadata, to: &json)
        }
        json.key("attributes")
        AttributeText.write(series.attributes, to: &json)
        json.endObject()
    }

    // What is empty is left out.
    private static func member(_ key: StaticString, _ text: String, to json: inout JSONWriter) {
        guard !text.isEmpty else { return }
        json.key(key)
        json.string(text)
    }

    private static func member(_ key: StaticString, _ number: UInt32, to json: inout JSONWriter) {
        guard number != 0 else { return }
        json.key(key)
        json.uint(UInt64(number))
    }

    /// A value as it stands in a plain cell of a CSV file; nothing for "none".
    func plain(_ column: Column, _ row: Int, to bytes: inout [UInt8]) {
        switch column {
        case .integers(let values):
            switch definition.type {
            case .integer(.dateTime64): CalendarTime.append(Timestamp(nanoseconds: values[row]), to: &bytes)
            case .integer(.uint64): bytes += String(UInt64(bitPattern: values[row])).utf8
            case .integer(.bool): bytes += (values[row] != 0 ? "true" : "false").utf8
            default: bytes += String(values[row]).utf8
            }
        case .floats(let values): bytes += values[row].shortestText.utf8
        case .fixed(let values):
            let id = unsafe values.bytes[(row * values.width)..<((row + 1) * values.width)].unsafeElements
            if unsafe !id.allSatisfy({ $0 == 0 }) { unsafe bytes += Self.hex(id).utf8 }
        case .strings(let values): unsafe bytes += values.bytes(row)
        case .arrays, .attributes, .nested: break
        }
    }

    private static func hex(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        unsafe String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for i in 0..<bytes.count {
                let byte = unsafe bytes[i]
                unsafe buffer[2 * i] = Hex.digit(byte >> 4)
                unsafe buffer[2 * i + 1] = Hex.digit(byte & 15)
            }
            return bytes.count * 2
        }
    }
}

/// OTLP's values as plain JSON: a map is an object, bytes are base64, and what JSON has no number for is its name.
enum AttributeText {
    static func write(_ attributes: [Attribute], to json: inout JSONWriter) {
        json.beginObject()
        for attribute in attributes {
            json.key(attribute.key)
            write(attribute.value, to: &json)
        }
        json.endObject()
    }

    static func write(_ value: AttributeValue, to json: inout JSONWriter) {
        switch value {
        case .empty: json.null()
        case .string(let text): json.string(text)
        case .bool(let flag): json.bool(flag)
        case .int(let integer): json.int(integer)
        case .double(let double): if double.isFinite { json.double(double) } else { json.string(double.shortestText) }
        case .bytes(let bytes): json.string(Base64.encode(bytes))
        case .array(let elements):
            json.beginArray()
            for element in elements { write(element, to: &json) }
            json.endArray()
        case .map(let members): write(members, to: &json)
        }
    }

    /// - Parameter type: 0 empty, 1 a string, else bytes are an `AnyValue` in protobuf.
    static func body(_ bytes: UnsafeRawBufferPointer, type: Int64, to json: inout JSONWriter) {
        switch type {
        case 0: json.null()
        case 1: unsafe json.string(bytes)
        default: unsafe write(AnyValue.decode(ProtobufSlice(bytes)), to: &json)
        }
    }

    /// The values of a key in one row.
    static func values(of key: [UInt8], in column: AttributesColumn, row: Int) -> [AttributeValue] {
        var values: [AttributeValue] = []
        for (subcolumn, slot) in column.entries(row) {
            if column.subcolumns[subcolumn].type == .overflow {
                guard case .strings(let strings)? = column.subcolumns[subcolumn].values else { continue }
                unsafe values += AnyValue.attributes(ProtobufSlice(strings.bytes(slot)), field: 1)
                    .filter { $0.key.utf8.elementsEqual(key) }.map(\.value)
            } else if column.subcolumns[subcolumn].key == key {
                values.append(column.subcolumns[subcolumn].value(slot))
            }
        }
        return values
    }
}
