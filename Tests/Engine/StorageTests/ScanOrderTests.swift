import Columns
import Core
import EngineFixtures
import Files
import Observability
import Parts
import Randomness
import Scheduling
import Synchronization
import TableSchema
import Testing

@testable import Storage

/// What a scan that stops early has handed over, against all rows sorted by time, source and row (invariant 8).
struct ScanOrderTests {
    /// Where a row is, in the order of a scan, and what it says.
    private struct Place: Hashable {
        let time: Int64
        let source: UInt64
        let row: Int
        let number: Int64

        static func isBefore(_ left: Place, _ right: Place) -> Bool {
            (left.time, left.source, left.row) < (right.time, right.source, right.row)
        }
    }

    private static let table = EveryTypeTable.make(unit: .month, order: [.column(ColumnID(number: 7))])
    private static let start: Int64 = 1_700_000_000_000_000_000

    /// Rows with few distinct times and few attributes, so that there are many ties.
    private func rows(_ count: Int, times: Range<Int64>, _ random: inout SeededRandom) -> [[Cell]] {
        let pattern = EveryTypeTable.rows(50, &random)
        return (0..<count).map { _ in
            var row = random.pick(pattern)
            row[EveryTypeTable.time] = .integer(Self.start + Int64.random(in: times, using: &random) * 1_000_000_000)
            row[EveryTypeTable.number] = .integer(Int64(random.below(100)))
            row[EveryTypeTable.label] = .bytes(Array("label-\(random.below(500))".utf8))
            return row
        }
    }

    private func write(_ rows: [[Cell]], number: UInt64, to disk: SimulatedFileSystem) throws -> PartHandle {
        let batch = BatchOfCells.make(rows, Self.table)
        let partition = try #require(RowOrder.partitions(of: batch, table: Self.table).first)
        let path = "/\(number).vp"
        let summary = try PartWriter.write(
            batch, partition, table: Self.table, zstdLevel: 1, to: try disk.open(path, .create))
        #expect(summary.rowCount == rows.count)
        let record = PartRecord(
            id: PartID(number: number), tenant: .default, table: Self.table.id, partition: partition.partition,
            level: 0, rowCount: summary.rowCount, byteCount: summary.byteCount, leastTime: summary.leastTime,
            greatestTime: summary.greatestTime)
        return PartHandle(record, table: Self.table, path: path, fileSystem: disk)
    }

    /// All rows of a snapshot, column by column.
    private func places(_ snapshot: TableSnapshot) throws -> [Place] {
        var places: [Place] = []
        func add(_ source: UInt64, _ times: Column?, _ numbers: Column?) throws {
            guard case .integers(let times)? = times, case .integers(let numbers)? = numbers else {
                Issue.record("the columns are integers")
                return
            }
            let first = places.count { $0.source == source }
            for row in 0..<times.count {
                places.append(Place(time: times[row], source: source, row: first + row, number: numbers[row]))
            }
        }
        for handle in snapshot.parts {
            let part = try handle.part()
            for block in 0..<part.blockCount {
                try add(
                    handle.record.id.number, part.read(EveryTypeTable.time, block: block),
                    part.read(EveryTypeTable.number, block: block))
            }
        }
        for (index, batch) in snapshot.memory.enumerated() {
            try add(
                .max - UInt64(snapshot.memory.count - index), batch.columns[EveryTypeTable.time],
                batch.columns[EveryTypeTable.number])
        }
        return places
    }

    /// The first rows of a scan: a row is handed on once its block's bound says that none before it can come.
    private func first(
        _ count: Int, _ snapshot: TableSnapshot, _ request: ScanRequest, _ context: QueryContext, _ pool: QueryPool
    ) throws -> [Place] {
        let isNewestFirst = request.order == .newestFirst
        var waiting: [Place] = []
        var found: [Place] = []
        func take(_ bound: Int64?) {
            waiting.sort { isNewestFirst ? Place.isBefore($1, $0) : Place.isBefore($0, $1) }
            let ready = waiting.prefix { place in
                bound.map { isNewestFirst ? place.time > $0 : place.time < $0 } ?? true
            }
            found += ready
            waiting.removeFirst(ready.count)
        }
        var scan = Scan(snapshot, request, context: context, pool: pool)
        try scan.run { block in
            guard case .integers(let times)? = block.batch.columns[EveryTypeTable.time],
                case .integers(let numbers)? = block.batch.columns[EveryTypeTable.number]
            else { return false }
            for row in block.rows.map({ Int($0) }) {
                waiting.append(
                    Place(
                        time: times[row], source: block.source, row: block.firstRow + row, number: numbers[row]))
            }
            take(block.bound)
            return found.count < count
        }
        if found.count < count { take(nil) }
        return Array(found.prefix(count))
    }

    private func check(_ snapshot: TableSnapshot, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let all = try places(snapshot)
        for threads in [1, 2, 4] {
            let pool = QueryPool(threadCount: threads)
            for order in [BlockOrder.newestFirst, .oldestFirst] {
                for count in [1, 7, 150, all.count / 2, all.count + 1] {
                    let numbers = Int64(random.below(40))...Int64(60 + random.below(40))
                    let request = ScanRequest(
                        range: .everything, columns: [EveryTypeTable.time, EveryTypeTable.number],
                        filters: [.integers(EveryTypeTable.number, numbers)], order: order)
                    let sorted = all.filter { numbers.contains($0.number) }.sorted {
                        order == .newestFirst ? Place.isBefore($1, $0) : Place.isBefore($0, $1)
                    }
                    let context = QueryContext(tenant: .default)
                    let found = try first(count, snapshot, request, context, pool)
                    #expect(
                        found == Array(sorted.prefix(count)),
                        "seed \(seed), \(threads) threads, \(order), \(count) of \(sorted.count)")
                    #expect(context.isSoonFree, "decoded columns are given back")
                }
            }
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `8: the first rows are exact over parts that overlap and rows in memory`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let disk = SimulatedFileSystem(seed: 1)
        var parts: [PartHandle] = []
        var memory: [ColumnBatch] = []
        for number in 1...10 as ClosedRange<UInt64> {
            // Most overlap, some follow each other.
            let begin = Int64(random.below(200))
            let some = rows(1 + random.below(120), times: begin..<(begin + 60), &random)
            if random.oneIn(3) {
                memory.append(BatchOfCells.make(some, Self.table))
            } else {
                parts.append(try write(some, number: number, to: disk))
            }
        }
        parts.shuffle(using: &random)
        try check(TableSnapshot(table: Self.table, memory: memory, parts: parts), seed: seed)
    }

    @Test func `8: the first rows are exact over blocks whose times overlap too`() throws {
        var random = SeededRandom(seed: 77)
        let disk = SimulatedFileSystem(seed: 1)
        // Labels come before times in the order of rows: every block has rows of nearly all times.
        let parts = try [0..<400, 300..<700].enumerated().map { index, times in
            try write(rows(17_000, times: times, &random), number: UInt64(index + 1), to: disk)
        }
        try #require(parts.allSatisfy { try $0.part().blockCount == 3 })
        let memory = [BatchOfCells.make(rows(500, times: 350..<720, &random), Self.table)]
        try check(TableSnapshot(table: Self.table, memory: memory, parts: parts), seed: 77)
    }

    @Test func `8: a scan that has enough leaves the rest unread`() throws {
        var random = SeededRandom(seed: 78)
        let disk = SimulatedFileSystem(seed: 1)
        let parts = try (0..<40).map { index in
            let begin = Int64(index) * 100
            return try write(rows(20, times: begin..<(begin + 150), &random), number: UInt64(index + 1), to: disk)
        }
        let snapshot = TableSnapshot(table: Self.table, memory: [], parts: parts)
        let context = QueryContext(tenant: .default)
        let request = ScanRequest(
            range: .everything, columns: [EveryTypeTable.time, EveryTypeTable.number], order: .newestFirst)
        let found = try first(5, snapshot, request, context, QueryPool(threadCount: 4))
        #expect(found.count == 5)
        #expect(context.statistics.blocksRead.load(ordering: .relaxed) <= 16)
    }
}
