package import Columns
internal import Core
internal import Parts
internal import Scheduling
private import Synchronization
internal import TableSchema

/// Reads one block of a part, or some rows in memory: first what filters look at, the cheapest of them first, and the rest only if
/// rows are left and somebody asks.
package struct BlockReader {
    private enum Source {
        case part(Part, block: Int)
        case memory(ColumnBatch, Range<Int>)
    }

    private let source: Source
    private let keepsPages: Bool
    private let context: QueryContext
    private let conditions: [BoundFilter]
    package let rowCount: Int
    /// What was read.
    private(set) var batch: ColumnBatch
    package private(set) var selection: RowSelection
    /// The memory of the columns that were read.
    let lease: MemoryLease

    /// - Parameter conditions: what may be asked about rows that are left.
    init(
        _ part: Part, block: Int, keepsPages: Bool = false, conditions: [BoundFilter] = [], context: QueryContext
    ) {
        source = .part(part, block: block)
        self.keepsPages = keepsPages
        self.conditions = conditions
        self.context = context
        rowCount = part.rowCount(ofBlock: block)
        batch = ColumnBatch(rowCount: rowCount, columns: Array(repeating: nil, count: part.table.columns.count))
        selection = RowSelection(rowCount: rowCount)
        lease = MemoryLease(context)
    }

    init(_ whole: ColumnBatch, rows: Range<Int>, conditions: [BoundFilter] = [], context: QueryContext) {
        source = .memory(whole, rows)
        keepsPages = false
        self.conditions = conditions
        self.context = context
        rowCount = rows.count
        batch = whole.slice(rows, columns: [])
        selection = RowSelection(rowCount: rowCount)
        lease = MemoryLease(context)
    }

    // MARK: What zones and dictionaries tell

    /// The least and greatest value of an integer column, or of its codes in a sorted dictionary; nil if unknown.
    package func zone(_ ordinal: Int) -> ClosedRange<Int64>? {
        guard case .part(let part, let block) = source else { return nil }
        return part.zone(ordinal, block: block)
    }

    /// The dictionary of a string column of a part that has one.
    package func dictionary(_ ordinal: Int) throws -> StringDictionary? {
        guard case .part(let part, _) = source else { return nil }
        return try part.dictionary(ordinal)
    }

    // MARK: Columns

    /// All values of a column.
    package mutating func column(_ ordinal: Int) throws -> Column {
        try load(ordinal)
        guard let column = batch.columns[ordinal] else { preconditionFailure("rows in memory have all columns") }
        return column
    }

    /// The values of a key of a column of attributes, and of attributes for which there was no subcolumn, with the rows that have
    /// them.
    package mutating func subcolumns(
        _ ordinal: Int, key: [UInt8]
    ) throws -> [(type: AttributeType, rows: [UInt32], values: Column)] {
        switch source {
        case .part(let part, let block):
            return try part.readSubcolumns(
                ordinal, key: key, block: block, keepsPages: keepsPages, statistics: context.statistics)
        case .memory:
            guard case .attributes(let column) = try column(ordinal) else {
                preconditionFailure("a plan was checked against its table")
            }
            return RowFilters.subcolumns(of: column, key)
        }
    }

    private mutating func load(_ column: Int) throws { try load(column, wanted: nil) }

    /// Reads a column that no filter has read, as far as the rows that are left need it: no filter can come after that.
    mutating func loadSelected(_ column: Int) throws {
        try load(column, wanted: selection.isWhole ? nil : selection.rows)
    }

    private mutating func load(_ column: Int, wanted: [UInt32]?) throws {
        guard batch.columns[column] == nil else { return }
        switch source {
        case .part(let part, let block):
            try lease.extend(bytes: part.decodedBytes(ofColumn: column, block: block))
            batch.columns[column] = try part.read(
                column, block: block, wanted: wanted, keepsPages: keepsPages, statistics: context.statistics)
        case .memory(let whole, let rows): batch.columns[column] = whole.columns[column]?.slice(rows)
        }
    }

    // MARK: Filters

    /// Those of the rows that are left of which a condition holds.
    package mutating func selection(ofCondition number: Int) throws -> RowSelection {
        let before = selection
        try keep(conditions[number...number])
        defer { selection = before }
        return selection
    }

    mutating func keep(_ filters: ArraySlice<BoundFilter>) throws {
        for filter in filters where !selection.isEmpty {
            switch source {
            case .part(let part, let block):
                if filter.isCertain(part, block: block) { continue }
                if filter.isRuledOut(part, block: block) { selection.removeAll() } else { try keep(filter) }
            case .memory:
                for column in filter.columns { try load(column) }
                Self.keep(&selection, filter, batch)
            }
        }
    }

    private mutating func keep(_ filter: BoundFilter) throws {
        guard case .part(let part, let block) = source else { preconditionFailure("memory has a way of its own") }
        switch filter {
        case .always, .indexed: break
        case .never: selection.removeAll()
        case .allOf(let filters): try keep(filters[...])
        case .not(let filter):
            var rest = selection
            try keep([filter])
            var kept = RowBitmap(rowCount: rest.rowCount)
            selection.insert(into: &kept)
            rest.remove(kept)
            selection = rest
        case .attribute(let column, let key, let accepts, let known):
            let subcolumns = try part.readSubcolumns(
                column, key: key, block: block, keepsPages: keepsPages, statistics: context.statistics)
            RowFilters.keepAttributes(&selection, subcolumns, known: known, accepts)
        case .anyElement(let column, let filter):
            guard batch.columns[column] == nil else { return Self.keep(&selection, .anyElement(column, filter), batch) }
            try lease.extend(bytes: part.decodedBytes(ofColumn: column, block: block))
            let (offsets, fields) = try part.readFields(
                column, fields: filter.columns, block: block, keepsPages: keepsPages, statistics: context.statistics)
            RowFilters.keepElements(&selection, offsets: offsets, fields, filter)
        case .anyOf(let filters):
            let before = selection
            var kept = RowBitmap(rowCount: before.rowCount)
            var rest = before
            for filter in filters where !rest.isEmpty {
                selection = rest
                try keep([filter])
                selection.insert(into: &kept)
                rest.remove(kept)
            }
            selection = before
            selection.keep(in: kept)
        default:
            for column in filter.columns { try load(column) }
            Self.keep(&selection, filter, batch)
        }
    }

    /// As for a block, of rows whose columns are there.
    static func keep(_ selection: inout RowSelection, _ filter: BoundFilter, _ batch: ColumnBatch) {
        switch filter {
        case .always, .indexed: break
        case .never: selection.removeAll()
        case .allOf(let filters):
            for filter in filters where !selection.isEmpty { keep(&selection, filter, batch) }
        case .not(let filter):
            var rest = selection
            keep(&selection, filter, batch)
            var kept = RowBitmap(rowCount: rest.rowCount)
            selection.insert(into: &kept)
            rest.remove(kept)
            selection = rest
        case .anyOf(let filters):
            var kept = RowBitmap(rowCount: selection.rowCount)
            for filter in filters {
                var some = selection
                keep(&some, filter, batch)
                some.insert(into: &kept)
            }
            selection.keep(in: kept)
        case .integers(let column, let range): selection.keep(RowFilters.integers(batch.columns[column]), in: range)
        case .integerSet(let column, let values, _):
            selection.keep(RowFilters.integers(batch.columns[column]), among: values)
        case .doubles(let column, let comparison, let value):
            RowFilters.keepDoubles(&selection, batch.columns[column], comparison, value)
        case .codes(let column, let accepted, _):
            selection.keep(RowFilters.strings(batch.columns[column]), accepted: accepted)
        case .strings(let column, let accepts):
            selection.keep(RowFilters.strings(batch.columns[column]), where: accepts)
        case .ids(let column, let ids): selection.keep(RowFilters.fixed(batch.columns[column]), ids: ids)
        case .shortIDs(let column, let ids): selection.keep(RowFilters.fixed(batch.columns[column]), words: ids)
        case .attribute(let column, let key, let accepts, _):
            guard case .attributes(let values)? = batch.columns[column] else {
                preconditionFailure("a filter fits the type of its column")
            }
            RowFilters.keepAttributes(&selection, values, key, accepts)
        case .nestedAttribute(let column, let field, let key, let accepts):
            RowFilters.keepNested(&selection, batch.columns[column], field: field, key: key, accepts)
        case .anyElement(let column, let filter):
            guard case .nested(let nested)? = batch.columns[column] else {
                preconditionFailure("a filter fits the type of its column")
            }
            RowFilters.keepElements(&selection, offsets: nested.offsets, nested.fields.map { $0 }, filter)
        }
    }
}
