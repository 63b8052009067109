import Columns
import Core
import Encoding
import EngineFixtures
import Files
import Foundation
import Indexing
import TableSchema
import Testing

@testable import Parts

/// Parts of version 3, with pages and an index of templates, in Tests/Golden/parts/v3. Like those before, they are opened for ever.
/// `VARVE_WRITE_GOLDEN=1` writes what is not there yet.
struct TemplateGoldenPartTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Golden/parts/v3").standardizedFileURL.path

    private static func part() throws -> (file: any ReadableFile, part: Part) {
        try GoldenWriter.writeIfAsked("every_template", EveryTemplateTable.definition, to: folder)
        let file = try PosixFileSystem().open(folder + "/every_template.vp")
        return (file, try Part(file, table: EveryTemplateTable.definition))
    }

    @Test func `a part of version 3 has the rows that were written to it, and is whole`() throws {
        let (file, part) = try Self.part()
        let rows = try part.naiveRows()
        #expect(rows == EveryTemplateTable.rows)
        let lines = try String(contentsOfFile: Self.folder + "/every_template.json", encoding: .utf8)
            .split(separator: "\n")
        #expect(rows.map { RowText.line($0, EveryTemplateTable.definition) }.elementsEqual(lines) { $0 == $1 })
        #expect(PartVerifier.verify(file, table: EveryTemplateTable.definition).report.damage.isEmpty)
    }

    @Test func `its texts are templates with slots of every kind, and the index has them`() throws {
        let part = try Self.part().part
        let texts = try #require(try part.templatedTexts(1, block: 0))
        #expect(Set(texts.table.slots.map(\.kind)) == [.text, .decimal, .padded, .uuid])
        #expect(part.footer.tokenIndexes.map(\.kind) == [.templates])
        let index = try part.templateIndex(0, nil)
        #expect(index.covers(texts, block: 0))
        func candidates(_ text: String) throws -> Int? {
            let probe = try #require(IndexProbe.containing(anyOf: [Array(text.utf8)]))
            return try part.candidates(byTemplates: probe, column: 1)?.count
        }
        #expect(try candidates("put item") == 1)
        #expect(try candidates("item 2ZY") == 1)
        #expect(try candidates("nobody wrote this") == 0)
    }
}

/// Lines of a few statements; its rows follow from their numbers.
enum EveryTemplateTable {
    static let definition = TableDefinition(
        id: TableID(number: 902), name: "every_template",
        columns: [
            ColumnDefinition(id: ColumnID(number: 1), name: "time", type: .integer(.dateTime64)),
            ColumnDefinition(id: ColumnID(number: 2), name: "text", type: .string),
        ],
        partitionColumn: ColumnID(number: 1), partitionUnit: .month, order: [.column(ColumnID(number: 1))],
        indexes: [SkipIndexDefinition(name: "by_template", column: ColumnID(number: 2), kind: .templates)],
        timeToLive: nil, ttlColumn: nil, fingerprint: 0xE2)

    /// In the table's order.
    static let rows: [[Cell]] = (0..<400).map { number in
        [.integer(1_792_000_000_000_000_000 + Int64(number) * 1_000_000_007), .bytes(text(number))]
    }

    private static func text(_ number: Int) -> [UInt8] {
        switch number % 6 {
        case 0: Array("GET /items/\(number * 7) took \(number % 3).0\(number % 10)ms".utf8)
        case 1:
            Array(
                "user f6dbef28-5195-11ef-b243-dab2dfe8\(1000 + number) put item \(number % 4 == 1 ? "2ZYFJ3GM2N" : "OLJCESPC7Z")"
                    .utf8)
        case 2: Array("{\"level\": 30, \"agent\": \"Mozilla/5.0 (X11; rv \(number % 3))\", \"ok\": true}".utf8)
        case 3: Array("started".utf8)
        case 4 where number % 5 == 4: [0xFF, 0xC3, 0x28, 0x30 + UInt8(number % 10)]
        case 4: []
        default: Array("queue 00\(number % 3) of 07 holds \(String(number * 65_537, radix: 16))".utf8)
        }
    }
}
