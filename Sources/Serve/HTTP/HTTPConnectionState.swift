private import Synchronization

/// What a handler can learn of the connection that its request came by, while it works on the request.
package final class HTTPConnectionState: Sendable {
    private struct State {
        var isClosed = false
        var isAnswered = false
        var actions: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    init() {}

    /// The state of a request that no connection brought: never closed.
    package static var none: HTTPConnectionState { HTTPConnectionState() }

    /// Whether the client has gone, or will send nothing more, which cannot be told apart (rule G-12).
    package var isClosed: Bool { state.withLock(\.isClosed) }

    /// Calls `cancel` once if the client goes before the request is answered: soon, or at once if it has gone.
    package func onClose(_ cancel: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed, !state.isAnswered { state.actions.append(cancel) }
            return state.isClosed && !state.isAnswered
        }
        if isClosed { cancel() }
    }

    /// The client has gone.
    func close() {
        let actions = state.withLock { state in
            state.isClosed = true
            defer { state.actions = [] }
            return state.actions
        }
        for action in actions { action() }
    }

    func answered() {
        state.withLock { state in
            state.isAnswered = true
            state.actions = []
        }
    }
}
