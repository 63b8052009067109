import HTTP
import Observability
internal import Scheduling
import Synchronization

/// What the loops of a server share.
final class GRPCCore: Sendable {
    let configuration: GRPCServerConfiguration
    let handler: any GRPCHandler
    let statistics: GRPCStatistics
    /// Connections, of all loops.
    let connections = Atomic<Int>(0)
    /// Calls that are open on a connection.
    let open = Atomic<Int>(0)
    /// Calls that a handler has, whatever became of their connections.
    let running = Atomic<Int>(0)
    private let pool: CallPool
    /// For calls of senders that take more than their share of a processor (docs/decisions/0048).
    private let behind: CallPool

    init(_ configuration: GRPCServerConfiguration, handler: any GRPCHandler, statistics: GRPCStatistics) {
        self.configuration = configuration
        self.handler = handler
        self.statistics = statistics
        pool = CallPool(threads: configuration.threads, most: configuration.mostThreads)
        behind = CallPool(threads: configuration.threads, most: configuration.mostThreads) { SenderLoad.goBehind() }
    }

    /// Hands a call to its handler on a thread that may wait.
    func handle(
        _ request: GRPCRequest, of sender: SenderAccount, until expiry: ContinuousClock.Instant?,
        reply: @escaping @Sendable (GRPCResponse) -> Void
    ) {
        running.add(1, ordering: .relaxed)
        let answer: @Sendable (GRPCResponse) -> Void = { [self] response in
            reply(response)
            running.subtract(1, ordering: .releasing)
        }
        (sender.isBusy ? behind : pool).add { [handler] in
            if let expiry, ContinuousClock.now >= expiry {
                handler.note(.deadline)
                return answer(GRPCResponse(GRPCStatus(.deadlineExceeded, "the call waited for longer than it may")))
            }
            sender.measure { handler.respond(to: request, reply: answer) }
        }
    }

    func growIfStuck() {
        pool.growIfStuck()
        behind.growIfStuck()
    }

    func stop() {
        pool.stop()
        behind.stop()
    }
}
