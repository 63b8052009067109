internal import Columns
internal import Core
internal import Encoding
internal import Observability
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
private import Synchronization
internal import Telemetry

/// The rows of one block that passed so far. Columns are read when they are first wanted, since of most blocks few rows, or
/// none, end up in an answer; they count against the query's limit while the block lives.
final class LogBlock {
    let table: LogTable
    /// Ascending.
    var rows: [UInt32]
    let times: Buffer<Int64>
    let source: UInt64
    let firstRow: Int
    let resourceCodes: Buffer<UInt32>
    /// Given by the thread that has the block, which alone uses it.
    var resources: LogDecodedEntries<LogResource>?
    private let identities: LogIdentities
    private var batch: ColumnBatch
    /// The metadata of the rows, once an entry was made of one.
    var labels: LogBlockLabels?
    private var decodedScopes: LogDecodedEntries<LogScope>?
    /// Nil if all columns are there.
    let origin: ScanBlock.Origin?
    /// As of `ScanRequest`.
    private let isSearch: Bool
    /// The memory of the columns that the scan read.
    private let lease: MemoryLease?
    let context: QueryContext
    private var heldBytes = 0
    private var knownBodyTypes: Buffer<Int64>??
    /// The bodies, not yet put together; nil if it is not known whether they are stored so.
    private var knownTemplates: TemplatedTexts??
    /// Whether a column could not be read: what was thrown then concerns this block alone, and the answer has a warning.
    private(set) var isLeftOut = false

    convenience init(
        _ block: ScanBlock, isSearch: Bool, table: LogTable, identities: LogIdentities, context: QueryContext
    ) {
        self.init(
            block.batch, rows: block.rows, rank: (block.source, block.firstRow), origin: block.origin,
            isSearch: isSearch, lease: block.lease, table: table, identities: identities, context: context)
    }

    init(
        _ batch: ColumnBatch, rows: [UInt32], rank: (source: UInt64, firstRow: Int), origin: ScanBlock.Origin? = nil,
        isSearch: Bool = false, lease: MemoryLease?, table: LogTable, identities: LogIdentities, context: QueryContext
    ) {
        self.table = table
        self.identities = identities
        self.origin = origin
        self.isSearch = isSearch
        self.lease = lease
        self.context = context
        self.rows = rows
        self.batch = batch
        (source, firstRow) = rank
        times = batch[table.time]
        resourceCodes = batch[table.resource].codes
    }

    deinit { context.release(bytes: heldBytes) }

    func hold(bytes: Int) throws(QueryError) {
        heldBytes += bytes
        try context.charge(bytes: bytes)
    }

    var resourceDictionary: StringDictionary { batch[table.resource].dictionary }

    /// The codes of the resources that the rows of the scan have.
    private(set) lazy var usedResources: [Int] = {
        var used = Set<Int>()
        var last: UInt32?
        for row in rows where resourceCodes[Int(row)] != last {
            last = resourceCodes[Int(row)]
            used.insert(Int(resourceCodes[Int(row)]))
        }
        return used.sorted()
    }()

    /// Of a block in memory.
    var memoryAttributes: AttributesColumn { batch[table.attributes] }

    func resource(_ row: Int) -> LogResource {
        guard let resources else { preconditionFailure("resources are known on the query's own thread") }
        return resources[Int(resourceCodes[row])]
    }

    func scope(_ row: Int) throws(QueryError) -> LogScope {
        let column = try self[table.scope]
        if let decodedScopes { return decodedScopes[Int(column.codes[row])] }
        let identities = identities
        let scopes = LogDecodedEntries(column.dictionary) { identities.scope($0) }
        decodedScopes = scopes
        return scopes[Int(column.codes[row])]
    }

    // MARK: Columns

    private func load(_ ordinal: Int) throws(QueryError) {
        guard batch.columns[ordinal] == nil, let origin else { return }
        let statistics = context.statistics
        let templates = ordinal == table.body.ordinal ? try templatedBodies() : nil
        let column = try reading(origin) { (part) throws(PartError) -> Column in
            guard let templates else {
                // Of few rows only what these have of attributes is read.
                let fewRows = rows.count <= times.count / 8 ? rows : nil
                return try part.read(
                    ordinal, block: origin.block, wanted: fewRows, keepsPages: isSearch, statistics: statistics)
            }
            // Rows that were left out are not asked for again.
            let wanted = rows.count < templates.count ? rows : nil
            return .strings(try part.column(of: templates, rows: wanted, ordinal, block: origin.block))
        }
        batch.columns[ordinal] = column
        try hold(bytes: column.heldBytes)
    }

    /// The bodies as templates, if they are stored so and nobody has put them together yet.
    ///
    /// Bodies that are read later are those of the rows that are left then: of others the column has none.
    private func templatedBodies() throws(QueryError) -> TemplatedTexts? {
        if let knownTemplates { return knownTemplates }
        let statistics = context.statistics
        let ordinal = table.body.ordinal
        guard batch.columns[ordinal] == nil, let origin else { return nil }
        let found = try reading(origin) { (part) throws(PartError) in
            try part.templatedTexts(ordinal, block: origin.block, statistics: statistics)
        }
        knownTemplates = .some(found)
        if let found { try hold(bytes: found.byteCount) }
        return found
    }

    /// Keeps the rows whose body passes all tests, by the templates of the bodies.
    ///
    /// - Returns: false if they are not stored so: nothing was done then.
    func keepBodies(_ rows: inout [UInt32], passing tests: [TextTest]) throws(QueryError) -> Bool {
        guard let origin, let texts = try templatedBodies() else { return false }
        let ordinal = table.body.ordinal
        var kept = rows
        let bytes = try reading(origin) { (part) throws(PartError) in
            try part.keep(&kept, of: texts, passing: tests, ordinal, block: origin.block)
        }
        rows = kept
        context.statistics.bytesDecoded.add(bytes, ordering: .relaxed)
        return true
    }

    func reading<Result>(
        _ origin: ScanBlock.Origin, _ body: (Part) throws(PartError) -> Result
    ) throws(QueryError) -> Result {
        do throws(PartError) {
            return try body(origin.part)
        } catch {
            if let warning = origin.handle.leaveOut(error, block: origin.block) {
                isLeftOut = true
                context.statistics.warn(warning)
            }
            throw .storage(StorageError.part(path: origin.handle.path, error).description)
        }
    }

    subscript(handle: ColumnHandle<Int64>) -> Buffer<Int64> {
        get throws(QueryError) {
            try load(handle.ordinal)
            return batch[handle]
        }
    }

    subscript(handle: ColumnHandle<StringColumn>) -> StringColumn {
        get throws(QueryError) {
            try load(handle.ordinal)
            return batch[handle]
        }
    }

    subscript(handle: ColumnHandle<FixedColumn>) -> FixedColumn {
        get throws(QueryError) {
            try load(handle.ordinal)
            return batch[handle]
        }
    }

    subscript(handle: ColumnHandle<AttributesColumn>) -> AttributesColumn {
        get throws(QueryError) {
            try load(handle.ordinal)
            return batch[handle]
        }
    }

    /// The keys of all attributes that rows of the block may have; an empty one for those beyond the limits.
    var attributeKeys: [[UInt8]] {
        if let origin { return origin.part.attributeKeys(table.attributes.ordinal) }
        return batch[table.attributes].subcolumns.map(\.key)
    }

    // MARK: Lines

    /// The bodies' types, or nil if all of them are strings.
    func bodyTypes() throws(QueryError) -> Buffer<Int64>? {
        if let knownBodyTypes { return knownBodyTypes }
        let string = Int64(AttributeType.string.rawValue)
        let types: Buffer<Int64>?
        if let origin, origin.part.zone(table.bodyType.ordinal, block: origin.block) == string...string {
            types = nil
        } else {
            let column = try self[table.bodyType]
            types = column.allSatisfy { $0 == string } ? nil : column
        }
        knownBodyTypes = .some(types)
        return types
    }

    func body(_ row: Int) throws(QueryError) -> AttributeValue {
        let bodies = try self[table.body]
        if let types = try bodyTypes(), types[row] != Int64(AttributeType.string.rawValue) {
            return AnyValue.decode(bodies.span(row))
        }
        return .string(bodies.string(row))
    }

    /// A body as text (rule M-5).
    func line(_ row: Int) throws(QueryError) -> String { try body(row).text }

    /// The length of each row's line, in UTF-8.
    func lineLengths() throws(QueryError) -> [Int] {
        let types = try bodyTypes()
        if types == nil, let origin, let texts = try templatedBodies() {
            let wanted = rows.count < texts.count ? rows : nil
            let lengths = try reading(origin) { (part) throws(PartError) in
                try part.lengths(of: texts, rows: wanted, table.body.ordinal, block: origin.block)
            }
            return rows.map { Int(lengths[Int($0)]) }
        }
        let bodies = try self[table.body]
        var lengths: [Int] = []
        lengths.reserveCapacity(rows.count)
        for row in rows {
            if let types, types[Int(row)] != Int64(AttributeType.string.rawValue) {
                lengths.append(try line(Int(row)).utf8.count)
            } else {
                lengths.append(bodies.dictionary.length(Int(bodies.codes[Int(row)])))
            }
        }
        return lengths
    }
}
