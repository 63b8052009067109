import Columns
import Core
import EngineFixtures
import Files
import Foundation
import OTLP
import Parts
import TableSchema
import Telemetry

/// Writes parts and their rows where there are none yet, if `VARVE_WRITE_GOLDEN=1`: a file that is there is never written again.
enum GoldenWriter {
    static func writeIfAsked(
        _ name: String, _ table: TableDefinition, origin: PartOrigin? = nil, to folder: String
    ) throws {
        let path = folder + "/\(name).vp"
        guard ProcessInfo.processInfo.environment["VARVE_WRITE_GOLDEN"] == "1",
            !FileManager.default.fileExists(atPath: path)
        else { return }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (batch, rows) = try content(name, table)
        // The partition with the most rows.
        guard let expected = NaiveOrder.partitions(of: rows, table: table).max(by: { $0.rows.count < $1.rows.count }),
            let chosen = RowOrder.partitions(of: batch, table: table).first(where: { $0.partition == expected.start })
        else { return }
        _ = try PartWriter.write(
            batch, chosen, table: table, zstdLevel: 1, origin: origin, to: PosixFileSystem().open(path, .create))
        var lines = expected.rows.map { RowText.line($0, table) }
        if name == "every_index" {
            let end = "{\"rows\":\(lines.count),\"xxh3\":\"\(hash(lines))\"}"
            lines = stride(from: 0, to: lines.count, by: 100).map { lines[$0] } + [end]
        }
        try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: folder + "/\(name).json"))
    }

    /// Of lines, each with its end.
    static func hash(_ lines: [String]) -> String {
        String(XXH3.hash(Array(lines.map { $0 + "\n" }.joined().utf8)), radix: 16)
    }

    private static func content(_ name: String, _ table: TableDefinition) throws -> (batch: ColumnBatch, rows: [[Cell]])
    {
        if name == "every_index" { return (BatchOfCells.make(EveryIndexTable.rows, table), EveryIndexTable.rows) }
        if name == "every_template" {
            return (BatchOfCells.make(EveryTemplateTable.rows, table), EveryTemplateTable.rows)
        }
        let tables = try TestTables()
        var style = OTLPGenerator.Style()
        style.hasRejects = false
        style.spread = 600_000_000_000
        style.setLimit = 5
        style.itemLimit = 8
        var generator = OTLPGenerator(seed: 2027, style: style)
        var naive = NaiveDecoder(table)
        switch name {
        case "otel_traces":
            var builder = SpanBuilder(tables.spans)
            let request = generator.traces(groups: 8)
            try naive.decode(traces: request)
            _ = try request.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        case "otel_logs":
            var builder = LogBuilder(tables.logs)
            let request = generator.logs(groups: 8)
            try naive.decode(logs: request, received: style.start)
            _ = try request.withUnsafeBytes { try LogDecoder.decode($0, received: style.start, into: &builder) }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        default:
            var builder = MetricBuilder(tables.metrics)
            let request = generator.metrics(groups: 8)
            try naive.decode(metrics: request)
            _ = try request.withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }
            return (builder.snapshot(rows: builder.rowCount), naive.rows)
        }
    }
}
