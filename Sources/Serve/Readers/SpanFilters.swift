internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Storage
internal import Telemetry

/// What of a trace query the columns can answer. Every row that the whole query accepts passes (rules J-8, J-9); others may pass too.
enum SpanFilters {
    static func make(_ query: TraceQuery, _ table: SpanTable) -> [RowFilter] {
        var filters: [RowFilter] = []
        if let kind = query.kind {
            filters.append(.integers(table.kind.ordinal, Int64(kind)...Int64(kind)))
        }
        if let service = query.service { filters.append(text(table.serviceName, service)) }
        if let operation = query.operation { filters.append(text(table.spanName, operation)) }
        // A negative duration counts as none.
        let least = query.minDuration.map { $0 <= 0 ? .min : $0 } ?? .min
        let most = query.maxDuration ?? .max
        if least > most || most < 0 { return [.anyOf([])] }
        if least != .min || most != .max { filters.append(.integers(table.duration.ordinal, least...most)) }
        for tag in query.tags {
            if let filter = make(tag.key, tag.value, table) { filters.append(filter) }
        }
        return filters
    }

    /// Whether only rows pass that the whole query accepts.
    static func isExact(_ query: TraceQuery) -> Bool {
        // No service has an empty name; one without a name has another to those who ask.
        query.service != "" && query.tags.allSatisfy { !isVirtual($0.key) }
    }

    private static func isVirtual(_ key: String) -> Bool {
        // `scope.x` may also be an attribute of that whole name.
        virtualKeys.contains(key) || key.hasPrefix("scope.")
    }

    /// The column holds this text. One that is not UTF-8 is asked for as it is shown, which is repaired.
    static func text(_ column: ColumnHandle<StringColumn>, _ text: String) -> RowFilter {
        let wanted = Array(text.utf8)
        let mayBeRepaired = text.unicodeScalars.contains("\u{FFFD}")
        return .strings(column.ordinal) { bytes in
            bytes.elementsEqual(wanted) || (mayBeRepaired && String(decoding: bytes, as: UTF8.self) == text)
        }
    }

    /// The keys with a meaning of their own, which columns beside the attributes may answer.
    private static let virtualKeys: Set<String> = [
        "span.kind", "span.status", "otel.status_code", "otel.status_description", "scope.name",
        "otel.scope.name", "scope.version", "otel.scope.version", "w3c.tracestate",
    ]

    private static func make(_ key: String, _ value: String, _ table: SpanTable) -> RowFilter? {
        if key == "error", value == "true" { return .integers(table.statusCode.ordinal, 2...2) }
        if key == "error", value == "false" {
            return .anyOf([
                .integers(table.statusCode.ordinal, .min...1), .integers(table.statusCode.ordinal, 3...(.max)),
            ])
        }
        if isVirtual(key) { return nil }
        let match = TextMatch(value)
        if key.hasPrefix("resource.") {
            return resource(String(key.dropFirst("resource.".count)), match, table)
        }
        let bytes = Array(key.utf8)
        return .anyOf([
            .allOf([
                .indexed(table.attributes.ordinal, .attribute(AttributeProbe(key: bytes, text: value))),
                .attribute(table.attributes.ordinal, key: bytes) { match.matches($0, $1, key: key) },
            ]),
            resource(key, match, table),
            .strings(table.scope.ordinal) { match.isAmong(IdentityMessage(scope: $0).attributes, key) },
            .allOf([
                .indexed(
                    table.events.ordinal, field: SpanTable.EventField.attributes,
                    .attribute(AttributeProbe(key: bytes, text: value))),
                .nestedAttribute(
                    table.events.ordinal, field: SpanTable.EventField.attributes, key: bytes
                ) { match.matches($0, $1, key: key) },
            ]),
        ])
    }

    private static func resource(_ key: String, _ match: TextMatch, _ table: SpanTable) -> RowFilter {
        .strings(table.resource.ordinal) { match.isAmong(IdentityMessage(resource: $0).attributes, key) }
    }
}

/// Whether a value has a given textual form; a double also every other decimal spelling of itself.
struct TextMatch: Sendable {
    private let text: String
    private let bytes: [UInt8]
    private let number: Double?
    private let integer: Int64?

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
        let isDecimal = bytes.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
        number = isDecimal ? Double(text) : nil
        integer = Int64(text).flatMap { String($0) == text ? $0 : nil }
    }

    func matches(_ value: AttributeValue) -> Bool {
        switch value {
        case .string(let string): string == text
        case .double(let double): double == number || double.shortestText == text
        default: value.text == text
        }
    }

    func isAmong(_ attributes: [Attribute], _ key: String) -> Bool {
        attributes.contains { $0.key == key && matches($0.value) }
    }

    func matches(_ type: AttributeType, _ value: LaneValue, key: String) -> Bool {
        switch (type, value) {
        case (.string, .bytes(let raw)):
            // Text that is not UTF-8 is repaired before it is compared.
            raw.elementsEqual(bytes) || String(decoding: raw, as: UTF8.self) == text
        case (.int, .integer(let value)): value == integer
        case (.bool, .integer(let integer)): (integer != 0 ? "true" : "false") == text
        case (.double, .double(let double)): matches(.double(double))
        case (.bytes, .bytes(let raw)): matches(.bytes(Array(raw)))
        case (.array, .bytes(let raw)), (.map, .bytes(let raw)):
            matches(AnyValue.decode(ProtobufSlice(raw)))
        case (.overflow, .bytes(let raw)):
            isAmong(AnyValue.attributes(ProtobufSlice(raw), field: 1), key)
        default: matches(.empty)
        }
    }
}
