internal import Columns
internal import Core
internal import Observability
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
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
    /// Given on the query's own thread, which alone uses it.
    var resources: LogDecodedEntries<LogResource>?
    private let identities: LogIdentities
    private var batch: ColumnBatch
    /// The metadata of the rows, once an entry was made of one.
    var labels: LogBlockLabels?
    private var decodedScopes: LogDecodedEntries<LogScope>?
    /// Nil if all columns are there.
    private let origin: ScanBlock.Origin?
    /// The memory of the columns that the scan read.
    private let lease: MemoryLease?
    private let context: QueryContext
    private var heldBytes = 0
    private var knownBodyTypes: Buffer<Int64>??
    /// Whether a column could not be read: what was thrown then concerns this block alone, and the answer has a warning.
    private(set) var isLeftOut = false

    init(
        _ block: ScanBlock, table: LogTable, identities: LogIdentities, context: QueryContext
    ) {
        self.table = table
        self.identities = identities
        origin = block.origin
        lease = block.lease
        self.context = context
        rows = block.rows
        source = block.source
        firstRow = block.firstRow
        batch = block.batch
        times = block.batch[table.time]
        resourceCodes = block.batch[table.resource].codes
    }

    deinit { context.release(bytes: heldBytes) }

    private func hold(bytes: Int) throws(QueryError) {
        heldBytes += bytes
        try context.charge(bytes: bytes)
    }

    var resourceDictionary: StringDictionary { batch[table.resource].dictionary }

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
        let column: Column
        do throws(PartError) {
            column = try origin.part.read(ordinal, block: origin.block, statistics: statistics)
        } catch {
            if let warning = origin.handle.leaveOut(error, block: origin.block) {
                isLeftOut = true
                statistics.warn(warning)
            }
            throw .storage(StorageError.part(path: origin.handle.path, error).description)
        }
        batch.columns[ordinal] = column
        try hold(bytes: column.heldBytes)
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

    /// The times of the rows from a place in `rows` on that have the same resource; moves the place behind them.
    private func takeTimes(from place: inout Int) -> [Timestamp] {
        let (times, codes, rows) = (times, resourceCodes, rows)
        let code = codes[Int(rows[place])]
        let first = place
        while place < rows.count, codes.base[Int(rows[place])] == code { place += 1 }
        return rows[first..<place].map { Timestamp(nanoseconds: times.base[Int($0)]) }
    }

    /// The times of runs of rows that have the same resource, and a row of each.
    func timesByResource() -> [(row: Int, times: [Timestamp])] {
        var runs: [(row: Int, times: [Timestamp])] = []
        var place = 0
        while place < rows.count {
            let row = Int(rows[place])
            runs.append((row, takeTimes(from: &place)))
        }
        return runs
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
            types = column.unsafeElements.allSatisfy { $0 == string } ? nil : column
        }
        knownBodyTypes = .some(types)
        return types
    }

    func body(_ row: Int) throws(QueryError) -> AttributeValue {
        let bodies = try self[table.body]
        if let types = try bodyTypes(), types[row] != Int64(AttributeType.string.rawValue) {
            return AnyValue.decode(ProtobufSlice(bodies.bytes(row)))
        }
        return .string(bodies.string(row))
    }

    /// A body as text (rule M-5).
    func line(_ row: Int) throws(QueryError) -> String { try body(row).text }

    /// The length of each row's line, in UTF-8.
    func lineLengths() throws(QueryError) -> [Int] {
        let bodies = try self[table.body]
        let types = try bodyTypes()
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
