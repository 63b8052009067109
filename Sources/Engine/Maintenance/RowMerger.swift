internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// The rows of one output block, and the sources that they are in.
struct MergedBlock {
    var pieces: [Piece] = []
    var rowCount = 0
    var sources: [MergeSource] = []
    /// The block of an input as it is: nothing in it moves.
    var isWhole = false
    /// Of a view: the rows that begin a run of rows with equal keys. Runs do not go on in the next block.
    var heads: [Int] = []

    /// Whether rows have to be aggregated.
    var hasEqualRows: Bool { heads.count < rowCount }
}

/// Puts the rows of several parts in the order of their table, block by block.
///
/// 1. Every input has one block whose keys are decoded: a row's key is one word for each integer or string that the table is
///    ordered by, two for an id of 16 bytes. A string's word is its code in the union of dictionaries.
/// 2. The inputs stand in a list, the one with the least key first. Rows are taken from the first while they are not above the
///    second's; then it goes to its new place. Of equal rows the older input's come first, so a merge is stable.
/// 3. Rows that follow each other in an input are one piece, however many they are.
/// 4. A block that no other input reaches into is taken whole, if the output's blocks stay nearly full that way.
/// 5. Of a view, whose rows with equal keys are one row in pieces, no block ends between two of these.
struct RowMerger {
    /// An output block has fewer rows than it may if these have more bytes, about.
    private static let blockBytes = 16 << 20
    /// How full blocks are on average at least: what may be lost by taking blocks whole.
    private static let leastFill = PartLayout.blockRows * 3 / 4

    /// Where an input stands.
    private struct Cursor {
        var source: MergeSource?
        var keys = RowKeys()
        /// Its next row.
        var row = 0
        var rowCount: Int { keys.rowCount }
        /// Rows that are left out; none if empty.
        var dropped: [Bool] = []
        /// The number of the source in the output block that is being made.
        var number = 0
        /// Of a row once it is decoded, about.
        var rowBytes = 0
    }

    private let survey: MergeSurvey
    private let table: TableDefinition
    private let expired: [ExpiredRows?]
    private let width: Int
    /// Whether the table is a view.
    private let aggregates: Bool
    /// The key of the row that was taken last, of a view.
    private var last: [UInt64] = []
    /// By input; without a source at its end.
    private var cursors: [Cursor]
    /// Inputs that have rows, in the order of their next ones.
    private var order: [Int] = []
    /// Blocks given out, and how many full ones their rows are worth, in rows.
    private var blocks = 0
    private var fill = 0
    /// Rows that were left out.
    private(set) var droppedRows = 0

    /// - Parameter expired: by input, the rows that are left out.
    init(
        _ survey: MergeSurvey, table: TableDefinition, expired: [ExpiredRows?], aggregates: Bool = false
    ) throws(MergeFailure) {
        self.aggregates = aggregates
        self.survey = survey
        self.table = table
        self.expired = expired
        width = table.order.reduce(0) { $0 + Self.words($1, table) }
        cursors = Array(repeating: Cursor(), count: survey.inputs.count)
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

    /// Bytes of memory of keys.
    var keyBytes: Int { cursors.reduce(0) { $0 + $1.keys.byteCount } }

    /// The next output block; nil at the end.
    mutating func next() throws(MergeFailure) -> MergedBlock? {
        guard let first = order.first else { return nil }
        if isApart(first), isFullEnough(with: worth(first)) { return try takeWhole(first) }
        var block = MergedBlock()
        for input in order {
            guard let source = cursors[input].source else { continue }
            cursors[input].number = block.sources.count
            block.sources.append(source)
        }
        var bytes = 0
        while let input = order.first,
            (block.rowCount < PartLayout.blockRows && bytes < Self.blockBytes) || isEqualToLast(input, in: block)
        {
            // Cut the block here if the next one can be taken whole then.
            let worth = min(PartLayout.blockRows, max(block.rowCount, bytes / (Self.blockBytes / PartLayout.blockRows)))
            if block.rowCount > 0, isApart(input), !isEqualToLast(input, in: block),
                isFullEnough(with: worth, self.worth(input))
            {
                break
            }
            let taken = run(input, atMost: max(1, PartLayout.blockRows - block.rowCount))
            if aggregates { noteHeads(&block, input, taken) }
            block.pieces.append(
                Piece(source: cursors[input].number, start: cursors[input].row - taken, count: taken))
            block.rowCount += taken
            bytes += taken * cursors[input].rowBytes
            order.removeFirst()
            skipDropped(input)
            if cursors[input].row < cursors[input].rowCount {
                insert(input)
            } else if try openNext(input) {
                cursors[input].number = block.sources.count
                if let source = cursors[input].source { block.sources.append(source) }
                insert(input)
            }
        }
        note(rows: block.rowCount, bytes: bytes)
        return block
    }

    // MARK: Equal rows

    /// Whether the input's next row is a piece of the row that the block ends with.
    private func isEqualToLast(_ input: Int, in block: MergedBlock) -> Bool {
        aggregates && block.rowCount > 0 && cursors[input].keys.isEqual(cursors[input].row, last)
    }

    /// Notes which of the rows that were taken from the input last have another key than the one before.
    private mutating func noteHeads(_ block: inout MergedBlock, _ input: Int, _ taken: Int) {
        let (keys, first) = (cursors[input].keys, cursors[input].row - taken)
        if block.rowCount == 0 || !keys.isEqual(first, last) { block.heads.append(block.rowCount) }
        for row in keys.heads(in: (first + 1)..<(first + taken)) { block.heads.append(block.rowCount + row - first) }
        last = keys[first + taken - 1]
    }

    // MARK: Whole blocks

    /// Whether the input stands before a block whose rows all come before those of the others.
    private func isApart(_ input: Int) -> Bool {
        let cursor = cursors[input]
        guard cursor.row == 0, cursor.dropped.isEmpty, cursor.rowCount > 0 else { return false }
        guard order.count > 1 else { return true }
        let rival = cursors[order[1]]
        let relation = cursor.keys.compare(cursor.rowCount - 1, rival.keys, rival.row)
        return relation < 0 || (relation == 0 && input < order[1] && !aggregates)
    }

    /// How full a block is: rows, or the bytes of its rows in those of a full one.
    private func worth(_ input: Int) -> Int {
        let rows = cursors[input].rowCount
        let bytes = rows * cursors[input].rowBytes
        return min(PartLayout.blockRows, max(rows, bytes / (Self.blockBytes / PartLayout.blockRows)))
    }

    /// Whether blocks are full enough on average with these added.
    private func isFullEnough(with worths: Int...) -> Bool {
        fill + worths.reduce(0, +) >= (blocks + worths.count) * Self.leastFill
    }

    private mutating func note(rows: Int, bytes: Int) {
        blocks += 1
        fill += min(PartLayout.blockRows, max(rows, bytes / (Self.blockBytes / PartLayout.blockRows)))
    }

    private mutating func takeWhole(_ input: Int) throws(MergeFailure) -> MergedBlock? {
        let rows = cursors[input].rowCount
        note(rows: rows, bytes: rows * cursors[input].rowBytes)
        guard let source = cursors[input].source else { return nil }
        order.removeFirst()
        if try openNext(input) { insert(input) }
        return MergedBlock(
            pieces: [Piece(source: 0, start: 0, count: rows)], rowCount: rows, sources: [source], isWhole: true,
            heads: aggregates ? Array(0..<rows) : [])
    }

    // MARK: Rows

    /// Takes rows of the first input while they come before the second's next one.
    ///
    /// - Returns: how many, at least one.
    private mutating func run(_ input: Int, atMost limit: Int) -> Int {
        let first = cursors[input].row
        var end = min(cursors[input].rowCount, first + limit)
        if !cursors[input].dropped.isEmpty {
            end = cursors[input].dropped[first..<end].firstIndex(of: true) ?? end
        }
        var row = end
        if order.count > 1 {
            let rival = order[1]
            row = cursors[input].keys.end(
                of: (first + 1)..<max(end, first + 1), before: cursors[rival].keys, cursors[rival].row,
                orEqual: input < rival)
        }
        cursors[input].row = row
        return row - first
    }

    private mutating func skipDropped(_ input: Int) {
        guard !cursors[input].dropped.isEmpty else { return }
        var row = cursors[input].row
        while row < cursors[input].rowCount, cursors[input].dropped[row] { row += 1 }
        cursors[input].row = row
    }

    /// Puts an input at its place in the order.
    private mutating func insert(_ input: Int) {
        var slot = 0
        while slot < order.count {
            let rival = order[slot]
            let relation = cursors[input].keys.compare(cursors[input].row, cursors[rival].keys, cursors[rival].row)
            if relation < 0 || (relation == 0 && input < order[slot]) { break }
            slot += 1
        }
        order.insert(input, at: slot)
    }

    // MARK: Blocks of inputs

    /// Goes to the input's next block.
    ///
    /// - Returns: false if the input has no more rows.
    private mutating func openNext(_ input: Int) throws(MergeFailure) -> Bool {
        guard let source = cursors[input].source else { return false }
        source.isExhausted = true
        let keys = cursors[input].keys
        return try open(input, block: source.block + 1, after: keys[keys.rowCount - 1])
    }

    /// - Parameter last: the key of the row before the block.
    /// - Returns: false if the input has no more rows.
    private mutating func open(_ input: Int, block: Int, after last: [UInt64]?) throws(MergeFailure) -> Bool {
        let part = survey.inputs[input]
        var last = last
        cursors[input] = Cursor()
        for block in block..<max(block, part.blockCount) where part.rowCount(ofBlock: block) > 0 {
            let rows = part.rowCount(ofBlock: block)
            if let expired = expired[input], expired.coversBlock(block) {
                droppedRows += rows
                continue
            }
            let source = MergeSource(input: input, part: part, block: block)
            let keys = try SortKeys(survey, table, width).keys(of: source)
            guard keys.isAscending(after: last) else { throw .notInOrder(input) }
            last = keys[rows - 1]
            let dropped = try expired[input]?.rows(of: source) ?? []
            let droppedCount = dropped.count { $0 }
            droppedRows += droppedCount
            if droppedCount == rows { continue }
            cursors[input] = Cursor(
                source: source, keys: keys, dropped: dropped,
                rowBytes: survey.movedBytes(input: input, block: block) / rows)
            skipDropped(input)
            return true
        }
        return false
    }
}
