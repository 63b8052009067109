import Columns
import Core
import EngineFixtures
import Files
import Indexing
import Parts
import Randomness
import TableSchema
import Testing

@testable import Storage

/// What open parts are counted to hold.
struct OpenPartsTests {
    private static let probe = IndexProbe.attribute(AttributeProbe(key: Array("key1".utf8), text: "v1"))

    /// A table with two indexes of tokens.
    private func table() -> TableDefinition {
        var table = EveryTypeTable.make(unit: .month)
        table.indexes += [6, 8].map {
            SkipIndexDefinition(name: "tokens_\($0)", column: ColumnID(number: $0), kind: .tokenPostings)
        }
        return table
    }

    private func parts(_ count: Int, _ table: TableDefinition, _ cache: OpenParts) throws -> [PartHandle] {
        var random = SeededRandom(seed: 21)
        let disk = SimulatedFileSystem(seed: 1)
        return try (1...count).map { number in
            var style = EveryTypeTable.Style()
            style.spread = 3_600_000_000_000
            let batch = BatchOfCells.make(EveryTypeTable.rows(60, &random, style), table)
            let partition = try #require(RowOrder.partitions(of: batch, table: table).first)
            let path = "/\(number).vp"
            let summary = try PartWriter.write(
                batch, partition, table: table, zstdLevel: 1, to: try disk.open(path, .create))
            let record = PartRecord(
                id: PartID(number: UInt64(number)), tenant: .default, table: table.id, partition: partition.partition,
                level: 0, rowCount: summary.rowCount, byteCount: summary.byteCount, leastTime: summary.leastTime,
                greatestTime: summary.greatestTime)
            return PartHandle(record, table: table, path: path, fileSystem: disk, cache: cache)
        }
    }

    @Test func `an index that a part keeps is counted once, and no more when the part is closed`() throws {
        let cache = OpenParts()
        let table = table()
        do {
            let handles = try parts(2, table, cache)
            let part = try handles[0].part()
            _ = try handles[1].part()
            let before = cache.usedBytes
            for _ in 0..<3 {
                #expect(try part.candidates(Self.probe, column: EveryTypeTable.attributes) != nil)
                #expect(cache.usedBytes > before)
                #expect(cache.usedBytes - before == part.heldBytes - part.footerBytes)
            }
            #expect(cache.openParts == 2)
        }
        #expect(cache.openParts == 0 && cache.usedBytes == 0)
    }

    @Test func `an index that is read closes other parts if there is no room for it`() throws {
        let table = table()
        var (footers, indexes) = (0, 0)
        for handle in try parts(10, table, OpenParts()) {
            let part = try handle.part()
            _ = try part.candidates(Self.probe, column: EveryTypeTable.attributes)
            #expect(try part.candidates(.ids([1]), column: EveryTypeTable.text) != nil)
            footers += part.footerBytes
            indexes += part.heldBytes - part.footerBytes
        }
        let cache = OpenParts(OpenParts.Limits(files: 100, bytes: 2 * (footers + indexes / 10)))
        let handles = try parts(10, table, cache)
        for handle in handles { _ = try handle.part() }
        #expect(cache.openParts == 10, "there is room for their footers")
        for handle in handles { _ = try handle.part().candidates(Self.probe, column: EveryTypeTable.attributes) }
        // By now the cache has looked at the first ones, which nobody asks for any more.
        for handle in handles[6...] { _ = try handle.part().candidates(.ids([1]), column: EveryTypeTable.text) }
        #expect(cache.openParts < 10, "\(cache.openParts) are open")
    }

    @Test func `a part that was let go of counts nothing for what it reads later`() throws {
        let table = table()
        let cache = OpenParts(OpenParts.Limits(files: 1, bytes: 1 << 30))
        let handles = try parts(4, table, cache)
        let part = try handles[0].part()
        for _ in 0..<3 { for handle in handles.dropFirst() { _ = try handle.part() } }
        let (open, before) = (cache.openParts, cache.usedBytes)
        _ = try part.candidates(Self.probe, column: EveryTypeTable.attributes)
        #expect(cache.openParts <= open && cache.usedBytes <= before)
    }
}
