/// OTLP's messages as tables: which JSON name means which protobuf field, and how its value is written.
///
/// The transcoder walks JSON along these tables, so a new field of OTLP is one line here. Names are given in lowerCamelCase;
/// the snake_case form is derived, and accepted as well (O-21).
enum JSONMessage: Sendable {
    case traceRequest, resourceSpans, scopeSpans, span, event, link, status
    case logRequest, resourceLogs, scopeLogs, logRecord
    case metricRequest, resourceMetrics, scopeMetrics, metric
    case gauge, sum, histogram, exponentialHistogram, summary
    case numberPoint, histogramPoint, exponentialPoint, buckets, summaryPoint, quantile, exemplar
    case resource, entity, scope, keyValue, anyValue, arrayValue, keyValueList
}

/// One field of a message.
struct JSONField: Sendable {
    enum Form: Sendable {
        case string, bool
        /// `bytes` that JSON spells as hexadecimal digits: the ids (O-20).
        case identifier
        /// As `identifier`, of what is kept without it: text that is none becomes bytes that are none.
        case optionalIdentifier
        /// Any other `bytes`, in base64.
        case base64
        case int64, int32, uint32, signed32
        case fixed32, fixed64, signedFixed64, double
        case enumeration(JSONEnumeration)
        case message(JSONMessage)
        case messages(JSONMessage)
        case strings
        case packedDouble, packedFixed64, packedVarint
    }

    /// Whether a zero is written: a field that tells absence from zero writes it.
    enum Presence: Sendable, Equatable {
        case implicit
        case explicit
        /// At most one field of the message's choice may be there.
        case choice
    }

    let name: String
    let number: UInt32
    let form: Form
    let presence: Presence

    init(_ name: String, _ number: UInt32, _ form: Form, _ presence: Presence = .implicit) {
        self.name = name
        self.number = number
        self.form = form
        self.presence = presence
    }

    /// `startTimeUnixNano` as `start_time_unix_nano`.
    var snakeCaseName: String {
        var snake = ""
        for scalar in name.unicodeScalars {
            if scalar.properties.isUppercase {
                snake += "_" + scalar.properties.lowercaseMapping
            } else {
                snake.unicodeScalars.append(scalar)
            }
        }
        return snake
    }
}

/// OTLP's enumerations: integers in JSON; their names are tolerated (O-22).
enum JSONEnumeration: Sendable {
    case spanKind, statusCode, severity, temporality

    func number(named name: String) -> Int32? { Self.numbers[self]?[name] }

    private static let numbers: [JSONEnumeration: [String: Int32]] = [
        .spanKind: numbered("SPAN_KIND_", ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]),
        .statusCode: numbered("STATUS_CODE_", ["UNSET", "OK", "ERROR"]),
        .temporality: numbered("AGGREGATION_TEMPORALITY_", ["UNSPECIFIED", "DELTA", "CUMULATIVE"]),
        .severity: numbered(
            "SEVERITY_NUMBER_",
            ["UNSPECIFIED"]
                + ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap { level in
                    [level, level + "2", level + "3", level + "4"]
                }),
    ]

    private static func numbered(_ prefix: String, _ names: [String]) -> [String: Int32] {
        var numbers: [String: Int32] = [:]
        for (number, name) in names.enumerated() { numbers[prefix + name] = Int32(number) }
        return numbers
    }
}

extension JSONMessage {
    /// The message's fields by both spellings of their names.
    var fields: [String: JSONField] { Self.tables[self] ?? [:] }

    private static let tables: [JSONMessage: [String: JSONField]] = {
        var tables: [JSONMessage: [String: JSONField]] = [:]
        for (message, fields) in traceMessages + logMessages + metricMessages + pointMessages + sharedMessages {
            var byName: [String: JSONField] = [:]
            for field in fields {
                byName[field.name] = field
                byName[field.snakeCaseName] = field
            }
            tables[message] = byName
        }
        return tables
    }()

    private typealias Table = [(JSONMessage, [JSONField])]

    private static let traceMessages: Table = [
        (.traceRequest, [.init("resourceSpans", 1, .messages(.resourceSpans))]),
        (.resourceSpans, envelope("scopeSpans", .scopeSpans)),
        (.scopeSpans, group("spans", .span)),
        (
            .span,
            [
                .init("traceId", 1, .identifier), .init("spanId", 2, .identifier),
                .init("traceState", 3, .string), .init("parentSpanId", 4, .identifier),
                .init("name", 5, .string), .init("kind", 6, .enumeration(.spanKind)),
                .init("startTimeUnixNano", 7, .fixed64), .init("endTimeUnixNano", 8, .fixed64),
                .init("attributes", 9, .messages(.keyValue)), .init("droppedAttributesCount", 10, .uint32),
                .init("events", 11, .messages(.event)), .init("droppedEventsCount", 12, .uint32),
                .init("links", 13, .messages(.link)), .init("droppedLinksCount", 14, .uint32),
                .init("status", 15, .message(.status)), .init("flags", 16, .fixed32),
            ]
        ),
        (
            .event,
            [
                .init("timeUnixNano", 1, .fixed64), .init("name", 2, .string),
                .init("attributes", 3, .messages(.keyValue)), .init("droppedAttributesCount", 4, .uint32),
            ]
        ),
        (
            .link,
            [
                .init("traceId", 1, .identifier), .init("spanId", 2, .identifier), .init("traceState", 3, .string),
                .init("attributes", 4, .messages(.keyValue)), .init("droppedAttributesCount", 5, .uint32),
                .init("flags", 6, .fixed32),
            ]
        ),
        (.status, [.init("message", 2, .string), .init("code", 3, .enumeration(.statusCode))]),
    ]

    private static let logMessages: Table = [
        (.logRequest, [.init("resourceLogs", 1, .messages(.resourceLogs))]),
        (.resourceLogs, envelope("scopeLogs", .scopeLogs)),
        (.scopeLogs, group("logRecords", .logRecord)),
        (
            .logRecord,
            [
                .init("timeUnixNano", 1, .fixed64), .init("severityNumber", 2, .enumeration(.severity)),
                .init("severityText", 3, .string), .init("body", 5, .message(.anyValue)),
                .init("attributes", 6, .messages(.keyValue)), .init("droppedAttributesCount", 7, .uint32),
                .init("flags", 8, .fixed32), .init("traceId", 9, .optionalIdentifier),
                .init("spanId", 10, .optionalIdentifier),
                .init("observedTimeUnixNano", 11, .fixed64), .init("eventName", 12, .string),
            ]
        ),
    ]

    private static let metricMessages: Table = [
        (.metricRequest, [.init("resourceMetrics", 1, .messages(.resourceMetrics))]),
        (.resourceMetrics, envelope("scopeMetrics", .scopeMetrics)),
        (.scopeMetrics, group("metrics", .metric)),
        (
            .metric,
            [
                .init("name", 1, .string), .init("description", 2, .string), .init("unit", 3, .string),
                .init("gauge", 5, .message(.gauge), .choice), .init("sum", 7, .message(.sum), .choice),
                .init("histogram", 9, .message(.histogram), .choice),
                .init("exponentialHistogram", 10, .message(.exponentialHistogram), .choice),
                .init("summary", 11, .message(.summary), .choice),
                .init("metadata", 12, .messages(.keyValue)),
            ]
        ),
        (.gauge, [.init("dataPoints", 1, .messages(.numberPoint))]),
        (
            .sum,
            [
                .init("dataPoints", 1, .messages(.numberPoint)),
                .init("aggregationTemporality", 2, .enumeration(.temporality)),
                .init("isMonotonic", 3, .bool),
            ]
        ),
        (.histogram, distribution(of: .histogramPoint)),
        (.exponentialHistogram, distribution(of: .exponentialPoint)),
        (.summary, [.init("dataPoints", 1, .messages(.summaryPoint))]),
    ]

    private static let pointMessages: Table = [
        (
            .numberPoint,
            [
                .init("startTimeUnixNano", 2, .fixed64), .init("timeUnixNano", 3, .fixed64),
                .init("asDouble", 4, .double, .choice), .init("asInt", 6, .signedFixed64, .choice),
                .init("exemplars", 5, .messages(.exemplar)), .init("attributes", 7, .messages(.keyValue)),
                .init("flags", 8, .uint32),
            ]
        ),
        (
            .histogramPoint,
            [
                .init("startTimeUnixNano", 2, .fixed64), .init("timeUnixNano", 3, .fixed64),
                .init("count", 4, .fixed64), .init("sum", 5, .double, .explicit),
                .init("bucketCounts", 6, .packedFixed64), .init("explicitBounds", 7, .packedDouble),
                .init("exemplars", 8, .messages(.exemplar)), .init("attributes", 9, .messages(.keyValue)),
                .init("flags", 10, .uint32), .init("min", 11, .double, .explicit),
                .init("max", 12, .double, .explicit),
            ]
        ),
        (
            .exponentialPoint,
            [
                .init("attributes", 1, .messages(.keyValue)), .init("startTimeUnixNano", 2, .fixed64),
                .init("timeUnixNano", 3, .fixed64), .init("count", 4, .fixed64),
                .init("sum", 5, .double, .explicit), .init("scale", 6, .signed32),
                .init("zeroCount", 7, .fixed64), .init("positive", 8, .message(.buckets)),
                .init("negative", 9, .message(.buckets)), .init("flags", 10, .uint32),
                .init("exemplars", 11, .messages(.exemplar)), .init("min", 12, .double, .explicit),
                .init("max", 13, .double, .explicit), .init("zeroThreshold", 14, .double),
            ]
        ),
        (.buckets, [.init("offset", 1, .signed32), .init("bucketCounts", 2, .packedVarint)]),
        (
            .summaryPoint,
            [
                .init("startTimeUnixNano", 2, .fixed64), .init("timeUnixNano", 3, .fixed64),
                .init("count", 4, .fixed64), .init("sum", 5, .double),
                .init("quantileValues", 6, .messages(.quantile)), .init("attributes", 7, .messages(.keyValue)),
                .init("flags", 8, .uint32),
            ]
        ),
        (.quantile, [.init("quantile", 1, .double), .init("value", 2, .double)]),
        (
            .exemplar,
            [
                .init("timeUnixNano", 2, .fixed64), .init("asDouble", 3, .double, .choice),
                .init("asInt", 6, .signedFixed64, .choice), .init("spanId", 4, .optionalIdentifier),
                .init("traceId", 5, .optionalIdentifier), .init("filteredAttributes", 7, .messages(.keyValue)),
            ]
        ),
    ]

    private static let sharedMessages: Table = [
        (
            .resource,
            [
                .init("attributes", 1, .messages(.keyValue)), .init("droppedAttributesCount", 2, .uint32),
                .init("entityRefs", 3, .messages(.entity)),
            ]
        ),
        (
            .entity,
            [
                .init("schemaUrl", 1, .string), .init("type", 2, .string), .init("idKeys", 3, .strings),
                .init("descriptionKeys", 4, .strings),
            ]
        ),
        (
            .scope,
            [
                .init("name", 1, .string), .init("version", 2, .string),
                .init("attributes", 3, .messages(.keyValue)), .init("droppedAttributesCount", 4, .uint32),
            ]
        ),
        (.keyValue, [.init("key", 1, .string), .init("value", 2, .message(.anyValue))]),
        (
            .anyValue,
            [
                .init("stringValue", 1, .string, .choice), .init("boolValue", 2, .bool, .choice),
                .init("intValue", 3, .int64, .choice), .init("doubleValue", 4, .double, .choice),
                .init("arrayValue", 5, .message(.arrayValue), .choice),
                .init("kvlistValue", 6, .message(.keyValueList), .choice),
                .init("bytesValue", 7, .base64, .choice),
            ]
        ),
        (.arrayValue, [.init("values", 1, .messages(.anyValue))]),
        (.keyValueList, [.init("values", 1, .messages(.keyValue))]),
    ]

    /// `ResourceSpans`, `ResourceLogs` and `ResourceMetrics` differ in one name.
    private static func envelope(_ name: String, _ content: JSONMessage) -> [JSONField] {
        [
            .init("resource", 1, .message(.resource)), .init(name, 2, .messages(content)),
            .init("schemaUrl", 3, .string),
        ]
    }

    /// `ScopeSpans`, `ScopeLogs` and `ScopeMetrics` likewise.
    private static func group(_ name: String, _ content: JSONMessage) -> [JSONField] {
        [
            .init("scope", 1, .message(.scope)), .init(name, 2, .messages(content)),
            .init("schemaUrl", 3, .string),
        ]
    }

    private static func distribution(of point: JSONMessage) -> [JSONField] {
        [
            .init("dataPoints", 1, .messages(point)),
            .init("aggregationTemporality", 2, .enumeration(.temporality)),
        ]
    }
}
