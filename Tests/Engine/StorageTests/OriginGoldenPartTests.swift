import EngineFixtures
import Files
import Foundation
import TableSchema
import Testing

@testable import Parts

/// Parts of version 2, whose footers say where their rows come from, in Tests/Golden/parts/v2: one for each kind of origin. Like
/// those of v1, they are opened for ever. `VARVE_WRITE_GOLDEN=1` writes what is not there yet.
struct OriginGoldenPartTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Golden/parts/v2").standardizedFileURL.path

    static let origins: [(name: String, origin: PartOrigin)] = [
        ("otel_traces", .flushed(FlushOrigin(previous: 40, first: 42, last: 57, parts: 3))),
        ("otel_logs", .merged(level: 2, PartSources(own: rows([1...9, 12...12, 300...4000], [3, 4, 900])))),
        (
            "otel_metrics",
            .aggregated(
                PartSources(aggregated: [
                    AggregatedSources(table: 2, partition: -5, rows: rows([7...7], [])),
                    AggregatedSources(table: 3, partition: 1_700_000_000_000_000_000, rows: rows([], [1, 2, 1 << 40])),
                ]))
        ),
    ]

    private static func rows(_ positions: [ClosedRange<UInt64>], _ parts: [UInt64]) -> RowSources {
        var rows = RowSources()
        for range in positions { rows.formUnion(RowSources(positions: range)) }
        for part in parts { rows.formUnion(RowSources(part: part)) }
        return rows
    }

    @Test func `a part of version 2 has its rows and its origin`() throws {
        let tables = try TestTables()
        for (name, origin) in Self.origins {
            let table = try #require(tables.catalog.table(named: name))
            try GoldenWriter.writeIfAsked(name, table, origin: origin, to: Self.folder)
            let file = try PosixFileSystem().open(Self.folder + "/\(name).vp")
            let part = try Part(file, table: table)
            let rows = try part.naiveRows()
            let lines = try String(contentsOfFile: Self.folder + "/\(name).json", encoding: .utf8).split(
                separator: "\n")
            #expect(rows.count == lines.count && rows.count >= 15)
            for (row, line) in zip(rows, lines) {
                // A table may have got columns since; they stand behind those that it had.
                let found = RowText.line(row, table)
                #expect(found == line || found.hasPrefix(line.dropLast() + ","))
            }
            #expect(part.origin == origin)
            #expect(PartVerifier.verify(file, table: table).report.damage.isEmpty)
        }
    }
}
