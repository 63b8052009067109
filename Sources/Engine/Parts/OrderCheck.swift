internal import Columns
internal import Core
internal import TableSchema

/// Whether the rows of one block after the other are in the order of their table.
struct OrderCheck {
    /// One expression of the order, in the rows of a block.
    private enum Key {
        case integers([Int64])
        case fixed(FixedColumn)
        case strings(StringColumn)
    }

    private let table: TableDefinition
    private let columns: Set<UInt16>
    /// Of the last row that was seen.
    private var last: [Key] = []

    init(table: TableDefinition) {
        self.table = table
        columns = Set(table.order.map(\.column.number) + [table.partitionColumn.number])
    }

    /// Whether the values of a leaf are wanted.
    func needs(_ key: LeafKey) -> Bool { key.role == .values && columns.contains(key.column) }

    /// The next block is not compared with the last one.
    mutating func forget() { last = [] }

    /// Takes the next block's rows.
    mutating func accepts(_ values: [LeafKey: LeafValues], _ part: Part, rows: Int) throws(PartError) -> Bool {
        guard rows > 0 else { return true }
        var keys: [Key] = []
        for expression in table.order {
            let key = LeafKey(column: expression.column.number, role: .values)
            // A column that the part does not have is the same in all rows.
            guard let values = values[key] else { continue }
            keys.append(try self.key(expression, values, key, part))
        }
        defer { last = keys.map { Self.row(rows - 1, of: $0) } }
        if last.count == keys.count {
            for (before, key) in zip(last, keys) {
                let relation = Self.compare(before, 0, key, 0)
                if relation > 0 { return false }
                if relation < 0 { break }
            }
        }
        var isDecided = [Bool](repeating: false, count: rows)
        for key in keys {
            for row in 1..<rows where !isDecided[row] {
                let relation = Self.compare(key, row - 1, key, row)
                if relation > 0 { return false }
                isDecided[row] = relation < 0
            }
        }
        return true
    }

    private func key(
        _ expression: SortExpression, _ values: LeafValues, _ key: LeafKey, _ part: Part
    ) throws(PartError) -> Key {
        switch values {
        case .integers(let integers):
            guard case .startOfMinute = expression else { return .integers(integers.array) }
            return .integers(integers.array.map { $0 / 60_000_000_000 - ($0 % 60_000_000_000 < 0 ? 1 : 0) })
        case .fixed(let column): return .fixed(column)
        case .strings(let column): return .strings(column)
        case .naturals(let codes):
            guard let facts = part.dictionaryFacts(of: key), !facts.isSorted else {
                return .integers(codes.array.map(Int64.init))
            }
            return .strings(StringColumn(codes: codes, dictionary: try part.dictionary(facts, of: key)))
        case .floats, .arrays: throw .corruptPage(column: key.column, block: 0)
        }
    }

    private static func row(_ row: Int, of key: Key) -> Key {
        switch key {
        case .integers(let values): return .integers([values[row]])
        case .fixed(let column):
            let start = row * column.width
            return .fixed(
                FixedColumn(width: column.width, bytes: Buffer(column.bytes[start..<(start + column.width)].array)))
        case .strings(let column):
            return .strings(StringColumn(codes: Buffer([column.codes[row]]), dictionary: column.dictionary))
        }
    }

    private static func compare(_ left: Key, _ first: Int, _ right: Key, _ second: Int) -> Int {
        switch (left, right) {
        case (.integers(let left), .integers(let right)):
            return left[first] == right[second] ? 0 : left[first] < right[second] ? -1 : 1
        case (.fixed(let left), .fixed(let right)):
            for offset in stride(from: 0, to: left.width, by: 8) {
                let (a, b) = (left.word(first, at: offset), right.word(second, at: offset))
                if a != b { return a < b ? -1 : 1 }
            }
            return 0
        case (.strings(let left), .strings(let right)): return ByteOrder.compare(left.bytes(first), right.bytes(second))
        default: return 0
        }
    }
}

extension SortExpression {
    /// The column that it is computed from.
    fileprivate var column: ColumnID {
        switch self {
        case .column(let id), .startOfMinute(let id): id
        }
    }
}
