private import Synchronization
private import CMicroHTTPD

/// What a handler can learn of the connection that its request came by, while it works on the request.
package final class HTTPConnectionState: Sendable {
    private let socket: Int32
    private let watcher: ConnectionWatcher?

    /// - Parameter socket: negative for a request that came by no connection, as in tests.
    init(socket: Int32, watcher: ConnectionWatcher?) {
        self.socket = socket
        self.watcher = watcher
    }

    /// The state of a request that no connection brought: never closed.
    package static let none = HTTPConnectionState(socket: -1, watcher: nil)

    /// Whether the client has gone, or will send nothing more, which cannot be told apart (rule G-12).
    package var isClosed: Bool { socket >= 0 && varve_socket_is_closed(socket) != 0 }

    /// Calls `cancel` once if the client goes before the request is answered, about a tenth of a second later at most.
    package func onClose(_ cancel: @escaping @Sendable () -> Void) {
        guard socket >= 0 else { return }
        watcher?.watch(socket, cancel)
    }

    func finish() {
        guard socket >= 0 else { return }
        watcher?.unwatch(socket)
    }
}

/// One thread that looks after the connections whose requests want to know of their closing.
final class ConnectionWatcher: Sendable {
    private let watched = Mutex<[Int32: [@Sendable () -> Void]]>([:])
    private let stopped = Atomic<Bool>(false)

    func watch(_ socket: Int32, _ cancel: @escaping @Sendable () -> Void) {
        watched.withLock { $0[socket, default: []].append(cancel) }
    }

    func unwatch(_ socket: Int32) {
        watched.withLock { _ = $0.removeValue(forKey: socket) }
    }

    /// Cancels what still runs, for a server that stops.
    func cancelAll() {
        let actions = watched.withLock { watched in
            defer { watched.removeAll() }
            return watched.values.flatMap { $0 }
        }
        for action in actions { action() }
    }

    func stop() { stopped.store(true, ordering: .relaxed) }

    /// Looks ten times a second, until `stop`. A socket is watched no longer than its request lasts, and the server closes it
    /// later than that: so a number looked at under the lock is the socket that was meant.
    func run() {
        while !stopped.load(ordering: .relaxed) {
            varve_sleep_milliseconds(100)
            let actions = watched.withLock { watched in
                let closed = watched.keys.filter { varve_socket_is_closed($0) != 0 }
                return closed.flatMap { watched.removeValue(forKey: $0) ?? [] }
            }
            for action in actions { action() }
        }
    }
}
