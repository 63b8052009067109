import Columns
import EngineFixtures
import Observability
import Parts
import Randomness
import Synchronization
import TableSchema
import Testing

/// Columns that are read for some rows only.
struct PartWantedRowsTests {
    private func part(_ rows: [[Cell]], _ table: TableDefinition) throws -> Part {
        let disk = SimulatedFileSystem(seed: 1)
        let path = try PartFixtures.write(BatchOfCells.make(rows, table), table, to: disk)[0].path
        return try PartFixtures.open(path, table, on: disk)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `rows that are wanted read as they do with all others`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let table = EveryTypeTable.make(unit: .month)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        style.fullness = 1 + Int(seed)
        let part = try part(EveryTypeTable.rows(700, &random, style), table)
        let share = random.pick([1, 2, 20, 300])
        for block in 0..<part.blockCount {
            let wanted = (0..<UInt32(part.rowCount(ofBlock: block))).filter { _ in random.oneIn(share) }
            for ordinal in table.columns.indices {
                let whole = try part.read(ordinal, block: block)
                let some = try part.read(ordinal, block: block, wanted: wanted)
                #expect(some.count == whole.count)
                for row in wanted where some.cell(Int(row)) != whole.cell(Int(row)) {
                    Issue.record("seed \(seed): \(table.columns[ordinal].name) of row \(row) differs")
                }
            }
        }
    }

    @Test func `subcolumns and nested rows that no wanted row has are not read`() throws {
        var random = SeededRandom(seed: 3)
        let table = EveryTypeTable.make(unit: .month)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let part = try part(EveryTypeTable.rows(2000, &random, style), table)
        for ordinal in [EveryTypeTable.attributes, EveryTypeTable.nested] {
            let column = try part.read(ordinal, block: 0)
            let bare = (0..<UInt32(part.rowCount(ofBlock: 0))).filter { row in
                switch column {
                case .attributes(let sets): sets.entries(Int(row)).isEmpty
                case .nested(let nested): nested.range(Int(row)).isEmpty
                default: false
                }
            }
            try #require(!bare.isEmpty)
            let whole = try bytesRead { try part.read(ordinal, block: 0, statistics: $0) }
            let none = try bytesRead { try part.read(ordinal, block: 0, wanted: bare, statistics: $0) }
            #expect(none * 2 < whole, "\(none) of \(whole) bytes for rows that have nothing")
        }
    }

    private func bytesRead(_ body: (QueryStatistics) throws -> Column) throws -> Int {
        let statistics = QueryStatistics()
        _ = try body(statistics)
        return statistics.bytesRead.load(ordering: .relaxed)
    }
}
