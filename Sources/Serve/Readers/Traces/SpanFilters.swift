internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Settings
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
        query.service != "" && query.condition == .span(.always)
            && query.tags.allSatisfy { !isNegative($0.key, $0.value) }
    }

    /// That a span has no error is said by its attributes, too, none of which may say that it has.
    private static func isNegative(_ key: String, _ value: String) -> Bool {
        key == "error" && FlagText.flag(value) == false
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
        if key == "error" {
            switch FlagText.flag(value) {
            case true: return .anyOf([.integers(table.statusCode.ordinal, 2...2), attribute(key, .truth, table)])
            case false: return integers(table.statusCode, [.min...1, 3...(.max)])
            case nil: break
            }
        }
        let match = AttributeMatch.text(TextMatch(value))
        let attribute = attribute(key, match, table)
        return virtual(key, value, match, table).map { .anyOf([$0, attribute]) } ?? attribute
    }

    /// What a key with a meaning of its own says of the other columns. The span may also have an attribute of that name.
    private static func virtual(
        _ key: String, _ value: String, _ match: AttributeMatch, _ table: SpanTable
    ) -> RowFilter? {
        switch key {
        case "span.kind":
            if value.lowercased() == kindNames[0] { return integers(table.kind, [.min...0, 6...(.max)]) }
            let kinds = kindNames.indices.dropFirst().filter { kindNames[$0] == value.lowercased() }
            return integers(table.kind, kinds.map { Int64($0)...Int64($0) })
        case "span.status", "otel.status_code":
            let codes: [ClosedRange<Int64>] =
                switch value.lowercased() {
                case "ok": [1...1]
                case "error": [2...2]
                // A span without a status shows no tag.
                case "unset": key == "span.status" ? [.min...0, 3...(.max)] : []
                default: []
                }
            return integers(table.statusCode, codes)
        case "otel.status_description": return shown(table.statusMessage, value)
        case "w3c.tracestate": return shown(table.traceState, value)
        case "scope.name", "otel.scope.name": return scope(table, value) { $0.name }
        case "scope.version", "otel.scope.version": return scope(table, value) { $0.version }
        default:
            if key.hasPrefix("resource.") { return resource(String(key.dropFirst("resource.".count)), match, table) }
            guard key.hasPrefix("scope.") else { return nil }
            return identity(table.scope, String(key.dropFirst("scope.".count)), match) { IdentityMessage(scope: $0) }
        }
    }

    /// OTLP's span kinds as the tag shows them.
    private static let kindNames = ["unspecified", "internal", "server", "client", "producer", "consumer"]

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

    /// An attribute of the span, its resource, its scope, or one of its events or links.
    private static func attribute(_ key: String, _ match: AttributeMatch, _ table: SpanTable) -> RowFilter {
        let bytes = Array(key.utf8)
        return .anyOf([
            .allOf([
                .anyOf(
                    match.texts.map {
                        .indexed(table.attributes.ordinal, .attribute(AttributeProbe(key: bytes, text: $0)))
                    }),
                .attribute(table.attributes.ordinal, key: bytes) { match.matches($0, $1, key: key) },
            ]),
            resource(key, match, table),
            identity(table.scope, key, match) { IdentityMessage(scope: $0) },
            .allOf([
                .anyOf(
                    match.texts.map {
                        .indexed(
                            table.events.ordinal, field: SpanTable.EventField.attributes,
                            .attribute(AttributeProbe(key: bytes, text: $0)))
                    }),
                .nestedAttribute(
                    table.events.ordinal, field: SpanTable.EventField.attributes, key: bytes
                ) { match.matches($0, $1, key: key) },
            ]),
            .nestedAttribute(
                table.links.ordinal, field: SpanTable.LinkField.attributes, key: bytes
            ) { match.matches($0, $1, key: key) },
        ])
    }

    private static func resource(_ key: String, _ match: AttributeMatch, _ table: SpanTable) -> RowFilter {
        identity(table.resource, key, match) { IdentityMessage(resource: $0) }
    }

    /// Resources and scopes come back in every part, and in every chunk of memory: each is decoded once.
    private static func identity(
        _ column: ColumnHandle<StringColumn>, _ key: String, _ match: AttributeMatch,
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

    func matches(_ type: AttributeType, _ value: SubcolumnValue) -> Bool {
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
        default: matches(.empty)
        }
    }
}

/// What is asked of the values of an attribute.
enum AttributeMatch: Sendable {
    case text(TextMatch)
    /// That it is true, as Go reads it, of whatever type it was sent.
    case truth

    private static let trueTexts = ["true", "1", "t", "T", "TRUE", "True"]

    /// The textual forms of the values that match, for indexes.
    var texts: [String] {
        switch self {
        case .text(let match): [match.text]
        case .truth: Self.trueTexts
        }
    }

    private func matches(_ value: AttributeValue) -> Bool {
        switch (self, value) {
        case (.text(let match), _): match.matches(value)
        case (.truth, .bool(let flag)): flag
        case (.truth, .int(let integer)): integer == 1
        case (.truth, .double(let double)): double == 1
        case (.truth, .string(let text)): FlagText.flag(text) == true
        case (.truth, _): false
        }
    }

    func isAmong(_ attributes: [Attribute], _ key: String) -> Bool {
        attributes.contains { $0.key == key && matches($0.value) }
    }

    func matches(_ type: AttributeType, _ value: SubcolumnValue, key: String) -> Bool {
        if case (.overflow, .bytes(let raw)) = (type, value) {
            return isAmong(AnyValue.attributes(ProtobufSlice(raw), field: 1), key)
        }
        if case .text(let match) = self { return match.matches(type, value) }
        return switch (type, value) {
        case (.string, .bytes(let raw)): FlagText.flag(String(decoding: raw, as: UTF8.self)) == true
        case (.bool, .integer(let integer)): integer != 0
        case (.int, .integer(let integer)): integer == 1
        case (.double, .double(let double)): double == 1
        default: false
        }
    }
}
