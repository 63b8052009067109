import Corpus
import Foundation
import Synchronization

/// Sends the bodies of a corpus at a steady rate, or as fast as they are taken, their rows moved to the present.
final class RowStream: Sendable {
    struct Totals: Sendable {
        var rows = 0
        var retries = 0
        var errorCount = 0
        /// The first few refusals, as text.
        var errors: [String] = []
        /// The most seconds that a request was sent after its time.
        var lateness = 0.0
    }

    /// What is done about a server that says it is overloaded.
    enum Overload: Sendable { case isAnError, waits }

    private struct Body: Sendable {
        var bytes: [UInt8]
        var fields: RequestFields
    }

    /// Bodies that are kept in memory; after the last one the first is sent again, with other ids.
    private static let mostBodies = 512

    private let bodies: [Body]
    private let target: String
    /// Rows a second; nil for as many as the server takes.
    private let rate: Int?
    private let overload: Overload
    private let firstPass: Int
    private let address: HTTPConnection.Address
    /// The next body, through all runs: each has other traces.
    private let next = Atomic<Int>(0)
    private let planned = Mutex(0)
    private let isStopped = Atomic<Bool>(false)

    /// - Parameter firstPass: 0 sends the corpus's own ids first, 1 none of them.
    init(
        _ corpus: CorpusDirectory, rate: Int?, overload: Overload, firstPass: Int, at address: HTTPConnection.Address
    ) throws(BenchError) {
        var bodies: [Body] = []
        for path in corpus.bodies.prefix(Self.mostBodies) {
            let bytes = try FileTree.read(path)
            guard let fields = RequestFields(bytes, of: corpus.signal), fields.rows > 0 else {
                throw .corpus("\(path) is no request with rows")
            }
            bodies.append(Body(bytes: bytes, fields: fields))
        }
        guard !bodies.isEmpty else { throw .corpus("\(corpus.path) has no bodies") }
        self.bodies = bodies
        target = "/v1/\(corpus.signal.rawValue)"
        self.rate = rate
        self.overload = overload
        self.firstPass = firstPass
        self.address = address
    }

    /// Sends for that long, or until `stop`.
    func run(senders: Int, seconds: Double) -> Totals {
        let totals = Mutex(Totals())
        planned.withLock { $0 = 0 }
        isStopped.store(false, ordering: .relaxed)
        let begun = Clock.now()
        let groups = (0..<senders).map { _ in
            Thread.started { [self] in
                let mine = send(from: begun, until: begun + seconds)
                totals.withLock { all in
                    all.rows += mine.rows
                    all.retries += mine.retries
                    all.errorCount += mine.errorCount
                    all.errors += mine.errors.prefix(3)
                    all.lateness = max(all.lateness, mine.lateness)
                }
            }
        }
        for group in groups { group.wait() }
        return totals.withLock { $0 }
    }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    private func send(from begun: Double, until end: Double) -> Totals {
        var mine = Totals()
        var connection = HTTPConnection(address)
        while Clock.now() < end, !isStopped.load(ordering: .relaxed) {
            let index = next.add(1, ordering: .relaxed).oldValue
            let count = bodies[index % bodies.count].fields.rows
            if let rate {
                // When all rows before it have had their time.
                let before = planned.withLock { planned in
                    defer { planned += count }
                    return planned
                }
                let due = begun + Double(before) / Double(rate)
                if due >= end { return mine }
                let wait = due - Clock.now()
                if wait > 0 { Clock.sleep(seconds: wait) } else { mine.lateness = max(mine.lateness, -wait) }
            }
            do throws(BenchError) {
                let response = try post(present(index), over: &connection, counting: &mine)
                if response.status == 200, response.body.isEmpty {
                    mine.rows += count
                } else {
                    mine.errorCount += 1
                    mine.errors.append("rows: HTTP \(response.status) \(response.text)")
                }
            } catch {
                mine.errorCount += 1
                mine.errors.append(error.message)
                if mine.errorCount > 20 { return mine }
            }
        }
        return mine
    }

    /// The body, as if the last of its rows were of now.
    private func present(_ index: Int) -> [UInt8] {
        let body = bodies[index % bodies.count]
        var bytes = body.bytes
        let now = UInt64(Date().timeIntervalSince1970 * 1e9)
        body.fields.shift(
            &bytes, by: now &- body.fields.greatest,
            ids: UInt8(truncatingIfNeeded: index / bodies.count + firstPass))
        return bytes
    }

    private func post(
        _ body: [UInt8], over connection: inout HTTPConnection, counting totals: inout Totals
    ) throws(BenchError) -> HTTPConnection.Response {
        while true {
            let response = try connection.post(target, contentType: "application/x-protobuf", body)
            guard overload == .waits, [429, 503].contains(response.status), !isStopped.load(ordering: .relaxed) else {
                return response
            }
            totals.retries += 1
            Clock.sleep(seconds: min(response.retryAfter ?? 0.05, 0.25))
        }
    }
}
