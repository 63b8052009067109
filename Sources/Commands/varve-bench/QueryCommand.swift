import Corpus
import Foundation

/// `query`: latencies of typical questions about a loaded corpus, one at a time over one keep-alive connection.
struct QueryCommand {
    static let options: Set<String> = ["url", "corpus", "runs", "pid", "only", "history"]

    private static let mostSeconds = 10.0
    private static let fewestRuns = 3

    private let address: HTTPConnection.Address
    private let corpus: CorpusDirectory
    private let runs: Int
    private let pid: Int?
    private let only: String?
    private let history: String

    init(_ arguments: Arguments) throws(BenchError) {
        let url = try arguments.required("url")
        guard let address = HTTPConnection.Address(url) else { throw .usage("--url: '\(url)' is not http://HOST:PORT") }
        self.address = address
        corpus = try CorpusDirectory(try arguments.required("corpus"), signal: nil)
        runs = try arguments.int("runs", default: 20, in: 1...100_000)
        pid = try arguments.optionalInt("pid", in: 1...Int(Int32.max))
        only = arguments.text("only")
        history = arguments.text("history") ?? "Benchmarks/history/query.csv"
    }

    func run() throws(BenchError) {
        var connection = HTTPConnection(address)
        let queries = try QueryMix(corpus: corpus, connection: &connection).queries
            .filter { query in only.map { query.name.contains($0) } ?? true }
        guard !queries.isEmpty else { throw .usage("no query of \(corpus.signal.rawValue) has that in its name") }
        let calibration = Console.decimal(Calibration.gigabytesPerSecond(), 2)
        let commit = History.commit()
        let stamp = Clock.stamp()
        let history = History(
            path: history,
            columns: [
                "date", "commit", "corpus", "query", "runs", "median_ms", "p95_ms", "first_ms", "cpu_ms", "bytes",
                "xxh3_gb_per_s",
            ])
        var rows: [[String]] = []
        var refused: [String] = []
        for query in queries {
            let result: (median: String, p95: String, first: String, cpu: String, bytes: Int, runs: Int)
            do {
                result = try measure(query, over: &connection)
            } catch .server(let reason) {
                refused.append(reason)
                continue
            }
            rows.append([
                query.name, result.median, result.p95, result.first, result.cpu, Console.grouped(result.bytes),
                String(result.runs),
            ])
            try history.append([
                "date": stamp, "commit": commit, "corpus": corpus.path, "query": query.name,
                "runs": String(result.runs),
                "median_ms": result.median, "p95_ms": result.p95, "first_ms": result.first,
                "cpu_ms": result.cpu == "-" ? "" : result.cpu, "bytes": String(result.bytes),
                "xxh3_gb_per_s": calibration,
            ])
        }
        Console.table(["query", "median ms", "p95 ms", "first ms", "CPU ms", "bytes", "runs"], rows)
        for reason in refused { print("not answered: \(reason)") }
        print("calibration XXH3 GB/s: \(calibration)")
    }

    private func measure(
        _ query: QueryMix.Query, over connection: inout HTTPConnection
    ) throws(BenchError) -> (median: String, p95: String, first: String, cpu: String, bytes: Int, runs: Int) {
        var samples = Samples()
        var first = 0.0
        var bytes = 0
        let before = pid.flatMap { ProcessUsage(pid: pid_t($0)) }
        let start = Clock.now()
        var count = 0
        // What takes seconds is not asked for minutes.
        while count < runs, count < Self.fewestRuns || Clock.now() - start < Self.mostSeconds {
            let run = count
            count += 1
            let begun = Clock.now()
            let response = try connection.get(query.targets[run % query.targets.count])
            let took = (Clock.now() - begun) * 1e3
            guard response.status == query.status else {
                throw .server("\(query.name): HTTP \(response.status) \(response.text)")
            }
            if run == 0 { first = took }
            samples.add(took)
            bytes = response.body.count
        }
        var cpu = "-"
        if let before, let after = pid.flatMap({ ProcessUsage(pid: pid_t($0)) }) {
            cpu = Console.decimal((after.cpuSeconds - before.cpuSeconds) * 1e3 / Double(count), 2)
        }
        return (
            Console.decimal(samples.percentile(0.5), 2), Console.decimal(samples.percentile(0.95), 2),
            Console.decimal(first, 2), cpu, bytes, count
        )
    }
}
