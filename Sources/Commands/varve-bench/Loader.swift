import Corpus
import Foundation
import Synchronization

/// Posts bodies over several keep-alive connections, each on a thread of its own, in the order of their names.
final class Loader: Sendable {
    struct Totals: Sendable {
        var requests = 0
        var bytes = 0
        var retries = 0
        var latencies = Samples()
        /// The first few refusals, as text.
        var errors: [String] = []
        var errorCount = 0
    }

    private let target: String
    private let address: HTTPConnection.Address
    private let bodies: [String]
    private let signal: CorpusGenerator.Signal
    /// Nanoseconds by which rows are moved.
    private let shift: Int64
    private let next = Atomic<Int>(0)
    private let totals = Mutex(Totals())

    init(_ corpus: CorpusDirectory, bodies: [String], at address: HTTPConnection.Address) {
        self.bodies = bodies
        signal = corpus.signal
        shift = corpus.shift
        target = "/v1/\(signal.rawValue)"
        self.address = address
    }

    func run(connections: Int) -> Totals {
        let finished = DispatchGroup()
        for _ in 0..<connections {
            finished.enter()
            let thread = Thread { [self] in
                let mine = work()
                totals.withLock { all in
                    all.requests += mine.requests
                    all.bytes += mine.bytes
                    all.retries += mine.retries
                    all.latencies.add(mine.latencies)
                    all.errors += mine.errors.prefix(3)
                    all.errorCount += mine.errorCount
                }
                finished.leave()
            }
            thread.start()
        }
        finished.wait()
        return totals.withLock { $0 }
    }

    private func work() -> Totals {
        var mine = Totals()
        var connection = HTTPConnection(address)
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < bodies.count else { return mine }
            do throws(BenchError) {
                let body = try body(bodies[index])
                let begun = Clock.now()
                let response = try post(body, over: &connection, counting: &mine)
                mine.latencies.add(Clock.now() - begun)
                if response.status == 200, response.body.isEmpty {
                    mine.requests += 1
                    mine.bytes += body.count
                } else {
                    // A body with status 200 is a partial success: rows are missing.
                    mine.errorCount += 1
                    mine.errors.append("\(bodies[index]): HTTP \(response.status) \(response.text)")
                }
            } catch {
                mine.errorCount += 1
                mine.errors.append(error.message)
                // A server that is gone refuses all that is left.
                if mine.errorCount > 20 { return mine }
            }
        }
    }

    private func body(_ path: String) throws(BenchError) -> [UInt8] {
        var bytes = try FileTree.read(path)
        guard shift != 0 else { return bytes }
        guard let fields = RequestFields(bytes, of: signal) else { throw .corpus("\(path) is no request") }
        fields.shift(&bytes, by: UInt64(bitPattern: shift), ids: 0)
        return bytes
    }

    /// Posts one body; waits and tries again while the server says that it is overloaded (rule O-6).
    private func post(
        _ body: [UInt8], over connection: inout HTTPConnection, counting totals: inout Totals
    ) throws(BenchError) -> HTTPConnection.Response {
        var attempt = 0
        while true {
            let response = try connection.post(target, contentType: "application/x-protobuf", body)
            attempt += 1
            guard [429, 502, 503, 504].contains(response.status), attempt < 600 else { return response }
            totals.retries += 1
            usleep(UInt32(min(response.retryAfter ?? 0.05, 0.25) * 1e6))
        }
    }
}
