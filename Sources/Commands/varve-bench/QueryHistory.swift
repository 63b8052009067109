import Corpus

/// What `query` prints and keeps.
struct QueryHistory {
    typealias Answers = [(name: String, result: QueryMeasurement.Result)]
    typealias Load = (rowsPerSecond: Double, totals: RowStream.Totals)

    private let history: History
    private let corpus: CorpusDirectory
    private let cached: Bool
    private let calibration: String
    private let commit = History.commit()
    private let stamp = Clock.stamp()

    init(path: String, corpus: CorpusDirectory, cached: Bool, calibration: String) {
        history = History(
            path: path,
            columns: [
                "date", "commit", "corpus", "query", "runs", "median_ms", "p95_ms", "first_ms", "cpu_ms", "bytes",
                "xxh3_gb_per_s", "mode", "cache", "rows_per_s", "peak_rss_mb",
            ])
        self.corpus = corpus
        self.cached = cached
        self.calibration = calibration
    }

    /// - Parameter beside: medians at rest, in milliseconds.
    func print(
        _ mode: QueryCommand.Mode, _ answers: Answers, beside settled: [String: Double], refused: [String],
        _ load: Load?, peak: Int?
    ) {
        let title = "\(corpus.signal.rawValue), \(mode.name)"
        var header = [title, "median ms", "p95 ms", "first ms", "CPU ms", "bytes", "runs"]
        if !settled.isEmpty { header.append("× settled") }
        Console.table(
            header,
            answers.map { name, result in
                var row = [
                    name, Console.decimal(result.median, 2), Console.decimal(result.p95, 2),
                    Console.decimal(result.first, 2), result.cpu.map { Console.decimal($0, 2) } ?? "-",
                    Console.grouped(result.bytes), String(result.runs),
                ]
                if !settled.isEmpty {
                    row.append(settled[name].map { Console.decimal(result.median / $0, 1) } ?? "-")
                }
                return row
            })
        for reason in refused { Swift.print("not answered: \(reason)") }
        if let load {
            Swift.print(
                "rows/s sent: \(Console.grouped(Int(load.rowsPerSecond))), retries: \(load.totals.retries),",
                "errors: \(load.totals.errorCount) \(load.totals.errors.first ?? "")")
        }
        if let peak { Swift.print("peak RSS MB: \(Console.decimal(Double(peak) / 1e6, 1))") }
        Swift.print("calibration XXH3 GB/s: \(calibration)")
    }

    func append(
        _ mode: QueryCommand.Mode, _ answers: Answers, _ rowsPerSecond: Double?, peak: Int?
    ) throws(BenchError) {
        for (name, result) in answers {
            try history.append([
                "date": stamp, "commit": commit, "corpus": corpus.path, "query": name, "runs": String(result.runs),
                "median_ms": Console.decimal(result.median, 2), "p95_ms": Console.decimal(result.p95, 2),
                "first_ms": Console.decimal(result.first, 2),
                "cpu_ms": result.cpu.map { Console.decimal($0, 2) } ?? "", "bytes": String(result.bytes),
                "xxh3_gb_per_s": calibration, "mode": mode.name, "cache": cached ? "on" : "off",
                "rows_per_s": rowsPerSecond.map { String(Int($0)) } ?? "",
                "peak_rss_mb": peak.map { Console.decimal(Double($0) / 1e6, 1) } ?? "",
            ])
        }
    }
}
