import Columns
import Core
import EngineFixtures
import Files
import Foundation
import OTLP
import Parts
import TableSchema
import Telemetry
import Testing

/// Parts of every version that was released, in Tests/Golden/parts: they are opened for ever, and give the rows beside them.
///
/// `VARVE_WRITE_GOLDEN=1` writes those of the present version, which only an unreleased format may need again.
struct GoldenPartTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Golden/parts/v1").standardizedFileURL.path

    private static let names = ["otel_traces", "otel_logs", "otel_metrics", "every_type"]

    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func table(_ name: String) throws -> TableDefinition {
        name == "every_type" ? EveryTypeTable.make(unit: .month) : try #require(tables.catalog.table(named: name))
    }

    /// Rows for a new golden part: those of the first partition.
    private func content(_ name: String) throws -> (batch: ColumnBatch, rows: [[Cell]]) {
        var style = OTLPGenerator.Style()
        style.hasRejects = false
        style.spread = 600_000_000_000
        style.setLimit = 5
        style.itemLimit = 8
        var generator = OTLPGenerator(seed: 2026, style: style)
        switch name {
        case "otel_traces":
            var builder = SpanBuilder(tables.spans)
            var naive = NaiveDecoder(tables.spans.definition)
            let request = generator.traces(groups: 8)
            try naive.decode(traces: request)
            _ = try request.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        case "otel_logs":
            var builder = LogBuilder(tables.logs)
            var naive = NaiveDecoder(tables.logs.definition)
            let request = generator.logs(groups: 8)
            try naive.decode(logs: request, received: style.start)
            _ = try request.withUnsafeBytes {
                try LogDecoder.decode($0, received: style.start, into: &builder)
            }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        case "otel_metrics":
            var builder = MetricBuilder(tables.metrics)
            var naive = NaiveDecoder(tables.metrics.definition)
            let request = generator.metrics(groups: 8)
            try naive.decode(metrics: request)
            _ = try request.withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        default:
            var random = SeededRandom(seed: 2026)
            var style = EveryTypeTable.Style()
            style.spread = 86_400_000_000_000
            let rows = EveryTypeTable.rows(80, &random, style)
            return (BatchOfCells.make(rows, try table(name)), rows)
        }
    }

    private func write(_ name: String) throws {
        let table = try table(name)
        let (batch, rows) = try content(name)
        // The partition with the most rows.
        let partitions = NaiveOrder.partitions(of: rows, table: table)
        let expected = try #require(partitions.max { $0.rows.count < $1.rows.count })
        let chosen = try #require(
            RowOrder.partitions(of: batch, table: table).first { $0.partition == expected.start })
        let path = Self.folder + "/\(name).vp"
        try? FileManager.default.removeItem(atPath: path)
        let file = try PosixFileSystem().open(path, .create)
        _ = try PartWriter.write(batch, chosen, table: table, zstdLevel: 1, to: file)
        let text = expected.rows.map { RowText.line($0, table) + "\n" }.joined()
        try Data(text.utf8).write(to: URL(filePath: Self.folder + "/\(name).json"))
    }

    @Test(arguments: names) func `a part of version 1 has the rows that were written to it`(name: String) throws {
        if ProcessInfo.processInfo.environment["VARVE_WRITE_GOLDEN"] == "1" { try write(name) }
        let table = try table(name)
        let file = try PosixFileSystem().open(Self.folder + "/\(name).vp", .read)
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
