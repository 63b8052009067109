import Foundation
import Synchronization

/// Sends the bodies of a corpus of traces at a steady rate, their spans moved to the present.
final class SpanStream: Sendable {
    struct Totals: Sendable {
        var spans = 0
        var errorCount = 0
        /// The first few refusals, as text.
        var errors: [String] = []
        /// The most seconds that a request was sent after its time.
        var lateness = 0.0
    }

    private let bodies: [String]
    private let rate: Int
    private let address: HTTPConnection.Address
    /// The next body, through all runs: each has other traces.
    private let next = Atomic<Int>(0)
    private let planned = Mutex(0)

    init(_ bodies: [String], rate: Int, at address: HTTPConnection.Address) {
        self.bodies = bodies
        self.rate = rate
        self.address = address
    }

    func run(senders: Int, seconds: Double) -> Totals {
        let totals = Mutex(Totals())
        planned.withLock { $0 = 0 }
        let begun = Clock.now()
        let groups = (0..<senders).map { _ in
            Thread.started { [self] in
                let mine = send(from: begun, until: begun + seconds)
                totals.withLock { all in
                    all.spans += mine.spans
                    all.errorCount += mine.errorCount
                    all.errors += mine.errors.prefix(3)
                    all.lateness = max(all.lateness, mine.lateness)
                }
            }
        }
        for group in groups { group.wait() }
        return totals.withLock { $0 }
    }

    private func send(from begun: Double, until end: Double) -> Totals {
        var mine = Totals()
        var connection = HTTPConnection(address)
        while Clock.now() < end {
            let index = next.add(1, ordering: .relaxed).oldValue
            do throws(BenchError) {
                var body = try FileTree.read(bodies[index % bodies.count])
                let now = UInt64(Date().timeIntervalSince1970 * 1e9)
                let shift = SpanShift(
                    times: now &- SpanShift.greatestStart(body),
                    ids: UInt8(truncatingIfNeeded: index / bodies.count))
                guard let count = shift.apply(to: &body) else {
                    throw .corpus("\(bodies[index % bodies.count]) is no request")
                }
                // When all spans before it have had their time.
                let before = planned.withLock { planned in
                    defer { planned += count }
                    return planned
                }
                let due = begun + Double(before) / Double(rate)
                if due >= end { return mine }
                let wait = due - Clock.now()
                if wait > 0 { Clock.sleep(seconds: wait) } else { mine.lateness = max(mine.lateness, -wait) }
                let response = try connection.post("/v1/traces", contentType: "application/x-protobuf", body)
                if response.status == 200, response.body.isEmpty {
                    mine.spans += count
                } else {
                    mine.errorCount += 1
                    mine.errors.append("spans: HTTP \(response.status) \(response.text)")
                }
            } catch {
                mine.errorCount += 1
                mine.errors.append(error.message)
                if mine.errorCount > 20 { return mine }
            }
        }
        return mine
    }
}
