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
        /// `width` words for each row.
        var keys: Buffer<UInt64> = .empty
        /// Of its next row.
        var head: UnsafePointer<UInt64>?
        var row = 0
        var rowCount = 0
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
    var keyBytes: Int { cursors.reduce(0) { $0 + $1.keys.count * 8 } }

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
        guard aggregates, block.rowCount > 0, let head = cursors[input].head else { return false }
        return (0..<width).allSatisfy { head[$0] == last[$0] }
    }

    /// Notes which of the rows that were taken from the input last have another key than the one before.
    private mutating func noteHeads(_ block: inout MergedBlock, _ input: Int, _ taken: Int) {
        guard let end = cursors[input].head else { return }
        for row in 0..<taken {
            let key = end - (taken - row) * width
            let isEqual =
                row == 0
                ? block.rowCount > 0 && (0..<width).allSatisfy { key[$0] == last[$0] }
                : compare(key - width, key) == 0
            if !isEqual { block.heads.append(block.rowCount + row) }
        }
        last = Array(UnsafeBufferPointer(start: end - width, count: width))
    }

    // MARK: Whole blocks

    /// Whether the input stands before a block whose rows all come before those of the others.
    private func isApart(_ input: Int) -> Bool {
        let cursor = cursors[input]
        guard cursor.row == 0, cursor.dropped.isEmpty, let head = cursor.head else { return false }
        guard order.count > 1, let rival = cursors[order[1]].head else { return true }
        let relation = compare(head + (cursor.rowCount - 1) * width, rival)
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
        guard let head = cursors[input].head else { return 0 }
        var end = min(cursors[input].rowCount, first + limit)
        if !cursors[input].dropped.isEmpty {
            end = cursors[input].dropped[first..<end].firstIndex(of: true) ?? end
        }
        var row = first + 1
        if order.count > 1, let rival = cursors[order[1]].head {
            let most = input < order[1] ? 0 : -1
            var key = head + width
            while row < end, compare(key, rival) <= most {
                key += width
                row += 1
            }
        } else {
            row = end
        }
        cursors[input].row = row
        cursors[input].head = head + (row - first) * width
        return row - first
    }

    private mutating func skipDropped(_ input: Int) {
        guard !cursors[input].dropped.isEmpty else { return }
        var row = cursors[input].row
        while row < cursors[input].rowCount, cursors[input].dropped[row] { row += 1 }
        cursors[input].head = cursors[input].keys.base + row * width
        cursors[input].row = row
    }

    @inline(__always)
    private func compare(_ left: UnsafePointer<UInt64>, _ right: UnsafePointer<UInt64>) -> Int {
        for word in 0..<width where left[word] != right[word] { return left[word] < right[word] ? -1 : 1 }
        return 0
    }

    /// Puts an input at its place in the order.
    private mutating func insert(_ input: Int) {
        guard let head = cursors[input].head else { return }
        var slot = 0
        while slot < order.count, let rival = cursors[order[slot]].head {
            let relation = compare(head, rival)
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
        let last = keys[(keys.count - width)..<keys.count]
        return try open(input, block: source.block + 1, after: last)
    }

    /// - Parameter last: the key of the row before the block.
    /// - Returns: false if the input has no more rows.
    private mutating func open(_ input: Int, block: Int, after last: Buffer<UInt64>?) throws(MergeFailure) -> Bool {
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
            var previous = last?.base ?? keys.base
            for row in 0..<rows {
                guard compare(previous, keys.base + row * width) <= 0 else { throw .notInOrder(input) }
                previous = keys.base + row * width
            }
            last = keys[(keys.count - width)..<keys.count]
            let dropped = try expired[input]?.rows(of: source) ?? []
            let droppedCount = dropped.count { $0 }
            droppedRows += droppedCount
            if droppedCount == rows { continue }
            cursors[input] = Cursor(
                source: source, keys: keys, head: keys.base, rowCount: rows, dropped: dropped,
                rowBytes: survey.movedBytes(input: input, block: block) / rows)
            skipDropped(input)
            return true
        }
        return false
    }
}
