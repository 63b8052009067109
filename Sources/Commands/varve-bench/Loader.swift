import Corpus
import Foundation
import Synchronization

/// Sends bodies over several keep-alive connections, each on a thread of its own, in the order of their names.
final class Loader: Sendable {
    enum Transport: String { case http, grpc }

    struct Totals: Sendable {
        var requests = 0
        var bytes = 0
        var retries = 0
        var latencies = Samples()
        /// The first few refusals, as text.
        var errors: [String] = []
        var errorCount = 0
    }

    /// A path of HTTP, or a method of gRPC.
    private let target: String
    private let transport: Transport
    private let address: HTTPConnection.Address
    private let bodies: [String]
    private let signal: CorpusGenerator.Signal
    /// Nanoseconds by which rows are moved.
    private let shift: Int64
    private let next = Atomic<Int>(0)
    private let totals = Mutex(Totals())

    init(
        _ corpus: CorpusDirectory, bodies: [String], at address: HTTPConnection.Address, by transport: Transport = .http
    ) {
        self.bodies = bodies
        signal = corpus.signal
        shift = corpus.shift
        self.transport = transport
        target =
            switch transport {
            case .http: "/v1/\(signal.rawValue)"
            case .grpc: Self.method(of: signal)
            }
        self.address = address
    }

    private static func method(of signal: CorpusGenerator.Signal) -> String {
        let service =
            switch signal {
            case .traces: "trace.v1.TraceService"
            case .logs: "logs.v1.LogsService"
            case .metrics: "metrics.v1.MetricsService"
            }
        return "/opentelemetry.proto.collector.\(service)/Export"
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
        let channel = GRPCConnection(address)
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < bodies.count else { return mine }
            do throws(BenchError) {
                let body = try body(bodies[index])
                let begun = Clock.now()
                let refusal =
                    switch transport {
                    case .http: try post(body, over: &connection, counting: &mine)
                    case .grpc: try call(body, over: channel, counting: &mine)
                    }
                mine.latencies.add(Clock.now() - begun)
                if let refusal {
                    mine.errorCount += 1
                    mine.errors.append("\(bodies[index]): \(refusal)")
                } else {
                    mine.requests += 1
                    mine.bytes += body.count
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
    ///
    /// - Returns: why it was not taken, or not whole; nil if it was.
    private func post(
        _ body: [UInt8], over connection: inout HTTPConnection, counting totals: inout Totals
    ) throws(BenchError) -> String? {
        var attempt = 0
        while true {
            let response = try connection.post(target, contentType: "application/x-protobuf", body)
            attempt += 1
            guard [429, 502, 503, 504].contains(response.status), attempt < 600 else {
                // A body with status 200 is a partial success: rows are missing.
                let isTaken = response.status == 200 && response.body.isEmpty
                return isTaken ? nil : "HTTP \(response.status) \(response.text)"
            }
            totals.retries += 1
            usleep(UInt32(min(response.retryAfter ?? 0.05, 0.25) * 1e6))
        }
    }

    /// As well, by a unary call (rule O-31).
    private func call(
        _ body: [UInt8], over channel: GRPCConnection, counting totals: inout Totals
    ) throws(BenchError) -> String? {
        var attempt = 0
        while true {
            let response = try channel.call(target, body)
            attempt += 1
            guard response.status != 0, response.isRetryable, attempt < 600 else {
                let isTaken = response.status == 0 && response.body.count == 5
                return isTaken ? nil : "status \(response.status ?? -1) \(response.message)"
            }
            totals.retries += 1
            usleep(250_000)
        }
    }
}
