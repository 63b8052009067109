package import Columns
internal import Core
package import TableSchema

/// Aggregates rows of a view's source, and rows of the view itself, to rows of the view with distinct keys (invariant 9).
///
/// 1. The keys of a row are words: integers and ids as they are, texts by their number in an interner that all rows share. A hash
///    table gives each combination of words a group.
/// 2. Each aggregate has an accumulator, an array by group. A batch goes through one accumulator after the other.
/// 3. The aggregate does not depend on the order of rows: of rows that tie in an `argMin` the least value is taken. So rows may be aggregated
///    in any pieces, and the pieces aggregated again.
package final class RollupAggregator {
    package let view: RollupDefinition
    /// Places in the source's definition of the columns that the aggregate reads.
    package let columns: [Int]
    private let source: TableDefinition
    private var keys: [AggregateKey]
    private var groups: GroupTable
    private let accumulators: [any Accumulator]
    /// By accumulator: its column in the target.
    private let ordinals: [Int]
    private let conditions: [RollupCondition?]

    /// - Parameter source: the view's source table, of whose columns the view is made: Schema/ has been checked.
    package init(_ view: RollupDefinition, source: TableDefinition) {
        self.view = view
        self.source = source
        keys = view.keys.map { AggregateKey($0, view.target) }
        groups = GroupTable(width: keys.reduce(0) { $0 + $1.width })
        ordinals = view.aggregates.map { view.target.place($0.column) }
        accumulators = view.aggregates.map { makeAccumulator($0, view.target) }
        conditions = view.aggregates.map(\.condition)
        columns = view.columnsRead.source.compactMap { source.ordinal(of: $0) }.sorted()
    }

    package var groupCount: Int { groups.count }

    /// Bytes of memory, about.
    package var byteCount: Int {
        groups.byteCount + keys.reduce(0) { $0 + $1.byteCount } + accumulators.reduce(0) { $0 + $1.byteCount }
    }

    /// Aggregates rows of the source.
    ///
    /// - Parameters:
    ///   - rows: numbers of rows of the batch; nil: all.
    ///   - joined: of a view with a join, the rows that these are joined to.
    ///   - joinedRows: numbers of rows of `joined`, one for each row; nil: all.
    package func add(
        _ batch: ColumnBatch, rows: [UInt32]? = nil, joined: ColumnBatch? = nil, joinedRows: [UInt32]? = nil
    ) {
        var input = AggregationInput(batch, source, rows: rows, joined: joined, joinedRows: joinedRows)
        if let condition = view.condition { input.keep(input.rows(where: condition)) }
        guard input.count > 0 else { return }
        let words = keys.indices.flatMap { keys[$0].words(&input) }
        let numbers = groups.numbers(words, count: input.count)
        for (place, accumulator) in accumulators.enumerated() {
            accumulator.grow(to: groups.count)
            let chosen = conditions[place].map { input.rows(where: $0) }
            accumulator.add(&input, numbers, chosen)
        }
    }

    /// Aggregates rows of the view.
    ///
    /// - Parameter rows: numbers of rows of the batch; nil: all.
    /// - Throws: if a state cannot be read.
    package func add(aggregated batch: ColumnBatch, rows: [UInt32]? = nil) throws(RollupError) {
        var input = AggregationInput(batch, view.target, rows: rows)
        guard input.count > 0 else { return }
        let words = keys.indices.flatMap { keys[$0].aggregatedWords(&input) }
        let numbers = groups.numbers(words, count: input.count)
        for (accumulator, ordinal) in zip(accumulators, ordinals) {
            accumulator.grow(to: groups.count)
            guard accumulator.add(aggregated: &input, view.target.columns[ordinal].id, numbers) else {
                throw .corruptState(table: view.target.name, column: view.target.columns[ordinal].name)
            }
        }
    }

    /// The rows of the view, in no order.
    package func batch() -> ColumnBatch {
        var columns = [Column?](repeating: nil, count: view.target.columns.count)
        var first = 0
        for key in keys {
            columns[key.ordinal] = key.column(groups, firstWord: first)
            first += key.width
        }
        for (accumulator, ordinal) in zip(accumulators, ordinals) { columns[ordinal] = accumulator.column() }
        return ColumnBatch(rowCount: groups.count, columns: columns)
    }
}

/// Rows of a view that cannot be aggregated.
package enum RollupError: Error, Hashable, Sendable, CustomStringConvertible {
    case corruptState(table: String, column: String)

    package var description: String {
        switch self {
        case .corruptState(let table, let column): "\(table).\(column) has a state that cannot be read"
        }
    }
}

extension TableDefinition {
    /// The place of a column that Schema/ was checked to have.
    package func place(_ id: ColumnID) -> Int {
        guard let ordinal = ordinal(of: id) else { preconditionFailure("Schema/ was checked") }
        return ordinal
    }
}

/// A key of a view, and how its values become words.
private struct AggregateKey {
    let key: RollupKey
    let ordinal: Int
    let width: Int
    private let texts: TextNumbers?
    private let type: ColumnType

    init(_ key: RollupKey, _ target: TableDefinition) {
        self.key = key
        ordinal = target.place(key.column)
        type = target.columns[ordinal].type
        switch type {
        case .fixed(let bytes): (width, texts) = (bytes / 8, nil)
        case .string, .lowCardinality: (width, texts) = (1, TextNumbers())
        default: (width, texts) = (1, nil)
        }
    }

    var byteCount: Int { texts?.byteCount ?? 0 }

    func words(_ input: inout AggregationInput) -> [[UInt64]] { words(input.values(key.expression), input.count) }

    func aggregatedWords(_ input: inout AggregationInput) -> [[UInt64]] {
        words(input.values(.column(.source(key.column))), input.count)
    }

    private func words(_ values: AggregationValues, _ count: Int) -> [[UInt64]] {
        switch values {
        case .integers(let values): [values.map { UInt64(bitPattern: $0) }]
        case .floats(let values): [values.map(\.bitPattern)]
        case .fixed(let ids):
            stride(from: 0, to: ids.width, by: 8).map { ids.words(count, at: $0) }
        case .strings(let strings): [texts?.numbers(strings).map { UInt64($0) } ?? []]
        }
    }

    func column(_ groups: borrowing GroupTable, firstWord: Int) -> Column {
        let count = groups.count
        switch type {
        case .float: return .floats(Buffer((0..<count).map { Double(bitPattern: groups.word($0, firstWord)) }))
        case .fixed(let bytes):
            let words = (0..<count * width).map { groups.word($0 / width, firstWord + $0 % width) }
            return .fixed(FixedColumn(width: bytes, words: words))
        case .string, .lowCardinality:
            let codes = (0..<count).map { UInt32(truncatingIfNeeded: groups.word($0, firstWord)) }
            return .strings(StringColumn(codes: Buffer(codes), dictionary: texts?.dictionary ?? StringDictionary()))
        default:
            return .integers(Buffer((0..<count).map { Int64(bitPattern: groups.word($0, firstWord)) }))
        }
    }
}
