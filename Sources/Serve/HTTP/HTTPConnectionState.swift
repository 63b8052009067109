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
        watcher?.addAction(cancel, for: socket)
    }
}
