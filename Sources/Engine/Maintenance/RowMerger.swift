internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// Puts the rows of several parts in the order of their table, block by block.
///
/// 1. Every input has one block whose keys are decoded: a row's key is one word for each integer or string that the table is
///    ordered by, two for an id of 16 bytes. A string's word is its code in the union of dictionaries.
/// 2. The inputs stand in a list, the one with the least key first. Rows are taken from the first while they are not above the
///    second's; then it goes to its new place. Of equal rows the older input's come first, so a merge is stable.
/// 3. Rows that follow each other in an input are one piece, however many they are.
struct RowMerger {
    /// An output block has fewer rows than it may if these have more bytes, about.
    private static let blockBytes = 16 << 20

    /// Where an input stands.
    private struct Cursor {
        var source: MergeSource
        /// `width` words for each row.
        var keys: Buffer<UInt64>
        var row = 0
        /// The number of the source in the output block that is being made.
        var number = 0
        /// Of a row once it is decoded, about.
        var rowBytes: Int
    }

    private let survey: MergeSurvey
    private let table: TableDefinition
    private let width: Int
    /// By input; nil at its end.
    private var cursors: [Cursor?]
    /// By input: the key of its next row.
    private var heads: [UnsafePointer<UInt64>?]
    /// Inputs that have rows, in the order of their next ones.
    private var order: [Int] = []

    init(_ survey: MergeSurvey, table: TableDefinition) throws(MergeFailure) {
        self.survey = survey
        self.table = table
        width = table.order.reduce(0) { $0 + Self.words($1, table) }
        cursors = Array(repeating: nil, count: survey.inputs.count)
        heads = Array(repeating: nil, count: survey.inputs.count)
        for input in survey.inputs.indices {
            if try open(input, block: 0, after: nil) { insert(input) }
        }
    }

    private static func words(_ expression: SortExpression, _ table: TableDefinition) -> Int {
        guard case .column(let id) = expression, let ordinal = table.ordinal(of: id),
            case .fixed(let bytes) = table.columns[ordinal].type
        else { return 1 }
        return bytes / 8
    }

    /// The rows of the next output block and the sources that they are in; nil at the end.
    mutating func next() throws(MergeFailure) -> (pieces: [Piece], rowCount: Int, sources: [MergeSource])? {
        guard !order.isEmpty else { return nil }
        var sources: [MergeSource] = []
        for input in order {
            guard let source = cursors[input]?.source else { continue }
            cursors[input]?.number = sources.count
            sources.append(source)
        }
        var pieces: [Piece] = []
        var rows = 0
        var bytes = 0
        while rows < PartLayout.blockRows, bytes < Self.blockBytes, let input = order.first {
            let taken = run(input, atMost: PartLayout.blockRows - rows)
            guard let cursor = cursors[input] else { break }
            pieces.append(Piece(source: cursor.number, start: cursor.row - taken, count: taken))
            rows += taken
            bytes += taken * cursor.rowBytes
            order.removeFirst()
            if cursor.row < cursor.source.rowCount {
                insert(input)
            } else {
                cursor.source.isExhausted = true
                let last = cursor.keys[(cursor.keys.count - width)..<cursor.keys.count]
                cursors[input] = nil
                if try open(input, block: cursor.source.block + 1, after: last) {
                    cursors[input]?.number = sources.count
                    if let source = cursors[input]?.source { sources.append(source) }
                    insert(input)
                }
            }
        }
        return (pieces, rows, sources)
    }

    /// Takes rows of the first input while they come before the second's next one.
    ///
    /// - Returns: how many, at least one.
    private mutating func run(_ input: Int, atMost limit: Int) -> Int {
        guard let cursor = cursors[input], let head = heads[input] else { return 0 }
        let end = min(cursor.source.rowCount, cursor.row + limit)
        var row = cursor.row + 1
        if order.count > 1, let rival = heads[order[1]] {
            let isOlder = input < order[1]
            var key = head + width
            while row < end {
                let relation = compare(key, rival)
                guard relation < 0 || (relation == 0 && isOlder) else { break }
                key += width
                row += 1
            }
        } else {
            row = end
        }
        cursors[input]?.row = row
        heads[input] = head + (row - cursor.row) * width
        return row - cursor.row
    }

    @inline(__always)
    private func compare(_ left: UnsafePointer<UInt64>, _ right: UnsafePointer<UInt64>) -> Int {
        for word in 0..<width where left[word] != right[word] { return left[word] < right[word] ? -1 : 1 }
        return 0
    }

    /// Puts an input at its place in the order.
    private mutating func insert(_ input: Int) {
        guard let head = heads[input] else { return }
        let place = order.firstIndex { other in
            guard let rival = heads[other] else { return false }
            let relation = compare(head, rival)
            return relation < 0 || (relation == 0 && input < other)
        }
        order.insert(input, at: place ?? order.count)
    }

    // MARK: Keys

    /// - Parameter last: the key of the row before the block.
    /// - Returns: false if the input has no more rows.
    private mutating func open(_ input: Int, block: Int, after last: Buffer<UInt64>?) throws(MergeFailure) -> Bool {
        let part = survey.inputs[input]
        var block = block
        while block < part.blockCount, part.rowCount(ofBlock: block) == 0 { block += 1 }
        guard block < part.blockCount else { return false }
        let source = MergeSource(input: input, part: part, block: block)
        let keys = Buffer(try self.keys(source))
        var previous = last?.base ?? keys.base
        for row in 0..<source.rowCount {
            guard compare(previous, keys.base + row * width) <= 0 else { throw .notInOrder(input) }
            previous = keys.base + row * width
        }
        cursors[input] = Cursor(
            source: source, keys: keys, rowBytes: survey.movedBytes(input: input, block: block) / source.rowCount)
        heads[input] = keys.base
        return true
    }

    private func keys(_ source: MergeSource) throws(MergeFailure) -> [UInt64] {
        var keys = [UInt64](repeating: 0, count: source.rowCount * width)
        var word = 0
        for expression in table.order {
            switch expression {
            case .startOfMinute(let id):
                let values = try integers(id, source)
                for row in 0..<source.rowCount {
                    keys[row * width + word] = UInt64(bitPattern: (values?[row] ?? 0) / 60_000_000_000) ^ (1 << 63)
                }
                word += 1
            case .column(let id):
                word += try add(id, source, &keys, at: word)
            }
        }
        return keys
    }

    private func integers(_ id: ColumnID, _ source: MergeSource) throws(MergeFailure) -> Buffer<Int64>? {
        let key = LeafKey(column: id.number, role: .values)
        guard case .integers(let values)? = try source.values(of: key, kinds: [.integers], count: source.rowCount)
        else { return nil }
        return values
    }

    /// - Returns: the number of words.
    private func add(
        _ id: ColumnID, _ source: MergeSource, _ keys: inout [UInt64], at word: Int
    ) throws(MergeFailure) -> Int {
        guard let leaf = survey.leaf(ofColumn: id) else { preconditionFailure("a sort column is a column") }
        let key = LeafKey(column: id.number, role: .values)
        let values = try source.values(of: key, kinds: leaf.kinds, count: source.rowCount)
        let words = Self.words(.column(id), table)
        for row in 0..<source.rowCount {
            let place = row * width + word
            switch values {
            case .integers(let integers)?: keys[place] = UInt64(bitPattern: integers[row]) ^ (1 << 63)
            case .fixed(let ids)?:
                for i in 0..<words { keys[place + i] = ids.word(row, at: i * 8) }
            case .naturals(let codes)?: keys[place] = UInt64(leaf.codes[source.input][Int(codes[row])])
            case .strings(let strings)?:
                let code = leaf.indexes[source.input]?.code(strings.bytes(row)) ?? 0
                keys[place] = UInt64(leaf.codes[source.input][Int(code)])
            case nil:
                switch leaf.kind {
                case .integers: keys[place] = 1 << 63
                case .codes: keys[place] = UInt64(leaf.codes[source.input][0])
                default: break
                }
            case .floats?, .arrays?: preconditionFailure("tables are ordered by integers, ids and strings")
            }
        }
        return words
    }
}
