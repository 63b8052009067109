package import Columns
internal import Core
package import TableSchema

/// Aggregates the rows of a view with a join: each row of the source with the row that it names, such as a span with its parent.
///
/// 1. `add` takes rows that are to be aggregated. A table is ordered so that rows that name each other mostly stand together: in each run
///    of rows with the same first id, a trace, the others are looked through. Rows whose partner is not among them wait.
/// 2. `offer` takes rows that may be the partners of those that wait, in any order. A run whose first id nobody asks for is passed over.
/// 3. `finish` aggregates those that found theirs. A row without a partner does not count.
///
/// Ids are taken to be unique, as OTLP demands: of several rows with the id that a row names, any may be taken.
package final class JoinAggregator {
    /// Rows that wait before `isFull`: each takes about 150 bytes.
    private static let pendingLimit = 300_000
    /// Bytes that rows which wait take, at most, about.
    package static let memory = 48 << 20
    /// Runs beyond this are looked up in a table instead of one after the other.
    private static let shortRun = 48

    package let aggregate: RollupAggregator
    /// Places in the source's definition of the columns that `add` and `offer` read.
    package let addedColumns: [Int]
    package let offeredColumns: [Int]
    /// Places of the ids: the first is the run's, and both of a pair have it.
    private let runColumn: Int
    private let nameColumn: Int
    private let idColumn: Int
    private let joinedColumns: [Int]
    private var pending: PendingRows
    private var wanted = WantedRows()

    /// - Precondition: the view's join has two pairs of ids, the first of which is one column, of 16 bytes, and the second 8 bytes wide.
    package init(_ view: RollupDefinition, source: TableDefinition) {
        guard let pairs = view.join?.pairs, pairs.count == 2, pairs[0].source == pairs[0].joined else {
            preconditionFailure("a join is by a shared id and a reference")
        }
        aggregate = RollupAggregator(view, source: source)
        let read = view.columnsRead
        addedColumns = read.source.union(read.joined).map { source.place($0) }.sorted()
        offeredColumns = read.joined.map { source.place($0) }.sorted()
        runColumn = source.place(pairs[0].source)
        nameColumn = source.place(pairs[1].source)
        idColumn = source.place(pairs[1].joined)
        joinedColumns = read.joined.map { source.place($0) }.filter { [runColumn, idColumn] in
            $0 != runColumn && $0 != idColumn
        }.sorted()
        pending = PendingRows(source, columns: read.source.map { source.place($0) }.sorted(), joinedColumns)
    }

    /// How many rows wait.
    package var pendingCount: Int { pending.count }

    /// Whether so many rows wait that their partners should be offered, and `finish` called, before more are added.
    package var isFull: Bool { pending.count >= Self.pendingLimit }
    package var hasPending: Bool { pending.count > 0 }

    /// Aggregates rows.
    ///
    /// - Parameter rows: numbers of rows of the batch, ascending; nil: all.
    package func add(_ batch: ColumnBatch, rows: [UInt32]? = nil) {
        let (runs, names, ids) = (fixed(batch, runColumn), fixed(batch, nameColumn), fixed(batch, idColumn))
        let rows = rows ?? Array(0..<UInt32(batch.rowCount))
        if rows.isEmpty { return }
        let (highs, lows) = (runs.words(batch.rowCount, at: 0), runs.words(batch.rowCount, at: 8))
        let (nameWords, idWords) = (names.words(batch.rowCount, at: 0), ids.words(batch.rowCount, at: 0))
        var children: [UInt32] = []
        var parents: [UInt32] = []
        var begin = 0
        while begin < rows.count {
            let (high, low) = (highs[Int(rows[begin])], lows[Int(rows[begin])])
            var end = begin + 1
            while end < rows.count, highs[Int(rows[end])] == high, lows[Int(rows[end])] == low { end += 1 }
            let table =
                end - begin > Self.shortRun
                ? Dictionary(rows[begin..<end].map { (idWords[Int($0)], $0) }, uniquingKeysWith: { first, _ in first })
                : nil
            for place in begin..<end {
                let row = rows[place]
                let name = nameWords[Int(row)]
                if name == 0 { continue }
                var found: UInt32?
                if let table {
                    found = table[name]
                } else {
                    for other in begin..<end where idWords[Int(rows[other])] == name {
                        found = rows[other]
                        break
                    }
                }
                if let found {
                    children.append(row)
                    parents.append(found)
                } else {
                    wanted.insert(high, low, name, number: pending.count)
                    pending.append(batch, row: Int(row))
                }
            }
            begin = end
        }
        if !children.isEmpty { aggregate.add(batch, rows: children, joined: batch, joinedRows: parents) }
    }

    /// Gives rows that wait their partners, if they are among these.
    package func offer(_ batch: ColumnBatch, rows: [UInt32]? = nil) {
        guard !wanted.isEmpty else { return }
        let (runs, ids) = (fixed(batch, runColumn), fixed(batch, idColumn))
        var last: (row: Int, isWanted: Bool)?
        func look(_ row: Int) {
            let isWanted =
                if let last, runs.isSame(last.row, row) {
                    last.isWanted
                } else {
                    wanted.contains(runs.word(row), runs.word(row, at: 8))
                }
            last = (row, isWanted)
            guard isWanted else { return }
            wanted.take(runs.word(row), runs.word(row, at: 8), ids.word(row)) { pending.join($0, batch, row: row) }
        }
        if let rows {
            for row in rows { look(Int(row)) }
        } else {
            for row in 0..<batch.rowCount { look(row) }
        }
    }

    /// Aggregates the rows that found their partners; the others wait on.
    ///
    /// - Returns: whether there were any.
    @discardableResult
    package func settle() -> Bool {
        guard pending.hasJoined else { return false }
        let (found, waiting) = pending.takeJoined()
        if let (batch, joined) = found { aggregate.add(batch, joined: joined) }
        wanted.renumber(waiting)
        return true
    }

    /// The first ids of the rows that wait and were added when `count` or more did, each once.
    package func pendingRuns(from count: Int) -> [(high: UInt64, low: UInt64)] { wanted.runs(from: count) }

    /// Aggregates the rows that found their partners, and forgets the others.
    package func finish() {
        if let (batch, joined) = pending.take() { aggregate.add(batch, joined: joined) }
        wanted = WantedRows()
    }

    private func fixed(_ batch: ColumnBatch, _ ordinal: Int) -> FixedColumn {
        guard case .fixed(let column)? = batch.columns[ordinal] else { preconditionFailure("ids were read") }
        return column
    }
}

extension FixedColumn {
    /// Whether two rows of 16-byte ids are equal.
    @inline(__always)
    fileprivate func isSame(_ row: Int, _ other: Int) -> Bool {
        word(row) == word(other) && word(row, at: 8) == word(other, at: 8)
    }
}

/// Which rows wait for which ids.
private struct WantedRows {
    private struct Run: Hashable {
        let high, low: UInt64
    }

    private struct Request {
        let name: UInt64
        let number: Int
    }

    private var requests: [Run: [Request]] = [:]

    var isEmpty: Bool { requests.isEmpty }

    mutating func insert(_ high: UInt64, _ low: UInt64, _ name: UInt64, number: Int) {
        requests[Run(high: high, low: low), default: []].append(Request(name: name, number: number))
    }

    func contains(_ high: UInt64, _ low: UInt64) -> Bool { requests[Run(high: high, low: low)] != nil }

    /// The runs that rows with that number or a greater one wait for.
    func runs(from number: Int) -> [(high: UInt64, low: UInt64)] {
        requests.compactMap { run, waiting in
            waiting.contains { $0.number >= number } ? (run.high, run.low) : nil
        }
    }

    /// Gives the rows that wait their new numbers.
    ///
    /// - Parameter numbers: by old number.
    mutating func renumber(_ numbers: [Int]) {
        requests = requests.mapValues { $0.map { Request(name: $0.name, number: numbers[$0.number]) } }
    }

    /// Calls `body` with the rows that wait for an id, which wait no more.
    mutating func take(_ high: UInt64, _ low: UInt64, _ name: UInt64, _ body: (Int) -> Void) {
        let run = Run(high: high, low: low)
        guard let waiting = requests[run], waiting.contains(where: { $0.name == name }) else { return }
        for request in waiting where request.name == name { body(request.number) }
        let others = waiting.filter { $0.name != name }
        requests[run] = others.isEmpty ? nil : others
    }
}

/// Rows that wait for their partners, apart from the batches that they came in.
private struct PendingRows {
    private let table: TableDefinition
    private let columns: [Int]
    private let joinedColumns: [Int]
    private var values: [CopiedValues]
    private var joined: [CopiedValues]
    /// By joined row: the row that it belongs to.
    private var owners: [UInt32] = []
    private(set) var count = 0

    init(_ table: TableDefinition, columns: [Int], _ joinedColumns: [Int]) {
        self.table = table
        self.columns = columns
        self.joinedColumns = joinedColumns
        values = columns.map { CopiedValues(table.columns[$0].type) }
        joined = joinedColumns.map { CopiedValues(table.columns[$0].type) }
    }

    mutating func append(_ batch: ColumnBatch, row: Int) {
        for (place, column) in columns.enumerated() { values[place].append(batch.columns[column], row: row) }
        count += 1
    }

    mutating func join(_ number: Int, _ batch: ColumnBatch, row: Int) {
        for (place, column) in joinedColumns.enumerated() { joined[place].append(batch.columns[column], row: row) }
        owners.append(UInt32(number))
    }

    var hasJoined: Bool { !owners.isEmpty }

    /// The rows that have partners, and these; nil if there are none. The others wait on.
    ///
    /// - Returns: beside them, by old number the new one of a row that waits; -1 of others.
    mutating func takeJoined() -> ((ColumnBatch, joined: ColumnBatch)?, waiting: [Int]) {
        let old = self
        var numbers = [Int](repeating: 0, count: count)
        for owner in owners { numbers[Int(owner)] = -1 }
        let joined = take()
        for number in 0..<old.count where numbers[number] == 0 {
            numbers[number] = count
            for place in values.indices { values[place].append(old.values[place], number) }
            count += 1
        }
        return (joined, numbers)
    }

    /// The rows that have partners, and these; nil if there are none. None wait afterwards.
    mutating func take() -> (ColumnBatch, joined: ColumnBatch)? {
        defer { self = PendingRows(table, columns: columns, joinedColumns) }
        guard !owners.isEmpty else { return nil }
        var batch = ColumnBatch(
            rowCount: owners.count, columns: Array(repeating: nil, count: table.columns.count))
        var partners = batch
        for (place, column) in columns.enumerated() { batch.columns[column] = values[place].column(owners) }
        for (place, column) in joinedColumns.enumerated() { partners.columns[column] = joined[place].column(nil) }
        return (batch, partners)
    }
}

/// Values of a column that were copied one by one.
private struct CopiedValues {
    private let type: ColumnType
    private let texts: TextNumbers?
    /// A word for each value; two for ids of 16 bytes.
    private var words: [UInt64] = []

    init(_ type: ColumnType) {
        self.type = type
        switch type {
        case .string, .lowCardinality: texts = TextNumbers()
        default: texts = nil
        }
    }

    mutating func append(_ column: Column?, row: Int) {
        switch column {
        case .integers(let values)?: words.append(UInt64(bitPattern: values[row]))
        case .floats(let values)?: words.append(values[row].bitPattern)
        case .fixed(let ids)?:
            for offset in stride(from: 0, to: ids.width, by: 8) { words.append(ids.word(row, at: offset)) }
        case .strings(let strings)?: words.append(UInt64(texts?.number(strings.span(row)) ?? 0))
        default: preconditionFailure("a column that the view is made of was not read")
        }
    }

    /// Appends a value of others of the same type.
    mutating func append(_ other: CopiedValues, _ number: Int) {
        let width = if case .fixed(let bytes) = type { bytes / 8 } else { 1 }
        guard let texts, let known = other.texts else {
            words.append(contentsOf: other.words[number * width..<(number + 1) * width])
            return
        }
        words.append(UInt64(known.with(Int(other.words[number])) { texts.number($0) }))
    }

    /// - Parameter rows: which values, by number; nil: all.
    func column(_ rows: [UInt32]?) -> Column {
        let width = if case .fixed(let bytes) = type { bytes / 8 } else { 1 }
        let chosen =
            rows.map { rows in rows.flatMap { words[Int($0) * width..<(Int($0) + 1) * width] } } ?? words
        switch type {
        case .float: return .floats(Buffer(chosen.lazy.map { Double(bitPattern: $0) }))
        case .fixed(let bytes): return .fixed(FixedColumn(width: bytes, words: chosen))
        case .string, .lowCardinality:
            return .strings(
                StringColumn(
                    codes: Buffer(chosen.lazy.map { UInt32(truncatingIfNeeded: $0) }),
                    dictionary: texts?.dictionary ?? StringDictionary()))
        default: return .integers(Buffer(chosen.lazy.map { Int64(bitPattern: $0) }))
        }
    }
}
