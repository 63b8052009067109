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
            filters.append(make(tag.key, tag.value, table))
        }
        return filters
    }

    /// Whether only rows pass that the whole query accepts.
    static func isExact(_ query: TraceQuery) -> Bool {
        // No service has an empty name; one without a name has another to those who ask.
        query.service != ""
    }

    /// The column holds this text. One that is not UTF-8 is asked for as it is shown, which is repaired.
    static func text(_ column: ColumnHandle<StringColumn>, _ text: String) -> RowFilter {
        let wanted = Array(text.utf8)
        let mayBeRepaired = text.unicodeScalars.contains("\u{FFFD}")
        return .strings(column.ordinal) { bytes in
            bytes.elementsEqual(wanted) || (mayBeRepaired && String(decoding: bytes, as: UTF8.self) == text)
        }
    }

    private static func make(_ key: String, _ value: String, _ table: SpanTable) -> RowFilter {
        switch (key, value) {
        case ("error", "true"): return .integers(table.statusCode.ordinal, 2...2)
        case ("error", "false"): return integers(table.statusCode, [.min...1, 3...(.max)])
        default: break
        }
        let match = TextMatch(value)
        if key.hasPrefix("resource.") {
            return resource(String(key.dropFirst("resource.".count)), match, table)
        }
        let attribute = attribute(key, match, table)
        return virtual(key, value, match, table).map { .anyOf([$0, attribute]) } ?? attribute
    }

    /// What a key with a meaning of its own says of the other columns. The span may also have an attribute of that name.
    private static func virtual(
        _ key: String, _ value: String, _ match: TextMatch, _ table: SpanTable
    ) -> RowFilter? {
        switch key {
        case "span.kind":
            let kinds = kindNames.indices.dropFirst().filter { kindNames[$0] == value }
            return integers(table.kind, kinds.map { Int64($0)...Int64($0) })
        case "span.status":
            let codes: [ClosedRange<Int64>] =
                switch value {
                case "ok": [1...1]
                case "error": [2...2]
                case "unset": [.min...0, 3...(.max)]
                default: []
                }
            return integers(table.statusCode, codes)
        case "otel.status_code":
            let codes: [ClosedRange<Int64>] =
                switch value {
                case "OK": [1...1]
                case "ERROR": [2...2]
                // A span without a status has no such tag; one that is not known is shown as that.
                case "UNSET": [.min...(-1), 3...(.max)]
                default: []
                }
            return integers(table.statusCode, codes)
        case "otel.status_description": return shown(table.statusMessage, value)
        case "w3c.tracestate": return shown(table.traceState, value)
        case "scope.name", "otel.scope.name": return scope(table, value) { $0.name }
        case "scope.version", "otel.scope.version": return scope(table, value) { $0.version }
        default:
            guard key.hasPrefix("scope.") else { return nil }
            return identity(table.scope, String(key.dropFirst("scope.".count)), match) { IdentityMessage(scope: $0) }
        }
    }

    /// OTLP's span kinds as the tag shows them.
    private static let kindNames = ["", "internal", "server", "client", "producer", "consumer"]

    private static func integers(_ column: ColumnHandle<Int64>, _ ranges: [ClosedRange<Int64>]) -> RowFilter {
        .anyOf(ranges.map { .integers(column.ordinal, $0) })
    }

    /// A tag that is not there is empty, and equals no value.
    private static func shown(_ column: ColumnHandle<StringColumn>, _ value: String) -> RowFilter {
        value.isEmpty ? .anyOf([]) : .strings(column.ordinal) { String(decoding: $0, as: UTF8.self) == value }
    }

    private static func scope(
        _ table: SpanTable, _ value: String, _ field: @escaping @Sendable (IdentityMessage) -> String
    ) -> RowFilter {
        if value.isEmpty { return .anyOf([]) }
        return .strings(table.scope.ordinal) { field(IdentityMessage(scope: $0)) == value }
    }

    /// An attribute of the span, its resource, its scope, or one of its events.
    private static func attribute(_ key: String, _ match: TextMatch, _ table: SpanTable) -> RowFilter {
        let bytes = Array(key.utf8)
        return .anyOf([
            .allOf([
                .indexed(table.attributes.ordinal, .attribute(AttributeProbe(key: bytes, text: match.text))),
                .attribute(table.attributes.ordinal, key: bytes) { match.matches($0, $1, key: key) },
            ]),
            resource(key, match, table),
            identity(table.scope, key, match) { IdentityMessage(scope: $0) },
            .allOf([
                .indexed(
                    table.events.ordinal, field: SpanTable.EventField.attributes,
                    .attribute(AttributeProbe(key: bytes, text: match.text))),
                .nestedAttribute(
                    table.events.ordinal, field: SpanTable.EventField.attributes, key: bytes
                ) { match.matches($0, $1, key: key) },
            ]),
        ])
    }

    private static func resource(_ key: String, _ match: TextMatch, _ table: SpanTable) -> RowFilter {
        identity(table.resource, key, match) { IdentityMessage(resource: $0) }
    }

    /// Resources and scopes come back in every part, and in every chunk of memory: each is decoded once.
    private static func identity(
        _ column: ColumnHandle<StringColumn>, _ key: String, _ match: TextMatch,
        _ decode: @escaping @Sendable (UnsafeRawBufferPointer) -> IdentityMessage
    ) -> RowFilter {
        let known = ByteMemo<Bool>()
        // Keys are compared as they are shown, which for other bytes than ASCII is not always what is stored.
        let needle = key.utf8.allSatisfy { $0 < 0x80 } ? Array(key.utf8) : []
        return .strings(column.ordinal) { bytes in
            guard needle.isEmpty || ByteMemo<Bool>.has(needle, in: bytes) else { return false }
            return known.value(of: bytes) { match.isAmong(decode(bytes).attributes, key) }
        }
    }
}

/// Whether a value has a given textual form; a double also every other decimal spelling of itself.
struct TextMatch: Sendable {
    let text: String
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

    func matches(_ type: AttributeType, _ value: SubcolumnValue, key: String) -> Bool {
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
