private import Glibc
package import Observability
private import Sockets

/// An HTTP/1.1 server: a few threads receive and send for all connections, and others handle requests, which may wait for the disk
/// and for queries.
///
/// `start` once, `stop` once.
package final class HTTPServer: @unchecked Sendable {
    private let configuration: HTTPServerConfiguration
    private let core: HTTPCore
    private let loops: LoopGroup<HTTPConnection>

    /// Where the server listens, once it has started.
    package private(set) var boundAddress: (host: String, port: UInt16)

    package init(
        configuration: HTTPServerConfiguration, handler: any HTTPHandler, statistics: HTTPStatistics = HTTPStatistics(),
        log: Log = .silent
    ) {
        self.configuration = configuration
        core = HTTPCore(configuration, handler: handler, statistics: statistics)
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

    /// Accepts no more connections, lets running requests end for `graceSeconds`, then cancels queries and gives them as long.
    ///
    /// - Returns: false if a handler would not end even then: its thread is left behind.
    @discardableResult
    package func stop(graceSeconds: Int) -> Bool {
        guard loops.isRunning else { return true }
        core.beginStopping()
        loops.drain()
        if !waitUntilIdle(seconds: graceSeconds) {
            loops.hangUp()
            core.shutTunnels()
            waitUntilIdle(seconds: max(graceSeconds, 1))
        }
        loops.end()
        guard core.isIdle else { return false }
        core.stopPools()
        return true
    }

    /// Waits for handlers, and shortly for replies to be taken.
    ///
    /// - Returns: false if a handler still works.
    @discardableResult
    private func waitUntilIdle(seconds: Int) -> Bool {
        let begun = ContinuousClock.now
        var idleSince: ContinuousClock.Instant?
        while core.connections.value > 0 || !core.isIdle {
            let now = ContinuousClock.now
            idleSince = core.isIdle ? idleSince ?? now : nil
            if now - begun >= .seconds(seconds) || idleSince.map({ now - $0 >= Self.farewell }) ?? false { break }
            usleep(10_000)
        }
        return core.isIdle
    }

    private static let farewell = Duration.milliseconds(500)
}
