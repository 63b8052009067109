import Corpus
import Glibc

/// `ingest`: loads a corpus into a server of its own and accounts for time, CPU, memory and disk.
struct IngestCommand {
    static let options: Set<String> = [
        "dir", "signal", "connections", "durability", "binary", "limit-rows", "data-dir", "history", "quiet", "shift",
        "transport",
    ]

    private let corpus: CorpusDirectory
    private let connections: Int
    private let durability: String?
    private let transport: Loader.Transport
    private let binary: String
    private let limit: Int?
    /// Where the caller wants to keep the data; nil for a temporary folder.
    private let dataDirectory: String?
    private let history: String
    /// Seconds without a merge after which the parts count as merged.
    private let quiet: Int

    init(_ arguments: Arguments) throws(BenchError) {
        corpus = try CorpusDirectory(
            try arguments.required("dir"), signal: arguments.text("signal"), shift: arguments.text("shift"))
        connections = try arguments.int("connections", default: 4, in: 1...256)
        durability = arguments.text("durability")
        guard let transport = Loader.Transport(rawValue: arguments.text("transport") ?? "http") else {
            throw .usage("--transport is http or grpc")
        }
        self.transport = transport
        binary = arguments.text("binary") ?? ".build/release/varve"
        limit = try arguments.optionalInt("limit-rows", in: 1...Int.max)
        dataDirectory = arguments.text("data-dir")
        history = arguments.text("history") ?? "Benchmarks/history/ingest.csv"
        quiet = try arguments.int("quiet", default: 12, in: 1...3_600)
    }

    func run() throws(BenchError) {
        let bodies = chosenBodies()
        let calibration = Calibration.gigabytesPerSecond()
        let directory: String
        if let dataDirectory { directory = dataDirectory } else { directory = try FileTree.makeTemporaryDirectory() }
        defer { if dataDirectory == nil { FileTree.removeTree(directory) } }
        var server = try ServerProcess(
            binary: binary, dataDirectory: directory, extra: durability.map { ["--durability", $0] } ?? [])
        guard let before = ProcessUsage(pid: server.pid) else { throw .server("the server is gone") }
        let begun = Clock.now()
        let totals = try loader(server, bodies).run(connections: connections)
        let loaded = Clock.now()
        guard totals.errorCount == 0 else {
            throw .server(
                "\(totals.errorCount) requests failed:\n  \(totals.errors.prefix(5).joined(separator: "\n  "))")
        }
        try Settling.flush(server.http)
        let flushed = Clock.now()
        guard let inParts = ProcessUsage(pid: server.pid) else { throw .server("the server is gone") }
        let metrics = try Settling.wait(for: server.http, quiet: quiet)
        guard let after = ProcessUsage(pid: server.pid) else { throw .server("the server is gone") }
        let disk = DiskUsage(of: directory)
        try server.stop()
        let rows = try storedRows(in: directory, bodies: bodies.count)
        let result = Result(
            rows: rows, totals: totals, loadSeconds: loaded - begun, allSeconds: flushed - begun,
            flushedCPUSeconds: inParts.cpuSeconds - before.cpuSeconds,
            cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakBytes: after.peakResidentBytes, disk: disk,
            metrics: metrics, calibration: calibration)
        result.report()
        if corpus.shift != 0 { print("--shift \(corpus.shift / 1_000_000_000)") }
        try record(result)
    }

    private func loader(_ server: borrowing ServerProcess, _ bodies: [String]) throws(BenchError) -> Loader {
        guard transport == .grpc else { return Loader(corpus, bodies: bodies, at: server.otlp) }
        guard let address = server.grpc else { throw .server("\(binary) does not speak gRPC") }
        return Loader(corpus, bodies: bodies, at: address, by: .grpc)
    }

    /// The first bodies that hold about `limit` rows.
    private func chosenBodies() -> [String] {
        guard let limit, limit < corpus.rows else { return corpus.bodies }
        let share = Double(limit) / Double(corpus.rows)
        let count = Int((share * Double(corpus.bodies.count)).rounded())
        return Array(corpus.bodies.prefix(max(1, count)))
    }

    /// The rows that are in parts now. Of a whole corpus, these must be all: figures of rows that went missing are worth nothing.
    private func storedRows(in directory: String, bodies: Int) throws(BenchError) -> Int {
        let tables = try PartInventory(binary: binary, dataDirectory: directory).tables
        let rows = tables.first { $0.name == "otel_\(corpus.signal.rawValue)" }?.rows ?? 0
        guard rows > 0, bodies < corpus.bodies.count || rows == corpus.rows else {
            throw .server("\(rows) rows are in parts, of a corpus of \(corpus.rows)")
        }
        return rows
    }

    private struct Result {
        var rows: Int
        var totals: Loader.Totals
        var loadSeconds: Double
        var allSeconds: Double
        /// Up to the timestamp when every row was in a part.
        var flushedCPUSeconds: Double
        /// Merges included.
        var cpuSeconds: Double
        var peakBytes: Int
        var disk: DiskUsage
        var metrics: ServerMetrics
        var calibration: Double

        var rowsPerSecond: Double { Double(rows) / loadSeconds }
        var rowsPerCPUSecond: Double { Double(rows) / max(cpuSeconds, 0.01) }
        var rowsPerFlushedCPUSecond: Double { Double(rows) / max(flushedCPUSeconds, 0.01) }
        /// Bytes of parts that were written, for each that a flush wrote.
        var writeAmplification: Double {
            let flushed = metrics.total("varve_flush_written_bytes_total") ?? .nan
            return (flushed + (metrics.total("varve_merge_written_bytes_total") ?? 0)) / flushed
        }
        var bytesPerRow: Double { Double(disk.parts) / Double(rows) }

        /// Bytes that were written to the disk for a row, in the log, by flushes or by merges; NaN if the server does not count them.
        func written(by work: String) -> Double {
            (metrics.total("varve_\(work)_written_bytes_total") ?? .nan) / Double(rows)
        }

        func report() {
            Console.table(
                ["ingest", "value"],
                [
                    ["rows", Console.grouped(rows)],
                    ["requests", Console.grouped(totals.requests)],
                    ["retries", Console.grouped(totals.retries)],
                    ["seconds, load", Console.decimal(loadSeconds, 2)],
                    ["seconds, load and flush", Console.decimal(allSeconds, 2)],
                    ["rows/s", Console.grouped(Int(rowsPerSecond))],
                    ["MB/s", Console.decimal(Double(totals.bytes) / 1e6 / loadSeconds, 1)],
                    ["server CPU-s", Console.decimal(cpuSeconds, 2)],
                    ["rows per CPU-s", Console.grouped(Int(rowsPerCPUSecond))],
                    ["rows per CPU-s, until flushed", Console.grouped(Int(rowsPerFlushedCPUSecond))],
                    ["bytes written per byte flushed", Console.decimal(writeAmplification, 2)],
                    ["bytes written per row: log", Console.decimal(written(by: "wal"), 2)],
                    ["bytes written per row: flushes", Console.decimal(written(by: "flush"), 2)],
                    ["bytes written per row: merges", Console.decimal(written(by: "merge"), 2)],
                    ["peak RSS MB", Console.decimal(Double(peakBytes) / 1e6, 1)],
                    ["parts MB", Console.decimal(Double(disk.parts) / 1e6, 2)],
                    ["log MB", Console.decimal(Double(disk.log) / 1e6, 2)],
                    ["other MB", Console.decimal(Double(disk.other) / 1e6, 2)],
                    ["part bytes per row", Console.decimal(bytesPerRow, 2)],
                    ["request p50 ms", Console.decimal(totals.latencies.percentile(0.5) * 1e3, 2)],
                    ["request p99 ms", Console.decimal(totals.latencies.percentile(0.99) * 1e3, 2)],
                    ["calibration XXH3 GB/s", Console.decimal(calibration, 2)],
                ])
            print("")
            let work = metrics.byLabel("varve_work_cpu_seconds_total")
            let rest = cpuSeconds - work.reduce(0) { $0 + $1.value }
            Console.table(
                ["work", "CPU-s", "share", "ns/row"],
                (work + [("receiving, and all else", rest)]).map { name, seconds in
                    [
                        name, Console.decimal(seconds, 2), Console.decimal(100 * seconds / cpuSeconds, 1) + " %",
                        Console.decimal(seconds * 1e9 / Double(rows), 0),
                    ]
                })
        }
    }

    private func record(_ result: Result) throws(BenchError) {
        let history = History(
            path: history,
            columns: [
                "date", "commit", "corpus", "signal", "rows", "connections", "durability", "rows_per_s",
                "rows_per_cpu_s",
                "cpu_s", "load_s", "load_and_flush_s", "peak_rss_mb", "part_bytes", "log_bytes", "bytes_per_row",
                "p50_ms", "p99_ms", "retries", "xxh3_gb_per_s", "rows_per_cpu_s_flushed", "write_amplification",
                "transport", "log_written_per_row", "flush_written_per_row", "merge_written_per_row",
            ])
        try history.append([
            "date": Clock.stamp(), "commit": History.commit(), "corpus": corpus.path,
            "signal": corpus.signal.rawValue, "rows": String(result.rows), "connections": String(connections),
            "durability": durability ?? "default", "rows_per_s": String(Int(result.rowsPerSecond)),
            "rows_per_cpu_s": String(Int(result.rowsPerCPUSecond)),
            "cpu_s": Console.decimal(result.cpuSeconds, 2), "load_s": Console.decimal(result.loadSeconds, 2),
            "load_and_flush_s": Console.decimal(result.allSeconds, 2),
            "peak_rss_mb": Console.decimal(Double(result.peakBytes) / 1e6, 1),
            "part_bytes": String(result.disk.parts), "log_bytes": String(result.disk.log),
            "bytes_per_row": Console.decimal(result.bytesPerRow, 2),
            "p50_ms": Console.decimal(result.totals.latencies.percentile(0.5) * 1e3, 2),
            "p99_ms": Console.decimal(result.totals.latencies.percentile(0.99) * 1e3, 2),
            "retries": String(result.totals.retries), "xxh3_gb_per_s": Console.decimal(result.calibration, 2),
            "rows_per_cpu_s_flushed": String(Int(result.rowsPerFlushedCPUSecond)),
            "write_amplification": Console.decimal(result.writeAmplification, 2), "transport": transport.rawValue,
            "log_written_per_row": Console.decimal(result.written(by: "wal"), 2),
            "flush_written_per_row": Console.decimal(result.written(by: "flush"), 2),
            "merge_written_per_row": Console.decimal(result.written(by: "merge"), 2),
        ])
    }
}

/// The bytes of a data directory: parts, write-ahead logs, and the rest (catalogs, locks).
struct DiskUsage {
    private(set) var parts = 0
    private(set) var log = 0
    private(set) var other = 0

    init(of directory: String) {
        for file in FileTree.files(below: directory) {
            let folders = file.path.split(separator: "/").map { $0.lowercased() }
            if folders.contains(where: { $0 == "wal" || $0.hasSuffix(".wal") || $0 == "log" || $0.hasSuffix(".log") }) {
                log += file.bytes
            } else if folders.contains(where: { $0 == "parts" || $0.hasSuffix(".part") }) {
                parts += file.bytes
            } else {
                other += file.bytes
            }
        }
    }
}
