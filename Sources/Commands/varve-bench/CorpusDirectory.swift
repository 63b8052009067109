import Corpus
import Foundation

/// A corpus on disk: bodies in the order of their names, and the manifest's facts about them.
///
/// Reads every manifest that has `signal`, `rows`, `start_ns` and `end_ns`; what else it knows is optional.
struct CorpusDirectory {
    let path: String
    let signal: CorpusGenerator.Signal
    let rows: Int
    /// Nanoseconds since 1970, moved by `shift`.
    let start: Int64
    let end: Int64
    /// How far its times are moved when it is sent, in nanoseconds.
    let shift: Int64
    let bodies: [String]
    let sampleTraces: [String]
    /// Words of log bodies, the rarest first.
    let needles: [(word: String, count: Int)]

    /// - Parameter shift: whole seconds by which the corpus's times are moved, or `now` so that it ends with the last whole minute.
    init(_ path: String, signal: String? = nil, shift: String? = nil) throws(BenchError) {
        let manifest = try Self.object(at: "\(path)/manifest.json")
        guard let rows = manifest["rows"] as? Int, rows > 0, let start = manifest["start_ns"] as? Int64,
            let end = manifest["end_ns"] as? Int64, let name = manifest["signal"] as? String,
            let found = CorpusGenerator.Signal(rawValue: name)
        else { throw .corpus("\(path)/manifest.json: no signal, rows, start_ns or end_ns") }
        if let signal, signal != name { throw .corpus("\(path) is a corpus of \(name), not of \(signal)") }
        self.path = path
        self.signal = found
        self.rows = rows
        self.shift = try Self.nanoseconds(shift, end: end)
        self.start = start + self.shift
        self.end = end + self.shift
        bodies = try Self.bodies(in: path)
        let truth = manifest["truth"] as? [String: Any] ?? [:]
        sampleTraces = (truth["sample_traces"] as? [[String: Any]] ?? []).compactMap { $0["trace_id"] as? String }
        needles = (truth["needles"] as? [String: Int] ?? [:]).map { ($0.key, $0.value) }.sorted { $0.count < $1.count }
    }

    var window: QueryWindow { QueryWindow(start: start, end: end) }

    private static func nanoseconds(_ shift: String?, end: Int64) throws(BenchError) -> Int64 {
        guard let shift else { return 0 }
        if shift == "now" {
            let minute: Int64 = 60_000_000_000
            return (Int64(Date().timeIntervalSince1970) * 1_000_000_000 - end) / minute * minute
        }
        guard let seconds = Int64(shift), abs(seconds) < 1 << 33 else {
            throw .usage("--shift: '\(shift)' is neither a number of seconds nor 'now'")
        }
        return seconds * 1_000_000_000
    }

    /// The paths of the bodies, in name order.
    static func bodies(in path: String) throws(BenchError) -> [String] {
        FileTree.names(in: path).filter { $0.hasSuffix(".pb") }.map { "\(path)/\($0)" }
    }

    private static func object(at path: String) throws(BenchError) -> [String: Any] {
        let bytes = try FileTree.read(path)
        guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
            throw .corpus("\(path): not a JSON object")
        }
        return object
    }
}
