private import CMicroHTTPD
private import Synchronization

/// One thread that looks after all connections: it ends those that take too long over a request or a reply, and tells
/// handlers whose client went away.
///
/// A connection is known from its opening to its closing, so a number found under the lock is the socket that was meant. The
/// library's own timeout only sees silence; a client that sends a byte now and then would hold a thread for ever.
final class ConnectionWatcher: Sendable {
    private struct Connection {
        /// Nil while a handler works: queries have deadlines of their own, and writes must not be cut.
        var deadline: ContinuousClock.Instant?
        var actions: [@Sendable () -> Void] = []
        var isUpgraded = false
    }

    private let connections = Mutex<[Int32: Connection]>([:])
    private let stopped = Atomic<Bool>(false)

    func opened(_ socket: Int32, timeoutSeconds: Int) {
        connections.withLock { $0[socket] = Connection(deadline: .now + .seconds(timeoutSeconds)) }
    }

    func closed(_ socket: Int32) {
        connections.withLock { _ = $0.removeValue(forKey: socket) }
    }

    /// The request or the reply must be through by then.
    func setDeadline(_ socket: Int32, seconds: Int) {
        connections.withLock {
            $0[socket]?.deadline = .now + .seconds(seconds)
            $0[socket]?.actions = []
        }
    }

    func removeDeadline(_ socket: Int32) {
        connections.withLock { $0[socket]?.deadline = nil }
    }

    func addAction(_ action: @escaping @Sendable () -> Void, for socket: Int32) {
        connections.withLock { $0[socket]?.actions.append(action) }
    }

    func upgraded(_ socket: Int32) {
        connections.withLock {
            $0[socket]?.deadline = nil
            $0[socket]?.isUpgraded = true
        }
    }

    /// Cancels what still runs, for a server that stops.
    func cancelAll() {
        let actions = connections.withLock { connections in
            for (socket, connection) in connections where connection.isUpgraded { varve_socket_shut_down(socket) }
            return connections.values.flatMap(\.actions)
        }
        for action in actions { action() }
    }

    func stop() { stopped.store(true, ordering: .relaxed) }

    /// Looks ten times a second, until `stop`.
    func run() {
        while !stopped.load(ordering: .relaxed) {
            varve_sleep_milliseconds(100)
            for action in sweep() { action() }
        }
    }

    private func sweep() -> [@Sendable () -> Void] {
        let now = ContinuousClock.now
        return connections.withLock { connections in
            var actions: [@Sendable () -> Void] = []
            for (socket, connection) in connections {
                if let deadline = connection.deadline, deadline < now {
                    varve_socket_shut_down(socket)
                    connections[socket]?.deadline = nil
                }
                if !connection.actions.isEmpty, varve_socket_is_closed(socket) != 0 {
                    actions += connection.actions
                    connections[socket]?.actions = []
                }
            }
            return actions
        }
    }
}
