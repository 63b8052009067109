internal import Columns
internal import Core
internal import Parts
internal import Plans
internal import QueryModel
internal import Storage
internal import Telemetry

/// What log queries ask of resources, scopes and severities: functions that plans name, since the engine knows none of them.
struct LogScanFunctions: ScanFunctions {
    enum Function: String {
        /// Of a resource: the index label that the argument names; empty if it has none.
        case streamLabel = "log.stream_label"
        /// Of a resource: the label of its other attributes that the argument names, if it has it.
        case resourceLabel = "log.resource_label"
        /// Of a scope, likewise.
        case scopeLabel = "log.scope_label"
        /// Of a resource: true, if one of its labels tells the level; nothing if none does.
        case resourceLevel = "log.resource_level"
        /// Of a scope, likewise.
        case scopeLevel = "log.scope_level"
        /// Of a severity's text: itself, if there is one.
        case severityText = "log.severity_text"
        /// Of a severity's text: the level that it means, if there is one.
        case severityLevel = "log.severity_level"
        /// Of an attribute: whether it may become the label that the argument names.
        case attributeLabel = "log.attribute_label"
        /// Of an attribute: whether it may become a label that tells the level.
        case attributeLevel = "log.attribute_level"
    }

    let identities: LogIdentities

    static func derivation(_ function: Function, _ argument: String = "") -> Derivation {
        Derivation(function.rawValue, Array(argument.utf8))
    }

    func knows(_ function: String) -> Bool { Function(rawValue: function) != nil }

    func values(_ derivation: Derivation, of entry: Span<UInt8>) -> [AttributeValue] {
        switch Function(rawValue: derivation.function) {
        case .streamLabel: [.string(identities.resource(entry).stream.labels[Self.name(derivation)])]
        case .resourceLabel: Self.value(Self.name(derivation), in: identities.resource(entry).metadata)
        case .scopeLabel: Self.value(Self.name(derivation), in: identities.scope(entry).metadata)
        case .resourceLevel:
            Self.truth(identities.resource(entry).level != nil || Self.tellsLevel(identities.resource(entry).metadata))
        case .scopeLevel: Self.truth(Self.tellsLevel(identities.scope(entry).metadata))
        case .severityText: entry.isEmpty ? [] : [.string(String(repairing: entry))]
        case .severityLevel:
            entry.isEmpty ? [] : [.string(LogLevel.normalized(String(repairing: entry)))]
        case .attributeLabel, .attributeLevel, nil: []
        }
    }

    private static func name(_ derivation: Derivation) -> String {
        String(decoding: derivation.argument, as: UTF8.self)
    }

    private static func value(_ name: String, in labels: [Label]) -> [AttributeValue] {
        labels.first { $0.name == name }.map { [.string($0.value)] } ?? []
    }

    private static func truth(_ isTrue: Bool) -> [AttributeValue] { isTrue ? [.bool(true)] : [] }

    private static func tellsLevel(_ labels: [Label]) -> Bool {
        labels.contains { LogLevel.tellingNames.contains($0.name) }
    }

    func match(_ derivation: Derivation, key: [UInt8]) -> AttributeProbe.Match {
        switch Function(rawValue: derivation.function) {
        case .attributeLabel: Self.match([Self.name(derivation)], key)
        case .attributeLevel: Self.match(LogLevel.tellingNames, key)
        default: .none
        }
    }

    private static func match(_ labels: Set<String>, _ key: [UInt8]) -> AttributeProbe.Match {
        let name = LogLabelName.sanitized(String(decoding: key, as: UTF8.self))
        if labels.contains(name) { return .whole }
        return labels.contains { LogLabelName.canMake($0, fromName: name) } ? .members : .none
    }

    // Conditions on attributes are hints: nobody asks about their values here.

    func value(_ type: AttributeType, _ bytes: Span<UInt8>) -> AttributeValue {
        AnyValue.decode(bytes)
    }

    func values(ofKey key: [UInt8], amongOverflow bytes: Span<UInt8>) -> [AttributeValue] {
        AnyValue.attributes(bytes, field: 1).filter { $0.key.utf8.elementsEqual(key) }.map(\.value)
    }
}
