private import Glibc
package import HTTP
package import Observability
private import Sockets
private import Synchronization

/// A gRPC server of unary calls over HTTP/2: a few threads receive and send for all connections, others handle calls, and a call that
/// waits for the disk has none of them.
///
/// `start` once, `stop` once.
package final class GRPCServer: @unchecked Sendable {
    private let configuration: GRPCServerConfiguration
    private let core: GRPCCore
    private let loops: LoopGroup<Connection>

    /// Where the server listens, once it has started.
    package private(set) var boundAddress: (host: String, port: UInt16)
    package let statistics: GRPCStatistics

    package init(
        configuration: GRPCServerConfiguration, handler: any GRPCHandler, statistics: GRPCStatistics = GRPCStatistics(),
        log: Log = .silent
    ) {
        self.configuration = configuration
        self.statistics = statistics
        core = GRPCCore(configuration, handler: handler, statistics: statistics)
        loops = LoopGroup(core, log: log)
        boundAddress = (configuration.host, configuration.port)
    }

    package func start() throws(HTTPServerError) {
        precondition(!loops.isRunning, "a server starts once")
        guard let port = loops.start(host: configuration.host, port: configuration.port, loops: configuration.loops)
        else {
            let reason = String(cString: strerror(errno))
            throw .cannotListen(host: configuration.host, port: configuration.port, reason: reason)
        }
        boundAddress.port = port
    }

    /// Accepts no more connections and calls, and lets what is under way end for `graceSeconds`.
    ///
    /// - Returns: false if a handler would not end even then: its thread is left behind.
    @discardableResult
    package func stop(graceSeconds: Int) -> Bool {
        guard loops.isRunning else { return true }
        loops.drain()
        waitUntilIdle(seconds: graceSeconds)
        loops.end()
        guard core.running.load(ordering: .acquiring) == 0 else { return false }
        core.stop()
        return true
    }

    /// Waits for calls, and, since clients may have sent some before they knew, shortly for connections.
    private func waitUntilIdle(seconds: Int) {
        let begun = ContinuousClock.now
        while core.connections.value > 0 || core.running.load(ordering: .acquiring) > 0 {
            let waited = ContinuousClock.now - begun
            if waited >= .seconds(seconds) || (waited >= Self.farewell && isIdle) { return }
            usleep(10_000)
        }
    }

    private var isIdle: Bool {
        core.open.load(ordering: .acquiring) == 0 && core.running.load(ordering: .acquiring) == 0
    }

    /// Twice as long as from saying that no calls are taken to taking none.
    private static let farewell = Duration.milliseconds(300)
}
