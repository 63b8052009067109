import Corpus
import Foundation

/// The questions that are asked of a corpus, whatever range of time they are asked about.
struct QueryMix {
    struct Query {
        var name: String
        /// Asked in turn.
        var targets: [String]
        var status = 200
    }

    private let make: (QueryWindow) -> [Query]

    /// Looks once for the names that the questions need.
    init(corpus: CorpusDirectory, window: QueryWindow, connection: inout HTTPConnection) throws(BenchError) {
        switch corpus.signal {
        case .traces: make = try TraceQueries(corpus, window, &connection).queries
        case .logs: make = try LogQueries(corpus, window, &connection).queries
        case .metrics: make = try MetricQueries(window, &connection).queries
        }
    }

    /// The same questions in the same order for every window.
    func queries(in window: QueryWindow) -> [Query] { make(window) }

    /// `path` with its parameters.
    static func target(_ path: String, _ parameters: [(String, String)]) -> String {
        path + "?" + parameters.map { "\($0)=\(escaped($1))" }.joined(separator: "&")
    }

    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: String(Unicode.Scalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    /// The list of strings at `data` of a JSON answer.
    static func strings(_ target: String, _ connection: inout HTTPConnection) throws(BenchError) -> [String] {
        let response = try connection.get(target)
        guard response.status == 200,
            let object = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        else { throw .server("\(target): HTTP \(response.status) \(response.text)") }
        return object["data"] as? [String] ?? []
    }
}
