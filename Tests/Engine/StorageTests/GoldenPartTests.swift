import EngineFixtures
import Files
import Foundation
import Parts
import TableSchema
import Testing

/// Parts as the first writers of version 1 made them, in Tests/Golden/parts/v1: they are opened for ever, and give the rows
/// beside them. Nothing can write them anew; `IndexedGoldenPartTests` has those of later writers.
struct GoldenPartTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Golden/parts/v1").standardizedFileURL.path

    private static let names = ["otel_traces", "otel_logs", "otel_metrics", "every_type"]

    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func table(_ name: String) throws -> TableDefinition {
        name == "every_type" ? EveryTypeTable.make(unit: .month) : try #require(tables.catalog.table(named: name))
    }

    @Test(arguments: names) func `a part of version 1 has the rows that were written to it`(name: String) throws {
        let table = try table(name)
        let file = try PosixFileSystem().open(Self.folder + "/\(name).vp")
        let rows = try Part(file, table: table).naiveRows()
        let lines = try String(contentsOfFile: Self.folder + "/\(name).json", encoding: .utf8)
            .split(separator: "\n")
        #expect(rows.count == lines.count && rows.count >= 15)
        for (row, line) in zip(rows, lines) {
            // A table may have got columns since; they stand behind those that it had.
            let found = RowText.line(row, table)
            #expect(found == line || found.hasPrefix(line.dropLast() + ","))
        }
    }
}
