internal import Columns
internal import Core
internal import Parts
internal import Plans
internal import Storage
internal import Telemetry

/// What predicates on spans mean that the engine cannot know: what stands inside the bytes of resources and scopes, and of values that
/// are stored as messages. One for each query: every resource and scope that it meets is decoded once.
struct SpanFunctions: ScanFunctions {
    /// The values of the attributes with a key.
    static let resourceAttribute = "resource.attribute"
    static let scopeAttribute = "scope.attribute"
    /// A text, or nothing if it is empty.
    static let resourceSchemaURL = "resource.schema_url"
    static let scopeName = "scope.name"
    static let scopeVersion = "scope.version"
    static let scopeSchemaURL = "scope.schema_url"

    private static let all: Set<String> = [
        resourceAttribute, scopeAttribute, resourceSchemaURL, scopeName, scopeVersion, scopeSchemaURL,
    ]

    private let resources = ByteMemo<IdentityMessage>()
    private let scopes = ByteMemo<IdentityMessage>()

    func knows(_ function: String) -> Bool { Self.all.contains(function) }

    func values(_ derivation: Derivation, of entry: Span<UInt8>) -> [AttributeValue] {
        switch derivation.function {
        case Self.resourceAttribute: attributes(derivation.argument, entry, resource)
        case Self.scopeAttribute: attributes(derivation.argument, entry, scope)
        case Self.resourceSchemaURL: text(resource(entry).schemaURL)
        case Self.scopeName: text(scope(entry).name)
        case Self.scopeVersion: text(scope(entry).version)
        case Self.scopeSchemaURL: text(scope(entry).schemaURL)
        default: []
        }
    }

    private func attributes(
        _ key: [UInt8], _ entry: Span<UInt8>, _ identity: (Span<UInt8>) -> IdentityMessage
    ) -> [AttributeValue] {
        // Keys are compared as they are shown, which for other bytes than ASCII is not always what is stored.
        if key.allSatisfy({ $0 < 0x80 }), entry.index(of: key.span) == nil { return [] }
        return Self.values(identity(entry).attributes, key)
    }

    private static func values(_ attributes: [Attribute], _ key: [UInt8]) -> [AttributeValue] {
        attributes.filter { $0.key.utf8.elementsEqual(key) }.map(\.value)
    }

    private func text(_ text: String) -> [AttributeValue] { text.isEmpty ? [] : [.string(text)] }

    private func resource(_ bytes: Span<UInt8>) -> IdentityMessage {
        resources.value(of: bytes) { IdentityMessage(resource: bytes) }
    }

    private func scope(_ bytes: Span<UInt8>) -> IdentityMessage {
        scopes.value(of: bytes) { IdentityMessage(scope: bytes) }
    }

    func match(_ derivation: Derivation, key: [UInt8]) -> AttributeProbe.Match { .none }

    func value(_ type: AttributeType, _ bytes: Span<UInt8>) -> AttributeValue {
        AnyValue.decode(bytes)
    }

    func values(ofKey key: [UInt8], amongOverflow bytes: Span<UInt8>) -> [AttributeValue] {
        Self.values(AnyValue.attributes(bytes, field: 1), key)
    }
}
