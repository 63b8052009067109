import Columns
import EngineFixtures
import Files
import Offline
import Randomness
import TableSchema
import Testing

@testable import Indexing
@testable import Parts

/// Indexes of tokens that say "no" of what their blocks have, behind checksums that are right.
struct ForgedIndexTests {
    static let kinds: [SkipIndexDefinition.Kind] = [.tokenPostings, .tokenBloom(falsePositives: 0.01)]

    /// Every column that takes an index of tokens.
    private static let columns: [(number: UInt16, path: String)] = [
        (4, "trace_id"), (6, "text"), (7, "label"), (8, "attributes"), (14, "nested.a"), (16, "nested.id"),
    ]

    static func indexed(_ table: TableDefinition, _ kind: SkipIndexDefinition.Kind) -> TableDefinition {
        var table = table
        table.indexes += columns.map {
            SkipIndexDefinition(name: "tokens_\($0.number)", column: ColumnID(number: $0.number), kind: kind)
        }
        return table
    }

    private func write(_ rows: [[Cell]], _ table: TableDefinition) throws -> [UInt8] {
        let disk = SimulatedFileSystem(seed: 1)
        let written = try PartFixtures.write(BatchOfCells.make(rows, table), table, to: disk)
        #expect(written.count == 1)
        return try #require(disk.bytes(of: written[0].path))
    }

    private func open(_ bytes: [UInt8], _ table: TableDefinition) throws -> (part: Part?, report: PartReport) {
        let disk = SimulatedFileSystem(seed: 1)
        try disk.open("/part.vp", .create).append(bytes)
        return PartVerifier.verify(try disk.open("/part.vp"), table: table)
    }

    /// The part with another index in the place of one of its own.
    private func forge(
        _ bytes: [UInt8], _ footer: PartFooter, index number: Int, pages: [UInt8], directory: [UInt8]
    ) -> [UInt8] {
        let trailer = bytes.count - PartLayout.trailerLength
        let end = bytes[trailer..<(trailer + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
        let entry = footer.tokenIndexes[number]
        var output = PartOutput()
        output.append(bytes[PartLayout.headerLength..<end])
        var footer = footer
        output.append(
            TokenIndexWriter.Segment(
                firstBlock: entry.firstBlock, blockCount: entry.blockCount, directory: directory, pages: pages),
            ColumnID(number: entry.column), entry.kind, &footer)
        footer.tokenIndexes[number] = footer.tokenIndexes.removeLast()
        output.append(footer)
        return output.bytes
    }

    private func bytes(of index: TokenIndexEntry, in file: [UInt8]) -> (pages: [UInt8], directory: [UInt8]) {
        let directory = Int(index.directory.offset)
        return (
            Array(file[Int(index.offset)..<directory]),
            Array(file[directory..<(directory + index.directory.storedLength)])
        )
    }

    @Test(arguments: kinds, [300, 9000])
    func `indexes as they are written are clean`(kind: SkipIndexDefinition.Kind, rows: Int) throws {
        var random = SeededRandom(seed: UInt64(rows))
        let table = Self.indexed(EveryTypeTable.make(unit: .month), kind)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let (part, report) = try open(write(EveryTypeTable.rows(rows, &random, style), table), table)
        #expect(report.damage.isEmpty)
        #expect(try #require(part).footer.tokenIndexes.count == Self.columns.count)
    }

    @Test(arguments: kinds)
    func `an index that lacks tokens of its block is found, and one that has more is not`(
        kind: SkipIndexDefinition.Kind
    ) throws {
        var random = SeededRandom(seed: 7)
        let table = Self.indexed(EveryTypeTable.make(unit: .month), kind)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let rows = EveryTypeTable.rows(300, &random, style)
        let (all, some) = (try write(rows, table), try write(Array(rows.prefix(20)), table))
        let footers = try [all, some].map { try #require(try open($0, table).part).footer }
        for (number, column) in Self.columns.enumerated() {
            #expect(footers[0].tokenIndexes[number].column == column.number)
            let few = bytes(of: footers[1].tokenIndexes[number], in: some)
            let forged = forge(all, footers[0], index: number, pages: few.pages, directory: few.directory)
            let report = try open(forged, table).report
            #expect(
                report.damage == [
                    PartDamage(
                        .index(footers[0].blooms.count + number), "tokens \(column.path)",
                        "the index says no of a token that is there")
                ])
            #expect(report.blocks.isEmpty && !report.isLost)
            // "Maybe" may be said wrongly.
            let many = bytes(of: footers[0].tokenIndexes[number], in: all)
            let generous = forge(some, footers[1], index: number, pages: many.pages, directory: many.directory)
            #expect(try open(generous, table).report.isClean)
        }
    }

    @Test(arguments: kinds)
    func `stamps that hide longer words are found`(kind: SkipIndexDefinition.Kind) throws {
        var random = SeededRandom(seed: 8)
        let table = Self.indexed(EveryTypeTable.make(unit: .month), kind)
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let file = try write(EveryTypeTable.rows(50, &random, style), table)
        let footer = try #require(try open(file, table).part).footer
        let number = try #require(Self.columns.firstIndex { $0.path == "text" })
        let entry = footer.tokenIndexes[number]
        let (pages, directory) = bytes(of: entry, in: file)
        let index = try TokenIndex(decoding: directory, kind: entry.kind, blockCount: 1)
        var short = index.stamps[0]
        for word in short.words.indices { short.words[word].length -= 1 }
        for (stamps, isClean) in [([short], false), ([], true), (index.stamps, true)] {
            let forged = forge(
                file, footer, index: number, pages: pages, directory: TokenIndex(index.form, stamps: stamps).encoded)
            #expect(try open(forged, table).report.isClean == isClean)
        }
    }

    @Test(arguments: kinds)
    func `a repair takes a lying index out and keeps the rows`(kind: SkipIndexDefinition.Kind) throws {
        let place = OfflineDirectory(unit: .month) { Self.indexed($0, kind) }
        try place.fill(1, rows: 200, seed: 3)
        let before = try place.rows()
        #expect(try place.verify().summary.isClean)
        let path = try #require(place.partFiles.first)
        let file = try #require(place.disk.bytes(of: path))
        let footer = try #require(try open(file, place.table).part).footer
        var random = SeededRandom(seed: 4)
        let other = try write(EveryTypeTable.rows(5, &random, place.style), place.table)
        let few = bytes(of: try #require(try open(other, place.table).part).footer.tokenIndexes[1], in: other)
        place.disk.edit(path) {
            $0 = forge(file, footer, index: 1, pages: few.pages, directory: few.directory)
        }
        let (findings, _) = try place.verify()
        #expect(findings.contains { $0.reason == "the index says no of a token that is there" })
        let (_, summary) = try place.repair()
        #expect(summary.lostRows == 0 && summary.leftAlone == 0)
        #expect(try place.verify().summary.isClean)
        #expect(try place.rows() == before)
    }
}
