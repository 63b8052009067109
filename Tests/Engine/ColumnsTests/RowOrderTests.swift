import Columns
import Core
import EngineFixtures
import Randomness
import TableSchema
import Testing

/// The radix order of rows against a sort of plain cells.
struct RowOrderTests {
    /// Orders over every kind of column that a table may be ordered by: time, number, ids, text, label, and minutes.
    private static let choices: [SortExpression] =
        [1, 2, 4, 5, 6, 7].map { .column(ColumnID(number: $0)) } + [.startOfMinute(ColumnID(number: 1))]

    private func check(_ rows: [[Cell]], _ table: TableDefinition, _ dictionaries: BatchOfCells.Dictionaries) {
        let batch = BatchOfCells.make(rows, table, dictionaries)
        let expected = NaiveOrder.partitions(of: rows, table: table)
        let found = RowOrder.partitions(of: batch, table: table)
        #expect(found.map(\.partition) == expected.map(\.start))
        for (partition, wanted) in zip(found, expected) {
            #expect(partition.rows.map { rows[Int($0)] } == wanted.rows)
        }
        #expect(Set(found.flatMap(\.rows)).count == rows.count)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `rows are in the table's order, equal ones as they came`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var order = Self.choices
        order.shuffle(using: &random)
        let table = EveryTypeTable.make(
            unit: random.pick([.hour, .day, .week, .month]), order: Array(order.prefix(1 + random.below(4))))
        var style = EveryTypeTable.Style()
        style.spread = random.pick([2, 1000, 90_000_000_000, 40 * 86_400_000_000_000])
        style.variety = random.pick([1, 3, 40])
        style.fullness = 1000
        check(
            EveryTypeTable.rows(random.pick([1, 2, 300]), &random, style), table,
            random.pick(BatchOfCells.Dictionaries.allCases))
    }

    @Test(arguments: [Int64.max - 60_000_000_000, 0, -30_000_000_000, -4_000_000_000_000_000_000])
    func `minutes and partitions are told apart before and after the epoch`(start: Int64) {
        var random = SeededRandom(seed: 5)
        var style = EveryTypeTable.Style()
        style.start = start
        style.spread = 60_000_000_000
        for unit in [PartitionUnit.hour, .day, .week, .month] {
            let table = EveryTypeTable.make(
                unit: unit, order: [.startOfMinute(ColumnID(number: 1)), .column(ColumnID(number: 4))])
            check(EveryTypeTable.rows(200, &random, style), table, .unique)
        }
    }

    @Test func `an order that needs more than 64 bits goes on behind them`() {
        // Ids first: 128 bits of which the upper ones are often equal.
        let table = EveryTypeTable.make(order: [.column(ColumnID(number: 4)), .column(ColumnID(number: 2))])
        var random = SeededRandom(seed: 9)
        var rows = EveryTypeTable.rows(500, &random)
        for row in rows.indices {
            rows[row][EveryTypeTable.traceID] = .bytes(
                [
                    UInt8(random.below(2)), 0, 0, 0, 0, 0, 0, 0xFF, UInt8(random.below(2)), 0, 0, 0, 0, 0, 0,
                    UInt8(random.below(2)),
                ])
            rows[row][EveryTypeTable.number] = .integer(random.pick([.min, -1, 0, .max]))
        }
        check(rows, table, .unique)
    }

    @Test func `an empty batch has no partitions`() {
        let table = EveryTypeTable.make()
        #expect(RowOrder.partitions(of: BatchOfCells.make([], table), table: table).isEmpty)
    }

    @Test(arguments: [PartitionUnit.hour, .day, .week, .month])
    func `a partition begins where a calendar says, and ends where the next begins`(unit: PartitionUnit) {
        var random = SeededRandom(seed: 77)
        var times: [Int64] = [0, 1, -1, 951_782_399_999_999_999, 951_782_400_000_000_000, 951_868_800_000_000_000]
        let edge: Int64 = 9_220_000_000_000_000_000
        for _ in 0..<400 { times.append(Int64.random(in: -edge...edge, using: &random)) }
        for time in times {
            let start = unit.start(of: time)
            #expect(start == NaiveOrder.start(of: time, unit: unit), "\(time)")
            #expect(start <= time && unit.start(of: start) == start)
            let end = unit.end(ofPartitionAt: start)
            #expect(time < end && unit.start(of: end) == end && unit.start(of: end - 1) == start)
            let range = TimeRange(start: Timestamp(nanoseconds: time), end: Timestamp(nanoseconds: time + 1))
            #expect(range.overlaps(partitionAt: start, unit: unit))
            #expect(!range.overlaps(partitionAt: end, unit: unit))
        }
    }
}
