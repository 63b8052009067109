/// Why a benchmark could not be run.
enum BenchError: Error {
    case usage(String)
    case file(String, errno: Int32)
    case corpus(String)
    case server(String)
    case network(String)

    var message: String {
        switch self {
        case .usage(let text), .corpus(let text), .server(let text), .network(let text): text
        case .file(let path, let errno): "\(path): \(Console.explain(errno))"
        }
    }

    var exitCode: Int32 {
        if case .usage = self { 2 } else { 1 }
    }
}
