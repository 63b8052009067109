import HTTP
import Observability
internal import Scheduling
internal import Sockets
import Synchronization

/// What the loops of a server share.
final class GRPCCore: LoopCore {
    let configuration: GRPCServerConfiguration
    let handler: any GRPCHandler
    let statistics: GRPCStatistics
    let library = SessionLibrary()
    let pages = PagePool()
    let connections = Tally()
    /// Calls that are open on a connection.
    let open = Atomic<Int>(0)
    /// Of these, such as stay open until the server stops.
    let watching = Atomic<Int>(0)
    /// Calls that a handler has, whatever became of their connections.
    let running = Atomic<Int>(0)
    private let pools: CallPools

    init(_ configuration: GRPCServerConfiguration, handler: any GRPCHandler, statistics: GRPCStatistics) {
        self.configuration = configuration
        self.handler = handler
        self.statistics = statistics
        pools = CallPools(threads: configuration.threads, most: configuration.mostThreads)
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
        pools.add(of: sender) { [handler] in
            if let expiry, ContinuousClock.now >= expiry {
                handler.note(.deadline)
                return answer(GRPCResponse(GRPCStatus(.deadlineExceeded, "the call waited for longer than it may")))
            }
            handler.respond(to: request, reply: answer)
        }
    }

    var connectionLimit: Int { configuration.connectionLimit }
    var descriptors: Tally.Limited { configuration.descriptors }
    var tls: TLSPort? { configuration.tls }
    var isBusy: Bool { open.load(ordering: .relaxed) > watching.load(ordering: .relaxed) }

    func connected(_ change: Int) { statistics.connections.add(change) }

    func refusedConnection() { statistics.count(.limit) }

    func growIfStuck() { pools.growIfStuck() }

    func stop() { pools.stop() }
}
