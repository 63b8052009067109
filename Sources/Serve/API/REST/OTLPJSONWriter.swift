import Core
import JSON
import QueryModel
internal import Scheduling

/// Writes what OTLP calls resources, scopes, attributes and values as OTLP/JSON (rules J-43, O-20 to O-24).
///
/// Ids are lower-case hexadecimal, 64-bit integers strings, enumerations integers, bytes base64; what is empty or zero is left
/// out, except where clients expect it. The three signals are in extensions.
struct OTLPJSONWriter {
    var json: JSONWriter
    private var account: JSONAccount?

    private static let countedBytes = 16 << 10

    /// - Parameter context: of the query against whose memory the text counts; nil: of none.
    init(_ json: JSONWriter = JSONWriter(), counting context: QueryContext? = nil) {
        self.json = json
        account = context.map { JSONAccount($0) }
    }

    /// To be called after each span, record or metric.
    mutating func countText() throws(QueryError) { try account?.count(json, atLeast: Self.countedBytes) }

    // MARK: Resources and scopes

    /// Writes an array of resources, each with an array of scopes, each with the items that belong there. What came from equal
    /// resources and scopes is put together; the order of items is kept inside a scope.
    mutating func grouped<Item>(
        _ items: [Item], scopesKey: StaticString, itemsKey: StaticString,
        origin: (Item) -> (TelemetryResource, TelemetryScope),
        write: (inout OTLPJSONWriter, [Item]) throws(QueryError) -> Void
    ) throws(QueryError) {
        var groups = OriginGroups<Item>()
        for item in items {
            let (resource, scope) = origin(item)
            groups.add(item, resource, scope)
        }
        json.beginArray()
        for group in groups.resources {
            json.beginObject()
            json.key("resource")
            resource(group.resource)
            json.key(scopesKey)
            json.beginArray()
            for scopeGroup in group.scopes {
                json.beginObject()
                json.key("scope")
                scope(scopeGroup.scope)
                json.key(itemsKey)
                json.beginArray()
                try write(&self, scopeGroup.items)
                json.endArray()
                text("schemaUrl", scopeGroup.scope.schemaURL)
                json.endObject()
            }
            json.endArray()
            text("schemaUrl", group.resource.schemaURL)
            json.endObject()
        }
        json.endArray()
    }

    private mutating func resource(_ resource: TelemetryResource) {
        json.beginObject()
        attributes(resource.describedAttributes)
        count("droppedAttributesCount", resource.droppedAttributesCount)
        if !resource.entities.isEmpty {
            json.key("entityRefs")
            json.beginArray()
            for entity in resource.entities { write(entity) }
            json.endArray()
        }
        json.endObject()
    }

    private mutating func write(_ entity: EntityReference) {
        json.beginObject()
        text("schemaUrl", entity.schemaURL)
        text("type", entity.type)
        texts("idKeys", entity.idKeys)
        texts("descriptionKeys", entity.descriptionKeys)
        json.endObject()
    }

    private mutating func texts(_ key: StaticString, _ texts: [String]) {
        guard !texts.isEmpty else { return }
        json.key(key)
        json.beginArray()
        for text in texts { json.string(text) }
        json.endArray()
    }

    private mutating func scope(_ scope: TelemetryScope) {
        json.beginObject()
        text("name", scope.name)
        text("version", scope.version)
        if !scope.attributes.isEmpty { attributes(scope.attributes) }
        count("droppedAttributesCount", scope.droppedAttributesCount)
        json.endObject()
    }

    // MARK: Members, left out when empty

    mutating func text(_ key: StaticString, _ text: String) {
        guard !text.isEmpty else { return }
        json.key(key)
        json.string(text)
    }

    mutating func count(_ key: StaticString, _ count: UInt32) {
        guard count != 0 else { return }
        json.key(key)
        json.uint(UInt64(count))
    }

    mutating func id(_ key: StaticString, _ id: TraceID) {
        guard !id.isZero else { return }
        json.key(key)
        json.string(id.hex)
    }

    mutating func id(_ key: StaticString, _ id: SpanID) {
        guard !id.isZero else { return }
        json.key(key)
        json.string(id.hex)
    }

    /// Always written: clients parse it.
    mutating func time(_ key: StaticString, _ time: Timestamp) {
        json.key(key)
        // OTLP's times are unsigned.
        json.quoted(max(0, time.nanoseconds))
    }

    // MARK: Attributes and values

    mutating func attributes(_ attributes: [Attribute], key: StaticString = "attributes") {
        json.key(key)
        keyValues(attributes)
    }

    private mutating func keyValues(_ attributes: [Attribute]) {
        json.beginArray()
        for attribute in attributes {
            json.beginObject()
            json.key("key")
            json.string(attribute.key)
            json.key("value")
            value(attribute.value)
            json.endObject()
        }
        json.endArray()
    }

    mutating func value(_ value: AttributeValue) {
        json.beginObject()
        switch value {
        case .empty: break
        case .string(let text):
            json.key("stringValue")
            json.string(text)
        case .bool(let flag):
            json.key("boolValue")
            json.bool(flag)
        case .int(let integer):
            json.key("intValue")
            json.quoted(integer)
        case .double(let double):
            json.key("doubleValue")
            number(double)
        case .bytes(let bytes):
            json.key("bytesValue")
            json.string(Base64.encode(bytes))
        case .array(let elements):
            json.key("arrayValue")
            json.beginObject()
            json.key("values")
            json.beginArray()
            for element in elements { self.value(element) }
            json.endArray()
            json.endObject()
        case .map(let members):
            json.key("kvlistValue")
            json.beginObject()
            json.key("values")
            keyValues(members)
            json.endObject()
        }
        json.endObject()
    }

    /// A double; what JSON has no number for is its name.
    mutating func number(_ double: Double) {
        if double.isFinite { json.double(double) } else { json.string(double.shortestText) }
    }
}

extension TelemetryResource {
    /// All attributes, the service's name among them even where it is held apart.
    var describedAttributes: [Attribute] {
        guard let serviceName, !attributes.contains(where: { $0.key == "service.name" }) else { return attributes }
        return [Attribute(key: "service.name", value: .string(serviceName))] + attributes
    }
}

/// Items by resource and scope, in the order in which those were first met.
private struct OriginGroups<Item> {
    struct ScopeGroup {
        let scope: TelemetryScope
        var items: [Item] = []
    }

    struct ResourceGroup {
        let resource: TelemetryResource
        var scopes: [ScopeGroup] = []
        var indexByScope: [OriginContent: Int] = [:]
    }

    private(set) var resources: [ResourceGroup] = []
    private var indexByResource: [OriginContent: Int] = [:]
    /// Most items share their objects with the one before.
    private var last: (resource: TelemetryResource, scope: TelemetryScope, at: (Int, Int))?

    mutating func add(_ item: Item, _ resource: TelemetryResource, _ scope: TelemetryScope) {
        if let last, last.resource === resource, last.scope === scope {
            resources[last.at.0].scopes[last.at.1].items.append(item)
            return
        }
        let resourceContent = OriginContent(
            name: resource.serviceName ?? "", version: "", attributes: resource.attributes,
            dropped: resource.droppedAttributesCount, schemaURL: resource.schemaURL, entities: resource.entities)
        let first = indexByResource[resourceContent] ?? resources.count
        if first == resources.count {
            indexByResource[resourceContent] = first
            resources.append(ResourceGroup(resource: resource))
        }
        let scopeContent = OriginContent(
            name: scope.name, version: scope.version, attributes: scope.attributes,
            dropped: scope.droppedAttributesCount, schemaURL: scope.schemaURL, entities: [])
        let second = resources[first].indexByScope[scopeContent] ?? resources[first].scopes.count
        if second == resources[first].scopes.count {
            resources[first].indexByScope[scopeContent] = second
            resources[first].scopes.append(ScopeGroup(scope: scope))
        }
        resources[first].scopes[second].items.append(item)
        last = (resource, scope, (first, second))
    }
}

/// What makes two resources, or two scopes, the same.
private struct OriginContent: Hashable {
    let name: String
    let version: String
    let attributes: [Attribute]
    let dropped: UInt32
    let schemaURL: String
    let entities: [EntityReference]
}
