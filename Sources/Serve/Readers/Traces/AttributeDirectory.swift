internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Storage
private import Synchronization
internal import TableSchema
internal import Telemetry

/// Which attributes the spans of each service have in a part, by the numbers of their subcolumns: found by reading two columns once,
/// and kept, since parts never change.
final class AttributeDirectory: Sendable {
    /// By scope's column, and by the service's name as stored: the subcolumns that its spans have.
    struct Services: Sendable {
        var span: [[UInt8]: Set<Int>] = [:]
        var event: [[UInt8]: Set<Int>] = [:]
        var link: [[UInt8]: Set<Int>] = [:]

        /// About how many bytes they take.
        var byteCount: Int {
            [span, event, link].reduce(256) { sum, services in
                services.reduce(sum) { $0 + 96 + $1.key.count + 16 * $1.value.count }
            }
        }
    }

    private struct Known {
        var services: [PartID: Services] = [:]
        var bytes = 0
    }

    private static let byteLimit = 16 << 20

    private let known = Mutex(Known())

    /// - Parameter find: gives those of a part that is not known.
    func services<Failure: Error>(
        of part: PartID, find: () throws(Failure) -> Services
    ) throws(Failure) -> Services {
        if let services = known.withLock({ $0.services[part] }) { return services }
        let found = try find()
        let bytes = found.byteCount
        known.withLock { known in
            // Parts that are gone stay until there is no room; then all begin anew.
            if known.bytes + bytes > Self.byteLimit { known = Known() }
            guard bytes <= Self.byteLimit / 2, known.services.updateValue(found, forKey: part) == nil else { return }
            known.bytes += bytes
        }
        return found
    }
}

/// Where the attributes of a span, or of its events or links, are in a part.
struct AttributePlace {
    let scope: AttributeScopes
    /// Its place in the table.
    let ordinal: Int
    /// Of a nested column.
    let field: Int?

    static func all(_ table: SpanTable) -> [AttributePlace] {
        [
            AttributePlace(scope: .span, ordinal: table.attributes.ordinal, field: nil),
            AttributePlace(scope: .event, ordinal: table.events.ordinal, field: SpanTable.EventField.attributes),
            AttributePlace(scope: .link, ordinal: table.links.ordinal, field: SpanTable.LinkField.attributes),
        ]
    }

    /// The number of the column of attributes in Schema/LOCK.
    func column(_ part: Part) -> UInt16 {
        let column = part.table.columns[ordinal]
        guard let field, case .nested(let fields) = column.type else { return column.id.number }
        return fields[field].id.number
    }

    func subcolumns(_ part: Part) -> [SubcolumnEntry] { part.shapes(ofColumn: column(part))?.subcolumns ?? [] }

    /// The attributes of a batch, and for each of their rows, if they are nested, the span's.
    func attributes(_ batch: ColumnBatch) -> (AttributesColumn, NestedColumn?)? {
        switch (batch.columns[ordinal], field) {
        case (.attributes(let attributes)?, nil): return (attributes, nil)
        case (.nested(let nested)?, let field?):
            guard case .attributes(let attributes) = nested.fields[field] else { return nil }
            return (attributes, nested)
        default: return nil
        }
    }
}

extension AttributeDirectory.Services {
    /// Reads the services and the shapes of a part.
    init(_ part: Part, _ table: SpanTable, check: () throws -> Void) throws {
        for place in AttributePlace.all(table) {
            let column = place.column(part)
            guard let entry = part.shapes(ofColumn: column), !entry.subcolumns.isEmpty else { continue }
            var met: [[UInt8]: Set<UInt32>] = [:]
            for block in 0..<part.blockCount {
                try check()
                let count = part.valueCount(of: LeafKey(column: column, role: .shapes), block: block)
                guard count > 0, case .strings(let services) = try part.read(table.serviceName.ordinal, block: block),
                    case .naturals(let shapes)? = try part.values(
                        of: LeafKey(column: column, role: .shapes), kinds: [.naturals], count: count, block: block)
                else { continue }
                var last: (service: UInt32, shape: UInt32)?
                func meet(_ service: UInt32, _ shape: UInt32) {
                    if let last, last == (service, shape) { return }
                    last = (service, shape)
                    met[Array(copying: services.dictionary.span(Int(service))), default: []].insert(shape)
                }
                if place.field == nil {
                    for row in 0..<min(count, services.codes.count) { meet(services.codes[row], shapes[row]) }
                } else {
                    let outer = part.table.columns[place.ordinal].id.number
                    let offsets = try part.offsets(ofColumn: outer, rows: services.codes.count, block: block)
                    for row in 0..<services.codes.count {
                        for inner in offsets[row]..<offsets[row + 1] where Int(inner) < count {
                            meet(services.codes[row], shapes[Int(inner)])
                        }
                    }
                }
            }
            let subcolumns = met.mapValues { shapes in Set(shapes.flatMap { entry.shapes[Int($0)].map { Int($0) } }) }
            switch place.scope {
            case .span: span = subcolumns
            case .event: event = subcolumns
            default: link = subcolumns
            }
        }
    }

    func subcolumns(_ scope: AttributeScopes, of service: [UInt8]) -> Set<Int> {
        let services = scope == .span ? span : scope == .event ? event : link
        return services[service] ?? []
    }
}
