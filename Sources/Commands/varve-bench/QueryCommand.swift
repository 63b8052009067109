import Corpus
import Foundation

/// `query`: latencies of typical questions about a loaded corpus, one at a time over one keep-alive connection, at rest and while
/// rows arrive.
struct QueryCommand {
    static let options: Set<String> = [
        "url", "otlp", "pid", "data-dir", "corpus", "shift", "binary", "runs", "seconds", "only", "hot", "settled",
        "cache", "history",
    ]

    static let usage = """
        usage: varve-bench query --corpus CORPUS [options]

        What is asked:
          --corpus DIR        the corpus that the server has
          --only TEXT         queries with TEXT in their name
          --runs 20           of each query
          --seconds 2         for each query; one that takes longer is asked three times, or for five times as long
          --cache off         whether requests lack Cache-Control: no-store

        Who is asked:
          --data-dir DIR      a server of its own, over a copy of DIR; without it, it loads the corpus first, moved to end now
          --binary FILE       that server (.build/release/varve)
          --url URL           a server that runs, instead; --pid for its processor time, --otlp URL for its other port
          --shift SECONDS     how far the corpus was moved when it was loaded, see varve-bench ingest

        When:
          --settled on        at rest
          --hot LIST          then while one connection sends rows of now: `full` for as many as the server takes, or rows a second
                              (full,50000). Queries then ask for the range up to now, so the corpus has to end about now. Each mode has
                              a server of its own, unless there is --url.

          --history FILE      Benchmarks/history/query.csv
        """

    /// What the server does beside answering.
    enum Mode: Hashable {
        case settled
        /// Rows arrive: as many a second, or as many as possible.
        case hot(Int?)

        var name: String {
            switch self {
            case .settled: "settled"
            case .hot(let rate): "hot " + (rate.map(String.init) ?? "full")
            }
        }
    }

    private enum Place {
        case running(HTTPConnection.Address, otlp: HTTPConnection.Address?, pid: pid_t?)
        case copy(of: String)
        case loaded
    }

    private let place: Place
    private let corpus: CorpusDirectory
    private let binary: String
    private let modes: [Mode]
    private let only: String?
    private let measurement: QueryMeasurement
    private let history: String

    init(_ arguments: Arguments) throws(BenchError) {
        func address(_ name: String) throws(BenchError) -> HTTPConnection.Address? {
            guard let url = arguments.text(name) else { return nil }
            guard let address = HTTPConnection.Address(url) else {
                throw .usage("--\(name): '\(url)' is not http://HOST:PORT")
            }
            return address
        }
        if let url = try address("url") {
            let pid = try arguments.optionalInt("pid", in: 1...Int(Int32.max)).map { pid_t($0) }
            place = .running(url, otlp: try address("otlp"), pid: pid)
        } else if let directory = arguments.text("data-dir") {
            place = .copy(of: directory)
        } else {
            place = .loaded
        }
        var shift = arguments.text("shift")
        if case .loaded = place, shift == nil { shift = "now" }
        corpus = try CorpusDirectory(try arguments.required("corpus"), shift: shift)
        binary = arguments.text("binary") ?? ".build/release/varve"
        modes = try Self.modes(settled: try Self.isOn(arguments, "settled", default: true), arguments.text("hot"))
        only = arguments.text("only")
        measurement = QueryMeasurement(
            runs: try arguments.int("runs", default: 20, in: 1...100_000),
            seconds: Double(try arguments.int("seconds", default: 2, in: 1...3_600)),
            cached: try Self.isOn(arguments, "cache", default: false))
        history = arguments.text("history") ?? "Benchmarks/history/query.csv"
    }

    private static func isOn(
        _ arguments: Arguments, _ name: String, default fallback: Bool
    ) throws(BenchError) -> Bool {
        switch arguments.text(name) {
        case nil: return fallback
        case "on": return true
        case "off": return false
        case let other?: throw .usage("--\(name): '\(other)' is neither on nor off")
        }
    }

    private static func modes(settled: Bool, _ hot: String?) throws(BenchError) -> [Mode] {
        var modes: [Mode] = settled ? [.settled] : []
        for word in hot?.split(separator: ",") ?? [] {
            if word == "full" {
                modes.append(.hot(nil))
            } else if let rate = Int(word), rate > 0 {
                modes.append(.hot(rate))
            } else {
                throw .usage("--hot: '\(word)' is neither full nor a number of rows a second")
            }
        }
        guard !modes.isEmpty else { throw .usage("--settled off needs --hot") }
        return modes
    }

    func run() throws(BenchError) {
        if case .running(let address, let otlp, let pid) = place {
            var settled: [String: Double] = [:]
            for (number, mode) in modes.enumerated() {
                try ask(mode, number, address, otlp: otlp, pid: pid, beside: &settled)
            }
            return
        }
        let master = try FileTree.makeTemporaryDirectory()
        defer { FileTree.removeTree(master) }
        switch place {
        case .copy(let directory): try FileTree.copyTree(directory, to: master)
        default: try load(into: master)
        }
        var settled: [String: Double] = [:]
        for (number, mode) in modes.enumerated() {
            // Each begins with the corpus alone, without the rows that came in the one before.
            let directory = try FileTree.makeTemporaryDirectory()
            defer { FileTree.removeTree(directory) }
            try FileTree.copyTree(master, to: directory)
            var server = try ServerProcess(binary: binary, dataDirectory: directory, extra: [])
            try Settling.wait(for: server.http, quiet: 3)
            try ask(mode, number, server.http, otlp: server.otlp, pid: server.pid, beside: &settled)
            try server.stop()
        }
    }

    private func load(into directory: String) throws(BenchError) {
        var server = try ServerProcess(binary: binary, dataDirectory: directory, extra: [])
        let totals = Loader(corpus, bodies: corpus.bodies, at: server.otlp).run(connections: 4)
        guard totals.errorCount == 0 else {
            throw .server("\(totals.errorCount) requests failed: \(totals.errors.first ?? "")")
        }
        try Settling.flush(server.http)
        try Settling.wait(for: server.http, quiet: 3)
        try server.stop()
    }

    /// Asks everything in one mode.
    ///
    /// - Parameters:
    ///   - number: of the mode: each one's rows have ids of their own.
    ///   - settled: medians at rest by query, which others are printed beside.
    private func ask(
        _ mode: Mode, _ number: Int, _ address: HTTPConnection.Address, otlp: HTTPConnection.Address?, pid: pid_t?,
        beside settled: inout [String: Double]
    ) throws(BenchError) {
        var connection = HTTPConnection(address)
        let calibration = Console.decimal(Calibration.gigabytesPerSecond(), 2)
        let mix = try QueryMix(corpus: corpus, window: corpus.window, connection: &connection)
        let report = QueryHistory(path: history, corpus: corpus, cached: measurement.cached, calibration: calibration)
        if let pid { ProcessUsage.resetPeak(of: pid) }
        var answers: [(name: String, result: QueryMeasurement.Result)] = []
        var refused: [String] = []
        var load: (rowsPerSecond: Double, totals: RowStream.Totals)?
        switch mode {
        case .settled:
            (answers, refused) = answered(mix, over: &connection, pid: pid) { corpus.window }
            for (name, result) in answers { settled[name] = result.median }
        case .hot(let rate):
            guard let otlp else { throw .usage("--hot needs --otlp, the address that rows are sent to") }
            try checkThatItEndsNow()
            let stream = try RowStream(corpus, rate: rate, overload: .waits, firstPass: 1 + 60 * number, at: otlp)
            let sender = BackgroundSender(stream)
            // Rows in memory, before the first question.
            Clock.sleep(seconds: 2)
            (answers, refused) = answered(mix, over: &connection, pid: nil) { [corpus] in
                let now = Int64(Date().timeIntervalSince1970 * 1e9)
                return corpus.window.moved(by: now - corpus.end)
            }
            load = sender.finish()
        }
        guard !answers.isEmpty || !refused.isEmpty else {
            throw .usage("no query of \(corpus.signal.rawValue) has that in its name")
        }
        let peak = pid.flatMap { ProcessUsage(pid: $0) }?.peakResidentBytes
        report.print(mode, answers, beside: mode == .settled ? [:] : settled, refused: refused, load, peak: peak)
        try report.append(mode, answers, load?.rowsPerSecond, peak: peak)
    }

    private func answered(
        _ mix: QueryMix, over connection: inout HTTPConnection, pid: pid_t?, in window: () -> QueryWindow
    ) -> (answers: [(name: String, result: QueryMeasurement.Result)], refused: [String]) {
        var answers: [(name: String, result: QueryMeasurement.Result)] = []
        var refused: [String] = []
        for (number, query) in mix.queries(in: window()).enumerated()
        where only.map({ query.name.contains($0) }) ?? true {
            do throws(BenchError) {
                let result = try measurement.measure(over: &connection, pid: pid) {
                    mix.queries(in: window())[number]
                }
                answers.append((query.name, result))
            } catch {
                refused.append(error.message)
            }
        }
        return (answers, refused)
    }

    private func checkThatItEndsNow() throws(BenchError) {
        let age = Int64(Date().timeIntervalSince1970 * 1e9) - corpus.end
        guard age < (corpus.end - corpus.start) / 4 else {
            throw .usage(
                """
                --hot asks for the range up to now, but the corpus ended \(age / 3_600_000_000_000) hours ago: load it with \
                varve-bench ingest --shift now, or leave out --data-dir
                """)
        }
    }
}

/// One connection that sends rows until it is told to finish.
private struct BackgroundSender {
    private let stream: RowStream
    private let group: DispatchGroup
    private let begun = Clock.now()
    private let result: ResultBox

    private final class ResultBox: @unchecked Sendable {
        var totals = RowStream.Totals()
    }

    init(_ stream: RowStream) {
        let box = ResultBox()
        self.stream = stream
        result = box
        group = Thread.started { box.totals = stream.run(senders: 1, seconds: 86_400) }
    }

    func finish() -> (rowsPerSecond: Double, totals: RowStream.Totals) {
        stream.stop()
        group.wait()
        return (Double(result.totals.rows) / (Clock.now() - begun), result.totals)
    }
}
