import Columns
import Core
import EngineFixtures
import Parts
import Randomness
import TableSchema
import Testing

/// What is written to a part comes back, in the table's order.
struct PartRoundTripTests {
    private func check(_ rows: [[Cell]], _ table: TableDefinition, _ batch: ColumnBatch) throws {
        let disk = SimulatedFileSystem(seed: 1)
        let expected = NaiveOrder.partitions(of: rows, table: table)
        let parts = try PartFixtures.write(batch, table, to: disk)
        #expect(parts.map(\.partition) == expected.map(\.start))
        for (part, wanted) in zip(parts, expected) {
            let part = try PartFixtures.open(part.path, table, on: disk)
            let times = wanted.rows.map { $0[EveryTypeTable.time].integer }
            #expect(part.leastTime == times.min() && part.greatestTime == times.max())
            #expect(part.rowCount == wanted.rows.count && part.partition == wanted.start)
            #expect(part.fingerprint == table.fingerprint)
            let found = try part.naiveRows()
            #expect(found.count == wanted.rows.count)
            for (row, (left, right)) in zip(found, wanted.rows).enumerated() where left != right {
                for (column, (a, b)) in zip(left, right).enumerated() where a != b {
                    Issue.record("row \(row), \(table.columns[column].name) is \(a), not \(b)")
                }
                return
            }
        }
    }

    @Test(arguments: [1, 2, 63, 1000], BatchOfCells.Dictionaries.allCases)
    func `every type of column comes back`(count: Int, dictionaries: BatchOfCells.Dictionaries) throws {
        let table = EveryTypeTable.make()
        for seed in 1...4 as ClosedRange<UInt64> {
            var random = SeededRandom(seed: seed)
            let rows = EveryTypeTable.rows(count, &random)
            try check(rows, table, BatchOfCells.make(rows, table, dictionaries))
        }
    }

    @Test(arguments: [8191, 8192, 8193, 16_385])
    func `blocks of 8192 rows come back`(count: Int) throws {
        let table = EveryTypeTable.make(unit: .month)
        var random = SeededRandom(seed: UInt64(count))
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        style.fullness = 50
        let rows = EveryTypeTable.rows(count, &random, style)
        try check(rows, table, BatchOfCells.make(rows, table))
    }

    @Test func `nested rows that only some blocks have come back`() throws {
        let table = EveryTypeTable.make(unit: .month, order: [.column(ColumnID(number: 1))])
        var random = SeededRandom(seed: 8)
        var style = EveryTypeTable.Style()
        style.spread = 3_600_000_000_000
        style.fullness = 1_000_000_000
        var rows = EveryTypeTable.rows(20_000, &random, style)
        style.fullness = 1
        // The last block alone: later times, and lists in every row.
        style.start += 2 * style.spread
        rows += EveryTypeTable.rows(300, &random, style)
        try check(rows, table, BatchOfCells.make(rows, table))
    }

    @Test func `a part of more than one row group has a filter for each`() throws {
        // 64 blocks are a row group: 66 blocks are two.
        let table = TableDefinition(
            id: TableID(number: 901), name: "tiny",
            columns: [
                ColumnDefinition(id: ColumnID(number: 1), name: "time", type: .integer(.dateTime64)),
                ColumnDefinition(id: ColumnID(number: 2), name: "id", type: .fixed(width: 16)),
                ColumnDefinition(id: ColumnID(number: 3), name: "name", type: .lowCardinality),
                ColumnDefinition(
                    id: ColumnID(number: 4), name: "in",
                    type: .nested([ColumnDefinition(id: ColumnID(number: 5), name: "n", type: .integer(.int64))])),
                ColumnDefinition(id: ColumnID(number: 6), name: "attributes", type: .attributes),
            ],
            partitionColumn: ColumnID(number: 1), partitionUnit: .month, order: [.column(ColumnID(number: 1))],
            indexes: [
                SkipIndexDefinition(
                    name: "by_id", column: ColumnID(number: 2), kind: .bloomFilter(falsePositives: 0.001))
            ], timeToLive: nil, ttlColumn: nil, fingerprint: 1)
        let count = 65 * 8192 + 100
        // Row i has time i and the id of its thousand.
        var ids = BufferBuilder<UInt8>(capacity: count * 16)
        for row in 0..<count { ids.append(contentsOf: Self.id(row / 1000), 16) }
        var attributes = AttributesBuilder()
        for row in 0..<count {
            attributes.begin()
            if row == count - 1 { attributes.append(.init(key: [0x6B], type: 3, value: UInt64(5).littleEndianBytes)) }
            attributes.end()
        }
        let zeros = Buffer<UInt32>(repeatElement(0, count: count))
        let batch = ColumnBatch(
            rowCount: count,
            columns: [
                .integers(Buffer((0..<Int64(count)).map { $0 })),
                .fixed(FixedColumn(width: 16, bytes: ids.snapshot())),
                .strings(
                    StringColumn(
                        codes: zeros,
                        dictionary: StringDictionary(
                            offsets: Buffer([0, 1]), contents: Buffer([0x78]), isUnique: true, isSorted: false))),
                .nested(
                    NestedColumn(
                        offsets: Buffer(repeatElement(0, count: count + 1)), fields: [.integers(.empty)])),
                .attributes(attributes.snapshot(rows: count)),
            ])
        let disk = SimulatedFileSystem(seed: 2)
        let written = try PartFixtures.write(batch, table, to: disk)
        #expect(written.count == 1)
        let part = try PartFixtures.open(written[0].path, table, on: disk)
        #expect(part.blockCount == 66 && part.rowCount == count)
        #expect(part.rowCount(ofBlock: 65) == 100 && part.firstRow(ofBlock: 65) == 65 * 8192)
        for block in [0, 1, 63, 64, 65] {
            guard case .integers(let times) = try part.read(0, block: block),
                case .fixed(let found) = try part.read(1, block: block),
                case .attributes(let sets) = try part.read(4, block: block)
            else { Issue.record("other kinds of columns"); continue }
            for row in 0..<part.rowCount(ofBlock: block) where times[row] != Int64(block * 8192 + row) {
                Issue.record("block \(block), row \(row)")
            }
            #expect(found.traceID(0) == TraceID(high: 0, low: UInt64(block * 8192 / 1000 + 1)))
            #expect(try part.read(3, block: block).count == part.rowCount(ofBlock: block))
            #expect(sets.subcolumns.first?.values?.count == (block == 65 ? 1 : 0))
        }
        // Ids of the first group are not in the second.
        let first = try part.blocks(mayContaining: BloomKeys.hash(TraceID(high: 0, low: 1)), column: 1)
        #expect(first.contains(0) && !first.contains(64))
        let last = try part.blocks(
            mayContaining: BloomKeys.hash(TraceID(high: 0, low: UInt64((count - 1) / 1000 + 1))), column: 1)
        #expect(last.contains(65) && !last.contains(0))
    }

    private static func id(_ number: Int) -> [UInt8] {
        Array(repeating: 0, count: 8) + UInt64(number + 1).littleEndianBytes.reversed()
    }

    @Test func `a column that is younger than a part reads as zeros and empty`() throws {
        let old = EveryTypeTable.make()
        var random = SeededRandom(seed: 3)
        let rows = EveryTypeTable.rows(50, &random)
        let disk = SimulatedFileSystem(seed: 1)
        let path = try PartFixtures.write(BatchOfCells.make(rows, old), old, to: disk)[0].path
        var young = old
        young.columns = old.columns.map { column in
            var column = column
            column.id = ColumnID(number: column.id.number + 100)
            if case .nested(let fields) = column.type {
                column.type = .nested(
                    fields.map { field in
                        var field = field
                        field.id = ColumnID(number: field.id.number + 100)
                        return field
                    })
            }
            return column
        }
        let part = try PartFixtures.open(path, young, on: disk)
        for row in try part.naiveRows() {
            #expect(
                row == [
                    .integer(0), .integer(0), .bits(0), .bytes(Array(repeating: 0, count: 16)),
                    .bytes(Array(repeating: 0, count: 8)), .bytes([]), .bytes([]), .attributes(AttributeSet([])),
                    .list([]), .list([]), .rows([]),
                ])
        }
    }
}

extension BufferBuilder where Element == UInt8 {
    fileprivate mutating func append(contentsOf bytes: [UInt8], _ count: Int) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
