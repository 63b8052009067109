internal import Columns
internal import Core
internal import Parts
package import QueryModel
package import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Names and values of attributes, from what parts know of themselves: lists of subcolumns in footers, dictionaries, and blocks only
/// where values have no dictionary, of which few are read.
extension TraceReader: AttributeSource {
    package func attributeNames(
        _ query: AttributeNamesQuery, context: QueryContext
    ) throws(QueryError) -> Completions<AttributeName> {
        var names = NameCollector(query)
        try forEachSource(query.range, context) { batch throws(QueryInterruption) in
            names.add(batch, table)
        } part: { part, handle in
            try add(part, handle, query, context, to: &names)
        } goesOn: {
            true
        }
        return names.completions
    }

    package func attributeValues(
        _ query: AttributeValuesQuery, context: QueryContext
    ) throws(QueryError) -> Completions<AttributeValueText> {
        var values = ValueCollector(query)
        try forEachSource(query.names.range, context) { batch throws(QueryInterruption) in
            try values.add(batch, table, context)
        } part: { part, _ in
            try values.add(part, table, context)
        } goesOn: {
            !values.isFull
        }
        return values.completions
    }

    /// Memory first, then the parts, the newest first.
    private func forEachSource(
        _ range: TimeRange, _ context: QueryContext, memory: (ColumnBatch) throws(QueryInterruption) -> Void,
        part: (Part, PartHandle) throws -> Void, goesOn: () -> Bool
    ) throws(QueryError) {
        let snapshot = spans.snapshot(context.tenant, in: range)
        for batch in snapshot.memory where goesOn() {
            do throws(QueryInterruption) {
                try context.check()
                try memory(batch)
            } catch {
                throw .interrupted(error)
            }
        }
        for handle in snapshot.parts.sorted(by: { $0.record.greatestTime > $1.record.greatestTime }) where goesOn() {
            do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
            try SourceErrors.mapping { try context.reading(handle) { try part(handle.part(), handle) } }
        }
    }

    private func add(
        _ part: Part, _ handle: PartHandle, _ query: AttributeNamesQuery, _ context: QueryContext,
        to names: inout NameCollector
    ) throws {
        let places = AttributePlace.all(table).filter { query.scopes.contains($0.scope) }
        if let service = query.service.map({ Array($0.utf8) }) {
            if !places.isEmpty {
                let services = try attributeDirectory.services(of: handle.record.id) {
                    try AttributeDirectory.Services(part, table) { try context.check() }
                }
                for place in places {
                    let entries = place.subcolumns(part)
                    for number in services.subcolumns(place.scope, of: service) where entries.indices.contains(number) {
                        names.add(entries[number].key, entries[number].type, place.scope)
                    }
                }
            }
        } else {
            for place in places {
                for entry in place.subcolumns(part) { names.add(entry.key, entry.type, place.scope) }
            }
        }
        for (scope, column) in identityColumns where query.scopes.contains(scope) {
            if let dictionary = try part.dictionary(column.ordinal) { names.add(dictionary, scope) }
        }
    }

    private var identityColumns: [(scope: AttributeScopes, column: ColumnHandle<StringColumn>)] {
        [(.resource, table.resource), (.scope, table.scope)]
    }
}

/// Collects names, each once.
private struct NameCollector {
    private let query: AttributeNamesQuery
    private let prefix: [UInt8]
    private var found: [UInt8: Set<[UInt8]>] = [:]
    /// Resources and scopes come back in every part.
    private let identities = ByteMemo<[[UInt8]]>()
    private var isCut = false

    init(_ query: AttributeNamesQuery) {
        self.query = query
        prefix = Array(query.prefix.utf8)
    }

    mutating func add(_ key: [UInt8], _ type: AttributeType, _ scope: AttributeScopes) {
        // Under it are attributes beyond the limits, whose names nobody has written down.
        guard type != .overflow else {
            isCut = true
            return
        }
        guard key.starts(with: prefix) else { return }
        found[scope.rawValue, default: []].insert(key)
    }

    mutating func add(_ dictionary: StringDictionary, _ scope: AttributeScopes) {
        for entry in 0..<dictionary.count {
            let bytes = dictionary.span(entry)
            let keys = identities.value(of: bytes) { Self.keys(bytes, scope, service: query.service) }
            for key in keys { add(key, .empty, scope) }
        }
    }

    /// - Returns: none if it is of another service, which a scope does not tell.
    private static func keys(_ bytes: Span<UInt8>, _ scope: AttributeScopes, service: String?) -> [[UInt8]] {
        let message = scope == .resource ? IdentityMessage(resource: bytes) : IdentityMessage(scope: bytes)
        if scope == .resource, let service, message.serviceName != service { return [] }
        return message.attributes.map { Array($0.key.utf8) }
    }

    mutating func add(_ batch: ColumnBatch, _ table: SpanTable) {
        let services = batch[table.serviceName]
        for place in AttributePlace.all(table) where query.scopes.contains(place.scope) {
            guard let (attributes, nested) = place.attributes(batch) else { continue }
            var wanted: Set<Int> = Set(attributes.subcolumns.indices)
            if let service = query.service.map({ Array($0.utf8) }) {
                wanted = Self.subcolumns(attributes, nested, services, service)
            }
            for number in wanted {
                add(attributes.subcolumns[number].key, attributes.subcolumns[number].type, place.scope)
            }
        }
        for (scope, column) in [(AttributeScopes.resource, table.resource), (.scope, table.scope)]
        where query.scopes.contains(scope) {
            add(batch[column].dictionary, scope)
        }
    }

    /// The subcolumns that rows of a service have.
    private static func subcolumns(
        _ attributes: AttributesColumn, _ nested: NestedColumn?, _ services: StringColumn, _ service: [UInt8]
    ) -> Set<Int> {
        var shapes: Set<UInt32> = []
        let wanted = Set(services.dictionary.codes(equalTo: service))
        for row in services.codes.indices where wanted.contains(services.codes[row]) {
            if let nested {
                for inner in nested.range(row) { shapes.insert(attributes.shapes[inner]) }
            } else {
                shapes.insert(attributes.shapes[row])
            }
        }
        return Set(shapes.flatMap { attributes.subcolumnsOfShape[Int($0)].map { Int($0) } })
    }

    var completions: Completions<AttributeName> {
        var names = found.flatMap { scope, keys in
            keys.map {
                AttributeName(name: String(decoding: $0, as: UTF8.self), scope: AttributeScopes(rawValue: scope))
            }
        }
        names.sort { ($0.name, $0.scope.rawValue) < ($1.name, $1.scope.rawValue) }
        let isComplete = !isCut && names.count <= query.limit
        return Completions(found: Array(names.prefix(query.limit)), isComplete: isComplete)
    }
}

/// Collects values, each once, until there are as many as were asked for.
private struct ValueCollector {
    private let query: AttributeValuesQuery
    private let key: [UInt8]
    private let prefix: [UInt8]
    private let service: [UInt8]?
    private var found: Set<AttributeValueText> = []
    private let identities = ByteMemo<[AttributeValue]>()
    private var isCut = false
    private var blocksRead = 0

    /// Values without a dictionary are as many as rows: these many blocks tell what kind of values they are.
    private static let blockLimit = 128
    /// Longer texts complete nothing.
    private static let longestText = 512
    /// Bytes that a value takes, about.
    private static let footprint = 128

    init(_ query: AttributeValuesQuery) {
        self.query = query
        key = Array(query.name.utf8)
        prefix = Array(query.names.prefix.utf8)
        service = query.names.service.map { Array($0.utf8) }
    }

    /// One more than is wanted tells that there are more.
    var isFull: Bool { found.count > query.names.limit || blocksRead >= Self.blockLimit }

    var completions: Completions<AttributeValueText> {
        let sorted = found.sorted { ($0.text, $0.type.rawValue) < ($1.text, $1.type.rawValue) }
        return Completions(
            found: Array(sorted.prefix(query.names.limit)),
            isComplete: !isCut && !isFull && sorted.count <= query.names.limit)
    }

    // MARK: Values

    private mutating func add(text bytes: Span<UInt8>, _ context: QueryContext) throws(QueryInterruption) {
        guard bytes.count >= prefix.count, bytes.extracting(..<prefix.count).isEqual(to: prefix.span),
            bytes.count <= Self.longestText
        else { return }
        try add(AttributeValueText(text: String(repairing: bytes), type: .string), context)
    }

    private mutating func add(_ value: AttributeValueText, _ context: QueryContext) throws(QueryInterruption) {
        if found.insert(value).inserted { try context.spend(bytes: Self.footprint) }
    }

    private mutating func add(_ value: AttributeValue, _ context: QueryContext) throws(QueryInterruption) {
        let type: AttributeValueText.ValueType
        switch value {
        case .string: type = .string
        case .int: type = .int
        case .double: type = .double
        case .bool: type = .bool
        case .empty, .bytes, .array, .map: return
        }
        let text = value.text
        guard text.utf8.starts(with: prefix), text.utf8.count <= Self.longestText else { return }
        try add(AttributeValueText(text: text, type: type), context)
    }

    /// Values of a subcolumn, in any order.
    private mutating func add(
        _ type: AttributeType, _ values: Column, _ slots: some Sequence<Int>, _ context: QueryContext
    ) throws(QueryInterruption) {
        switch (type, values) {
        case (.string, .strings(let strings)):
            var met: Set<UInt32> = []
            for slot in slots where !isFull && met.insert(strings.codes[slot]).inserted {
                try add(text: strings.span(slot), context)
            }
        case (.int, .integers(let integers)), (.bool, .integers(let integers)):
            var met: Set<Int64> = []
            for slot in slots where !isFull && met.insert(integers[slot]).inserted {
                try add(type == .int ? .int(integers[slot]) : .bool(integers[slot] != 0), context)
            }
        case (.double, .floats(let floats)):
            for slot in slots where !isFull { try add(.double(floats[slot]), context) }
        default: isCut = isCut || type == .overflow
        }
    }

    // MARK: Sources

    mutating func add(_ batch: ColumnBatch, _ table: SpanTable, _ context: QueryContext) throws(QueryInterruption) {
        for place in AttributePlace.all(table) where query.names.scopes.contains(place.scope) && !isFull {
            guard let (attributes, nested) = place.attributes(batch) else { continue }
            let owners = service == nil ? nil : nested.map(Self.owners)
            let services = batch[table.serviceName]
            let wanted = service.map { Set(services.dictionary.codes(equalTo: $0)) }
            for subcolumn in attributes.subcolumns(ofKey: key) {
                guard let values = attributes.subcolumns[subcolumn].values else { continue }
                var slots: [Int] = []
                attributes.forEachRow(inSubcolumn: subcolumn) { row, slot in
                    let owner = owners.map { Int($0[row]) } ?? row
                    if let wanted, !wanted.contains(services.codes[owner]) { return }
                    slots.append(slot)
                }
                try add(attributes.subcolumns[subcolumn].type, values, slots, context)
            }
        }
        try addIdentities(.resource, batch[table.resource].dictionary, context)
        try addIdentities(.scope, batch[table.scope].dictionary, context)
    }

    /// By inner row: the row that it is in.
    private static func owners(_ nested: NestedColumn) -> [UInt32] {
        (0..<nested.count).flatMap { row in nested.range(row).map { _ in UInt32(truncatingIfNeeded: row) } }
    }

    mutating func add(_ part: Part, _ table: SpanTable, _ context: QueryContext) throws {
        if query.names.scopes.contains(.resource), let dictionary = try part.dictionary(table.resource.ordinal) {
            try addIdentities(.resource, dictionary, context)
        }
        if query.names.scopes.contains(.scope), let dictionary = try part.dictionary(table.scope.ordinal) {
            try addIdentities(.scope, dictionary, context)
        }
        for place in AttributePlace.all(table) where query.names.scopes.contains(place.scope) && !isFull {
            let column = place.column(part)
            let entries = place.subcolumns(part)
            isCut = isCut || entries.contains { $0.type == .overflow }
            for (number, entry) in entries.enumerated()
            where entry.key == key && Self.completes(entry.type) && !isFull {
                let leaf = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(truncatingIfNeeded: number))
                if service == nil, let facts = part.dictionaryFacts(of: leaf) {
                    let dictionary = try part.dictionary(facts, of: leaf)
                    for entry in 0..<dictionary.count where !isFull { try add(text: dictionary.span(entry), context) }
                } else {
                    try addBlocks(part, place, entry, table, context)
                }
            }
        }
    }

    /// Whether values of a type are offered: the others have no text that a condition could name.
    private static func completes(_ type: AttributeType) -> Bool {
        switch type {
        case .string, .bool, .int, .double: true
        default: false
        }
    }

    private mutating func addBlocks(
        _ part: Part, _ place: AttributePlace, _ entry: SubcolumnEntry, _ table: SpanTable, _ context: QueryContext
    ) throws {
        for block in (0..<part.blockCount).reversed() where !isFull {
            try context.check()
            let zone = part.zone(table.startTime.ordinal, block: block)
            if let zone,
                !query.names.range.overlaps(
                    first: Timestamp(nanoseconds: zone.lowerBound), last: Timestamp(nanoseconds: zone.upperBound))
            {
                continue
            }
            blocksRead += 1
            var services: (column: StringColumn, wanted: Set<UInt32>)?
            if let service, case .strings(let column) = try part.read(table.serviceName.ordinal, block: block) {
                services = (column, Set(column.dictionary.codes(equalTo: service)))
            }
            func isWanted(_ row: Int) -> Bool { services.map { $0.wanted.contains($0.column.codes[row]) } ?? true }
            if place.field == nil {
                for subcolumn in try part.readSubcolumns(place.ordinal, key: key, block: block)
                where subcolumn.type == entry.type {
                    let slots = subcolumn.rows.indices.filter { isWanted(Int(subcolumn.rows[$0])) }
                    try add(subcolumn.type, subcolumn.values, slots, context)
                }
            } else if case .nested(let nested) = try part.read(place.ordinal, block: block), let field = place.field,
                case .attributes(let attributes) = nested.fields[field]
            {
                let owners = Self.owners(nested)
                for subcolumn in attributes.subcolumns(ofKey: key)
                where attributes.subcolumns[subcolumn].type == entry.type {
                    guard let values = attributes.subcolumns[subcolumn].values else { continue }
                    var slots: [Int] = []
                    attributes.forEachRow(inSubcolumn: subcolumn) { row, slot in
                        if isWanted(Int(owners[row])) { slots.append(slot) }
                    }
                    try add(entry.type, values, slots, context)
                }
            }
        }
    }

    private mutating func addIdentities(
        _ scope: AttributeScopes, _ dictionary: StringDictionary, _ context: QueryContext
    ) throws(QueryInterruption) {
        guard query.names.scopes.contains(scope) else { return }
        for entry in 0..<dictionary.count where !isFull {
            let bytes = dictionary.span(entry)
            guard bytes.index(of: key.span) != nil else { continue }
            let values = identities.value(of: bytes) {
                let message = scope == .resource ? IdentityMessage(resource: bytes) : IdentityMessage(scope: bytes)
                if scope == .resource, let service = query.names.service, message.serviceName != service { return [] }
                return message.attributes.filter { $0.key == query.name }.map(\.value)
            }
            for value in values { try add(value, context) }
        }
    }
}

extension IdentityMessage {
    /// As the table has it.
    fileprivate var serviceName: String {
        guard case .string(let name)? = attributes.last(where: { $0.key == "service.name" })?.value else { return "" }
        return name
    }
}
