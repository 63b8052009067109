internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Storage
private import Synchronization
internal import Telemetry

/// Where an attribute of a record, a resource or a scope may become a label named as one of the fields of ids. Of a part this is found
/// once, since parts never change.
final class LogIDLookalikes: Sendable {
    struct Found: OptionSet {
        let rawValue: UInt8
        static let trace = Found(rawValue: 1)
        static let span = Found(rawValue: 2)
    }

    private static let names: [(name: String, found: Found)] = [("trace_id", .trace), ("span_id", .span)]
    /// Parts that are remembered; then all begin anew, without those that are gone.
    private static let limit = 1 << 16

    private let identities: LogIdentities
    private let known = Mutex<[PartID: Found]>([:])

    init(_ identities: LogIdentities) { self.identities = identities }

    func find(in batch: ColumnBatch, _ table: LogTable) -> Found {
        find(
            keys: batch[table.attributes].subcolumns.map(\.key), resources: batch[table.resource].dictionary,
            scopes: batch[table.scope].dictionary)
    }

    func find(in part: Part, _ id: PartID, _ table: LogTable) throws(PartError) -> Found {
        if let found = known.withLock({ $0[id] }) { return found }
        let found = find(
            keys: part.attributeKeys(table.attributes.ordinal),
            resources: try part.dictionary(table.resource.ordinal), scopes: try part.dictionary(table.scope.ordinal))
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[id] = found
        }
        return found
    }

    private func find(keys: [[UInt8]], resources: StringDictionary?, scopes: StringDictionary?) -> Found {
        var found: Found = []
        for (name, id) in Self.names where keys.contains(where: { LogLabelName.canMake(name, from: $0) }) {
            found.insert(id)
        }
        note(resources, &found) { identities.resource($0).metadata }
        note(scopes, &found) { identities.scope($0).metadata }
        return found
    }

    /// A part without a dictionary may have anything.
    private func note(
        _ dictionary: StringDictionary?, _ found: inout Found, _ metadata: (Span<UInt8>) -> [Label]
    ) {
        guard let dictionary else { return found.formUnion([.trace, .span]) }
        for entry in 0..<dictionary.count {
            for label in metadata(dictionary.span(entry)) {
                for (name, id) in Self.names where label.name == name { found.insert(id) }
            }
        }
    }
}

extension LogLabelName {
    /// Whether an attribute with that key can become the label: by its own name, by a member's if it is a map, or, for the
    /// empty key of the attributes beyond the limits, by whatever they are.
    static func canMake(_ label: String, from key: [UInt8]) -> Bool {
        canMake(label, fromName: sanitized(String(decoding: key, as: UTF8.self)))
    }

    /// - Parameter name: of the attribute's key, as a label would have it.
    static func canMake(_ label: String, fromName name: String) -> Bool {
        name.isEmpty || label == name || label.hasPrefix(name.hasSuffix("_") ? name : name + "_")
    }
}
