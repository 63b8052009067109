package import Columns
internal import Core

/// The columns that every signal has for who produced a row.
package protocol IdentityColumns: ~Copyable {
    var serviceNames: StringColumnBuilder { get set }
    var resources: StringColumnBuilder { get set }
    var scopes: StringColumnBuilder { get set }
    /// Reused between requests.
    var scratch: ProtobufWriter { get set }
    /// Rows, rows inside rows, and what else grows with a request; see `RequestLimits.items`.
    var itemCount: Int { get }
}

/// The entries of the identity columns that all items of a scope share.
package struct IdentityCodes {
    package private(set) var resource: UInt32 = 0
    package private(set) var scope: UInt32 = 0
    package private(set) var service: UInt32 = 0
    /// What stands for the resource and the scope in a series' identity.
    package private(set) var resourceHash: UInt64 = 0
    package private(set) var scopeHash: UInt64 = 0

    package init() {}

    /// - Parameter message: of the resource.
    package mutating func setResource<Builder: IdentityColumns & ~Copyable>(
        _ message: ProtobufSlice, schemaURL: ProtobufSlice, in builder: inout Builder
    ) throws(ProtobufError) {
        guard message.count + schemaURL.count <= RequestLimits.identityBytes else { throw .tooLarge }
        try AnyValue.check(attributesIn: message, field: 1)
        ResourceIdentity.write(message: message, schemaURL: schemaURL, into: &builder.scratch)
        resource = builder.resources.code(builder.scratch.bytes, count: builder.scratch.bytes.count)
        resourceHash = XXH3.hash(builder.scratch.bytes)
        let name = try ResourceIdentity.serviceName(ofResource: message) ?? .empty
        service = builder.serviceNames.code(name.start, count: name.count)
    }

    /// - Parameter message: of the instrumentation scope.
    package mutating func setScope<Builder: IdentityColumns & ~Copyable>(
        _ message: ProtobufSlice, schemaURL: ProtobufSlice, in builder: inout Builder
    ) throws(ProtobufError) {
        guard message.count + schemaURL.count <= RequestLimits.identityBytes else { throw .tooLarge }
        try AnyValue.check(attributesIn: message, field: 3)
        ResourceIdentity.write(message: message, schemaURL: schemaURL, into: &builder.scratch)
        scope = builder.scopes.code(builder.scratch.bytes, count: builder.scratch.bytes.count)
        scopeHash = XXH3.hash(builder.scratch.bytes)
    }

    /// Appends the row's identity.
    @inline(__always)
    package func append<Builder: IdentityColumns & ~Copyable>(to builder: inout Builder) {
        builder.serviceNames.append(code: service)
        builder.resources.append(code: resource)
        builder.scopes.append(code: scope)
    }
}
