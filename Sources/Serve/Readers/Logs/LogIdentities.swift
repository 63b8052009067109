internal import Columns
internal import Core
internal import QueryModel
private import Synchronization
internal import Telemetry

/// A resource of log records, as Loki's model and as its sender see it.
final class LogResource: Sendable {
    fileprivate let bytes: [UInt8]
    let stream: LogStream
    /// What of the attributes is not indexed: sorted by name, unique, and no name is an index label's.
    let metadata: [Label]
    /// The level that an index label tells, normalised.
    let level: String?
    let sent: TelemetryResource

    fileprivate func isOf(_ other: Span<UInt8>) -> Bool {
        let bytes = bytes
        return other.isEqual(to: bytes.span)
    }

    fileprivate init(
        _ bytes: [UInt8], message: IdentityMessage, stream: LogStream, rules: LogLabelRules
    ) {
        self.bytes = bytes
        self.stream = stream
        var labels: [Label] = []
        LogLabelName.flatten(message.attributes.filter { !rules.isIndexed($0) }, into: &labels)
        metadata = LogLabelName.unique(labels).filter { stream.labels[$0.name].isEmpty }
        level = LogLevel.ofLabels(stream.labels.pairs)
        var name: String?
        if case .string(let text)? = message.attributes.first(where: { $0.key == "service.name" })?.value {
            name = text
        }
        sent = TelemetryResource(
            serviceName: name, attributes: message.attributes,
            droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL,
            entities: message.entities)
    }
}

/// A scope of log records, likewise.
final class LogScope: Sendable {
    fileprivate let bytes: [UInt8]
    /// Sorted by name, unique.
    let metadata: [Label]
    let sent: TelemetryScope

    fileprivate func isOf(_ other: Span<UInt8>) -> Bool {
        let bytes = bytes
        return other.isEqual(to: bytes.span)
    }

    fileprivate init(_ bytes: [UInt8], message: IdentityMessage) {
        self.bytes = bytes
        var labels: [Label] = []
        if !message.name.isEmpty { labels.append(Label("scope_name", message.name)) }
        if !message.version.isEmpty { labels.append(Label("scope_version", message.version)) }
        if message.droppedAttributesCount != 0 {
            labels.append(Label("scope_dropped_attributes_count", String(message.droppedAttributesCount)))
        }
        LogLabelName.flatten(message.attributes, into: &labels)
        metadata = LogLabelName.unique(labels)
        sent = TelemetryScope(
            name: message.name, version: message.version, attributes: message.attributes,
            droppedAttributesCount: message.droppedAttributesCount, schemaURL: message.schemaURL)
    }
}

/// The resources and scopes that a reader has met, each decoded once. It forgets everything when it has grown too large.
final class LogIdentities: Sendable {
    /// How many bytes of resources and scopes are remembered; what is decoded from them takes a few times as much.
    private static let byteLimit = 8 << 20

    private struct State {
        var resources: [UInt64: LogResource] = [:]
        var scopes: [UInt64: LogScope] = [:]
        /// So that equal streams are mostly one object.
        var streams: [Labels: LogStream] = [:]
        var byteCount = 0

        mutating func makeRoom(for bytes: Int) {
            byteCount += bytes + 256
            guard byteCount > byteLimit else { return }
            self = State()
            byteCount = bytes
        }
    }

    private let rules: LogLabelRules
    private let state = Mutex(State())

    init(_ rules: LogLabelRules) { self.rules = rules }

    func resource(_ bytes: Span<UInt8>) -> LogResource {
        let hash = XXH3.hash(bytes)
        // The hash can be forced to collide by who sends the bytes, and other tenants' may be here.
        let known = state.withLock { $0.resources[hash] }
        if let known, known.isOf(bytes) { return known }
        let message = IdentityMessage(resource: bytes)
        let labels = rules.indexLabels(ofResource: message.attributes)
        let stream = state.withLock { state in
            if let stream = state.streams[labels] { return stream }
            let stream = LogStream(labels: labels)
            state.streams[labels] = stream
            return stream
        }
        let resource = LogResource(Array(copying: bytes), message: message, stream: stream, rules: rules)
        state.withLock { state in
            state.makeRoom(for: bytes.count)
            state.resources[hash] = resource
        }
        return resource
    }

    func scope(_ bytes: Span<UInt8>) -> LogScope {
        let hash = XXH3.hash(bytes)
        let known = state.withLock { $0.scopes[hash] }
        if let known, known.isOf(bytes) { return known }
        let scope = LogScope(Array(copying: bytes), message: IdentityMessage(scope: bytes))
        state.withLock { state in
            state.makeRoom(for: bytes.count)
            state.scopes[hash] = scope
        }
        return scope
    }
}

/// What the entries of a string column's dictionary decode to, each when it is first wanted.
final class LogDecodedEntries<Value> {
    private let dictionary: StringDictionary
    private var values: [Value?]
    private let decode: (Span<UInt8>) -> Value

    init(_ dictionary: StringDictionary, decode: @escaping (Span<UInt8>) -> Value) {
        self.dictionary = dictionary
        self.decode = decode
        values = Array(repeating: nil, count: dictionary.count)
    }

    subscript(code: Int) -> Value {
        if let value = values[code] { return value }
        let dictionary = dictionary
        let value = decode(dictionary.span(code))
        values[code] = value
        return value
    }
}
