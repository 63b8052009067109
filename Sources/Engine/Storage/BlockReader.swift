internal import Columns
internal import Parts
internal import Scheduling
private import Synchronization
internal import TableSchema

/// Reads one block of a part: first what filters look at, the cheapest of them first, and the rest only if rows are left.
struct BlockReader {
    private let part: Part
    private let block: Int
    private let keepsPages: Bool
    private let context: QueryContext
    private(set) var batch: ColumnBatch
    private(set) var selection: RowSelection
    /// The memory of the columns that were read.
    let lease: MemoryLease

    init(_ part: Part, block: Int, keepsPages: Bool = false, context: QueryContext) {
        self.keepsPages = keepsPages
        self.part = part
        self.block = block
        self.context = context
        let count = part.rowCount(ofBlock: block)
        batch = ColumnBatch(rowCount: count, columns: Array(repeating: nil, count: part.table.columns.count))
        selection = RowSelection(rowCount: count)
        lease = MemoryLease(context)
    }

    mutating func keep(_ filters: [BoundFilter]) throws {
        for filter in filters where !selection.isEmpty {
            if !filter.isCertain(part, block: block) { try keep(filter) }
        }
    }

    private mutating func keep(_ filter: BoundFilter) throws {
        switch filter {
        case .always, .indexed: break
        case .never: selection.removeAll()
        case .allOf(let filters): try keep(filters)
        case .integers(let column, let range):
            try load(column)
            RowFilters.keepIntegers(&selection, batch.columns[column], range)
        case .codes(let column, let accepted, _):
            try load(column)
            RowFilters.keepCodes(&selection, batch.columns[column], accepted)
        case .strings(let column, let accepts):
            try load(column)
            RowFilters.keepStrings(&selection, batch.columns[column], accepts)
        case .ids(let column, let ids):
            try load(column)
            RowFilters.keepIDs(&selection, batch.columns[column], ids)
        case .attribute(let column, let key, let accepts, let known):
            let subcolumns = try part.readSubcolumns(
                column, key: key, block: block, keepsPages: keepsPages, statistics: context.statistics)
            RowFilters.keepAttributes(&selection, subcolumns, known: known, accepts)
        case .nestedAttribute(let column, let field, let key, let accepts):
            try load(column)
            RowFilters.keepNested(&selection, batch.columns[column], field: field, key: key, accepts)
        case .anyOf(let filters):
            let before = selection
            var kept = RowBitmap(rowCount: before.rowCount)
            var rest = before
            for filter in filters where !rest.isEmpty {
                selection = rest
                if !filter.isCertain(part, block: block) { try keep(filter) }
                selection.insert(into: &kept)
                rest.remove(kept)
            }
            selection = before
            selection.keep(in: kept)
        }
    }

    private mutating func load(_ column: Int) throws { try load(column, wanted: nil) }

    /// Reads a column that no filter has read, as far as the rows that are left need it: no filter can come after that.
    mutating func loadSelected(_ column: Int) throws {
        try load(column, wanted: selection.isWhole ? nil : selection.rows)
    }

    private mutating func load(_ column: Int, wanted: [UInt32]?) throws {
        guard batch.columns[column] == nil else { return }
        try lease.extend(bytes: part.decodedBytes(ofColumn: column, block: block))
        batch.columns[column] = try part.read(
            column, block: block, wanted: wanted, keepsPages: keepsPages, statistics: context.statistics)
    }

    /// As for a block, of rows in memory.
    static func keep(_ selection: inout RowSelection, _ filter: BoundFilter, _ batch: ColumnBatch) {
        switch filter {
        case .always, .indexed: break
        case .never: selection.removeAll()
        case .allOf(let filters):
            for filter in filters where !selection.isEmpty { keep(&selection, filter, batch) }
        case .integers(let column, let range):
            RowFilters.keepIntegers(&selection, batch.columns[column], range)
        case .codes(let column, let accepted, _):
            RowFilters.keepCodes(&selection, batch.columns[column], accepted)
        case .strings(let column, let accepts):
            RowFilters.keepStrings(&selection, batch.columns[column], accepts)
        case .ids(let column, let ids):
            RowFilters.keepIDs(&selection, batch.columns[column], ids)
        case .attribute(let column, let key, let accepts, _):
            guard case .attributes(let values)? = batch.columns[column] else {
                preconditionFailure("a filter fits the type of its column")
            }
            RowFilters.keepAttributes(&selection, values, key, accepts)
        case .nestedAttribute(let column, let field, let key, let accepts):
            RowFilters.keepNested(&selection, batch.columns[column], field: field, key: key, accepts)
        case .anyOf(let filters):
            var kept = RowBitmap(rowCount: selection.rowCount)
            for filter in filters {
                var some = selection
                keep(&some, filter, batch)
                some.insert(into: &kept)
            }
            selection.keep(in: kept)
        }
    }
}
