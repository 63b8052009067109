import Columns
import Core
import EngineFixtures
import Parts
import TableSchema
import Testing

/// Rows that are large: what is written must stay within what a reader accepts.
struct PartLimitTests {
    private func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
        ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
    }

    private func table(_ columns: [ColumnDefinition]) -> TableDefinition {
        TableDefinition(
            id: TableID(number: 902), name: "large", columns: [column(1, "time", .integer(.dateTime64))] + columns,
            partitionColumn: ColumnID(number: 1), partitionUnit: .month, order: [.column(ColumnID(number: 1))],
            indexes: [], timeToLive: nil, ttlColumn: nil, fingerprint: 1)
    }

    private func write(_ columns: [Column], _ rows: Int, _ table: TableDefinition) throws -> Part {
        let disk = SimulatedFileSystem(seed: 1)
        let batch = ColumnBatch(
            rowCount: rows, columns: [.integers(Buffer((0..<Int64(rows)).map { $0 }))] + columns)
        return try PartFixtures.open(PartFixtures.write(batch, table, to: disk)[0].path, table, on: disk)
    }

    /// `count` strings of `length` bytes that differ in their first eight.
    private func strings(_ count: Int, length: Int) -> StringColumn {
        let contents = BufferMemory<UInt8>(capacity: count * length)
        contents.base.initialize(repeating: 0x61, count: count * length)
        for i in 0..<count {
            for (at, byte) in UInt64(i).littleEndianBytes.enumerated() { contents.base[i * length + at] = byte }
        }
        return StringColumn(
            codes: Buffer(0..<UInt32(count)),
            dictionary: StringDictionary(
                offsets: Buffer((0...UInt32(count)).map { $0 * UInt32(length) }),
                contents: Buffer(owner: contents, base: contents.base, count: count * length), isUnique: true,
                isSorted: false))
    }

    @Test(arguments: [(18, 5_000_000), (3, 60_000_000), (8192, 10_000)])
    func `long strings come back`(count: Int, length: Int) throws {
        let part = try write([.strings(strings(count, length: length))], count, table([column(2, "body", .string)]))
        var row = 0
        for block in 0..<part.blockCount {
            guard case .strings(let found) = try part.read(1, block: block) else { continue }
            for i in 0..<part.rowCount(ofBlock: block) {
                #expect(found.bytes(i).count == length)
                #expect(Array(found.bytes(i).prefix(8)) == UInt64(row).littleEndianBytes)
                row += 1
            }
        }
        #expect(row == count)
    }

    @Test func `many nested rows, and long strings in them, come back`() throws {
        // 170 rows of 100,000 inner ones each, more than one page may hold, every thousandth of which has a string of 4,000 bytes.
        let (rows, inner) = (170, 100_000)
        let long = strings(17_000, length: 4000)
        var offsets: [UInt32] = [0]
        for row in 1...rows { offsets.append(UInt32(row * inner)) }
        let numbers = BufferMemory<Int64>(capacity: rows * inner)
        let codes = BufferMemory<UInt32>(capacity: rows * inner)
        for i in 0..<(rows * inner) {
            (numbers.base + i).initialize(to: Int64(i))
            (codes.base + i).initialize(to: UInt32(i / 1000))
        }
        let fields: [Column] = [
            .integers(Buffer(owner: numbers, base: numbers.base, count: rows * inner)),
            .strings(
                StringColumn(
                    codes: Buffer(owner: codes, base: codes.base, count: rows * inner), dictionary: long.dictionary)),
        ]
        let part = try write(
            [.nested(NestedColumn(offsets: Buffer(offsets), fields: fields))], rows,
            table([column(2, "in", .nested([column(3, "n", .integer(.int64)), column(4, "s", .string)]))]))
        var next: Int64 = 0
        for block in 0..<part.blockCount {
            guard case .nested(let found) = try part.read(1, block: block),
                case .integers(let values) = found.fields[0],
                case .strings(let texts) = found.fields[1]
            else { continue }
            for i in stride(from: 0, to: values.count, by: 1009) {
                #expect(values[i] == next + Int64(i))
                #expect(Array(texts.bytes(i).prefix(8)) == UInt64((next + Int64(i)) / 1000).littleEndianBytes)
            }
            next += Int64(values.count)
        }
        #expect(next == Int64(rows * inner))
    }
}
