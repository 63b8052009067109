import Corpus
import Glibc

/// `generate`: a corpus as numbered `.pb` files and `manifest.json`.
struct GenerateCommand {
    static let options: Set<String> = ["signal", "rows", "hours", "seed", "out", "end"]

    private let options: CorpusGenerator.Options
    private let directory: String

    init(_ arguments: Arguments) throws(BenchError) {
        let name = try arguments.required("signal")
        guard let signal = CorpusGenerator.Signal(rawValue: name) else {
            throw .usage("--signal: '\(name)' is none of traces, logs, metrics")
        }
        let now = Int(time(nil)) / 60 * 60
        options = CorpusGenerator.Options(
            signal: signal,
            rows: try arguments.int("rows", in: 1...2_000_000_000),
            hours: try arguments.double("hours", above: 0, atMost: 24 * 366),
            seed: UInt64(try arguments.int("seed", default: 1, in: 0...Int.max)),
            end: Int64(try arguments.int("end", default: now, in: 86_400 * 400...9_000_000_000)))
        directory = try arguments.required("out")
    }

    func run() throws(BenchError) {
        try FileTree.makeDirectory(directory)
        guard try CorpusDirectory.bodies(in: directory).isEmpty else {
            throw .corpus("\(directory) holds a corpus already")
        }
        let begun = Clock.now()
        var number = 0
        let truth = try CorpusGenerator(options).run { request throws(BenchError) in
            let digits = String(number)
            let name = String(repeating: "0", count: max(0, 7 - digits.count)) + digits
            try FileTree.write(request.body, to: "\(directory)/\(name).pb")
            number += 1
        }
        try FileTree.write(Array(manifest(truth).utf8), to: "\(directory)/manifest.json")
        let seconds = Clock.now() - begun
        print(
            "\(Console.grouped(truth.rows)) rows in \(Console.grouped(truth.requests)) requests,",
            "\(Console.grouped(truth.bytes)) bytes (\(Console.decimal(Double(truth.bytes) / Double(max(truth.rows, 1)), 1)) a row),",
            "\(Console.decimal(seconds, 1)) s")
    }

    private func manifest(_ truth: CorpusTruth) -> String {
        func object(_ counts: [String: Int]) -> String {
            "{" + counts.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \($0.value)" }.joined(separator: ", ")
                + "}"
        }
        let samples = truth.sampleTraces.map {
            "{\"trace_id\": \"\($0.id)\", \"spans\": \($0.spans), \"start_ns\": \($0.start)}"
        }
        return """
            {
             "format": "varve-corpus 1",
             "signal": "\(options.signal.rawValue)",
             "seed": \(options.seed),
             "rows": \(truth.rows),
             "requests": \(truth.requests),
             "bytes": \(truth.bytes),
             "start_ns": \(truth.firstTime),
             "end_ns": \(truth.lastTime),
             "hours": \(options.hours),
             "end": \(options.end),
             "truth": {
              "by_service": \(object(truth.rowsByService)),
              "by_kind": \(object(truth.rowsByKind)),
              "traces": \(truth.traces),
              "error_spans": \(truth.errorSpans),
              "streams": \(truth.streams),
              "needles": \(object(truth.needles)),
              "sample_traces": [\(samples.joined(separator: ",\n   "))]
             }
            }

            """
    }

    /// Names are the generator's own and hold nothing that JSON escapes but quotes and backslashes.
    private func quoted(_ text: String) -> String {
        "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
    }
}
