import Foundation
import Synchronization

/// `load traces`: searches by many connections while spans arrive at a steady rate, as if they happened now.
///
/// First spans alone arrive for as long, which tells what ingest costs, and leaves parts and memtables for the searches.
struct LoadCommand {
    static let options: Set<String> = [
        "dir", "connections", "rate", "seconds", "senders", "binary", "data-dir", "history",
    ]

    static let usage = """
        usage: varve-bench load traces --dir CORPUS [options]

          --dir DIR           a corpus of traces, whose spans are sent as if they happened now
          --connections 100   connections that search, each as soon as its last answer has come
          --rate 50000        spans a second that are sent
          --seconds 30        how long, first without searches and then with them
          --senders 4         connections that send
          --binary FILE       the server (.build/release/varve)
          --data-dir DIR      where its data goes; a temporary folder unless given
          --history FILE      Benchmarks/history/load.csv

        It starts a server of its own, and prints searches, errors, latencies, acknowledged spans, the server's peak resident memory,
        and the share of ingest: the server's processor time in the run without searches, by its seconds times the processors.
        """

    private let corpus: CorpusDirectory
    private let connections, rate, seconds, senders: Int
    private let binary: String
    private let dataDirectory: String?
    private let history: String

    init(_ arguments: Arguments) throws(BenchError) {
        corpus = try CorpusDirectory(try arguments.required("dir"), signal: "traces")
        connections = try arguments.int("connections", default: 100, in: 1...10_000)
        rate = try arguments.int("rate", default: 50_000, in: 1...100_000_000)
        seconds = try arguments.int("seconds", default: 30, in: 1...86_400)
        senders = try arguments.int("senders", default: 4, in: 1...256)
        binary = arguments.text("binary") ?? ".build/release/varve"
        dataDirectory = arguments.text("data-dir")
        history = arguments.text("history") ?? "Benchmarks/history/load.csv"
    }

    func run() throws(BenchError) {
        let directory: String
        if let dataDirectory { directory = dataDirectory } else { directory = try FileTree.makeTemporaryDirectory() }
        defer { if dataDirectory == nil { FileTree.removeTree(directory) } }
        let calibration = Calibration.gigabytesPerSecond()
        var server = try ServerProcess(binary: binary, dataDirectory: directory, extra: [])
        let stream = try RowStream(corpus, rate: rate, overload: .isAnError, firstPass: 0, at: server.otlp)
        let alone = try measure(server.pid) { stream.run(senders: senders, seconds: Double(seconds)) }
        let mix = try SearchMix(server.http)
        let searching = SearchLoad(mix, at: server.http)
        let busy = try measure(server.pid) {
            let load = Thread.started { searching.run(connections: connections, seconds: Double(seconds)) }
            let sent = stream.run(senders: senders, seconds: Double(seconds))
            load.wait()
            return sent
        }
        guard let usage = ProcessUsage(pid: server.pid) else { throw .server("the server is gone") }
        try server.stop()
        let result = Result(
            alone: alone, busy: busy, searches: searching.totals, peakBytes: usage.peakResidentBytes,
            calibration: calibration)
        report(result)
        try record(result)
    }

    private struct Phase {
        var sent: RowStream.Totals
        var seconds: Double
        var cpuSeconds: Double
        /// Of all processors.
        var share: Double { cpuSeconds / (seconds * Double(ProcessInfo.processInfo.activeProcessorCount)) }
    }

    private struct Result {
        var alone, busy: Phase
        var searches: SearchLoad.Totals
        var peakBytes: Int
        var calibration: Double
    }

    private func measure(_ pid: pid_t, _ body: () -> RowStream.Totals) throws(BenchError) -> Phase {
        guard let before = ProcessUsage(pid: pid) else { throw .server("the server is gone") }
        let begun = Clock.now()
        let sent = body()
        let took = Clock.now() - begun
        guard let after = ProcessUsage(pid: pid) else { throw .server("the server is gone") }
        return Phase(sent: sent, seconds: took, cpuSeconds: after.cpuSeconds - before.cpuSeconds)
    }

    private func report(_ result: Result) {
        let searches = result.searches
        func milliseconds(_ share: Double) -> String {
            Console.decimal(searches.latencies.percentile(share) * 1e3, 1)
        }
        Console.table(
            ["load", "value"],
            [
                ["searches", Console.grouped(searches.latencies.values.count)],
                ["searches/s", Console.decimal(Double(searches.latencies.values.count) / result.busy.seconds, 1)],
                ["search errors", Console.grouped(searches.errorCount)],
                ["search p50 ms", milliseconds(0.5)], ["search p95 ms", milliseconds(0.95)],
                ["search p99 ms", milliseconds(0.99)],
                ["answers MB", Console.decimal(Double(searches.bytes) / 1e6, 1)],
                ["spans acknowledged, alone", Console.grouped(result.alone.sent.rows)],
                ["spans acknowledged, with searches", Console.grouped(result.busy.sent.rows)],
                ["spans/s with searches", Console.grouped(Int(Double(result.busy.sent.rows) / result.busy.seconds))],
                ["send errors", Console.grouped(result.alone.sent.errorCount + result.busy.sent.errorCount)],
                [
                    "sends that were late, s",
                    Console.decimal(max(result.alone.sent.lateness, result.busy.sent.lateness), 2),
                ],
                ["peak RSS MB", Console.decimal(Double(result.peakBytes) / 1e6, 1)],
                ["CPU of ingest alone", Console.decimal(100 * result.alone.share, 1) + " %"],
                ["CPU with searches", Console.decimal(100 * result.busy.share, 1) + " %"],
                ["calibration XXH3 GB/s", Console.decimal(result.calibration, 2)],
            ])
        for error in (searches.errors + result.alone.sent.errors + result.busy.sent.errors).prefix(5) {
            print("not answered: \(error)")
        }
        Console.table(
            ["search", "count", "p50 ms", "p95 ms"],
            searches.byName.sorted { $0.key < $1.key }.map { name, samples in
                [
                    name, Console.grouped(samples.values.count), Console.decimal(samples.percentile(0.5) * 1e3, 1),
                    Console.decimal(samples.percentile(0.95) * 1e3, 1),
                ]
            })
    }

    private func record(_ result: Result) throws(BenchError) {
        let history = History(
            path: history,
            columns: [
                "date", "commit", "corpus", "connections", "rate", "seconds", "searches", "errors", "p50_ms", "p95_ms",
                "p99_ms", "spans", "peak_rss_mb", "ingest_cpu_share", "busy_cpu_share", "xxh3_gb_per_s",
            ])
        let searches = result.searches
        try history.append([
            "date": Clock.stamp(), "commit": History.commit(), "corpus": corpus.path,
            "connections": String(connections), "rate": String(rate), "seconds": String(seconds),
            "searches": String(searches.latencies.values.count), "errors": String(searches.errorCount),
            "p50_ms": Console.decimal(searches.latencies.percentile(0.5) * 1e3, 1),
            "p95_ms": Console.decimal(searches.latencies.percentile(0.95) * 1e3, 1),
            "p99_ms": Console.decimal(searches.latencies.percentile(0.99) * 1e3, 1),
            "spans": String(result.alone.sent.rows + result.busy.sent.rows),
            "peak_rss_mb": Console.decimal(Double(result.peakBytes) / 1e6, 1),
            "ingest_cpu_share": Console.decimal(result.alone.share, 3),
            "busy_cpu_share": Console.decimal(result.busy.share, 3),
            "xxh3_gb_per_s": Console.decimal(result.calibration, 2),
        ])
    }
}

extension Thread {
    /// A thread that works already, to be waited for.
    static func started(_ body: @escaping @Sendable () -> Void) -> DispatchGroup {
        let group = DispatchGroup()
        group.enter()
        let thread = Thread {
            body()
            group.leave()
        }
        thread.start()
        return group
    }
}
