/// A value of OpenTelemetry's `AnyValue`: what attributes and log bodies hold.
package indirect enum AttributeValue: Hashable, Sendable {
    case empty
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes([UInt8])
    case array([AttributeValue])
    case map([Attribute])
}

/// An entity that a resource is about (`EntityRef` in resource.proto): which of the resource's attributes identify it, and which
/// describe it.
package struct EntityReference: Hashable, Sendable {
    package var schemaURL = ""
    package var type = ""
    package var idKeys: [String] = []
    package var descriptionKeys: [String] = []

    package init() {}
}

/// A key and its value; a set of them has unique keys, and keeps the sender's order.
package struct Attribute: Hashable, Sendable {
    package var key: String
    package var value: AttributeValue

    package init(key: String, value: AttributeValue) {
        self.key = key
        self.value = value
    }
}
