private import CMicroHTTPD

/// What happens on a connection after `101 Switching Protocols`: `run` has it to itself, on the connection's thread, and the
/// connection is closed when it returns.
package struct HTTPUpgrade: Sendable {
    /// The value of the reply's `Upgrade` header.
    package var name: String
    package var run: @Sendable (HTTPSocket) -> Void

    package init(_ name: String, run: @escaping @Sendable (HTTPSocket) -> Void) {
        self.name = name
        self.run = run
    }
}

/// A connection as a stream of bytes.
package final class HTTPSocket: Sendable {
    package enum Reading: Sendable {
        case bytes([UInt8])
        case timedOut
        case closed
    }

    private let socket: Int32
    /// What the client sent behind its request, before the connection was handed over.
    private let early: EarlyBytes
    private let isStopping: @Sendable () -> Bool

    init(socket: Int32, early: [UInt8], isStopping: @escaping @Sendable () -> Bool) {
        self.socket = socket
        self.early = EarlyBytes(early)
        self.isStopping = isStopping
    }

    /// Whether the server is about to stop: then `run` should return soon.
    package var serverIsStopping: Bool { isStopping() }

    /// The bytes that arrived, or will within `timeoutMilliseconds`; at most 64 KiB.
    package func read(timeoutMilliseconds: Int32) -> Reading {
        if let bytes = early.take() { return .bytes(bytes) }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, filled in
            count = varve_socket_read(socket, buffer.baseAddress, buffer.count, timeoutMilliseconds)
            filled = max(count, 0)
        }
        if count > 0 { return .bytes(bytes) }
        return count == 0 ? .closed : .timedOut
    }

    /// Whether all bytes could be sent, each piece of them within `timeoutMilliseconds`.
    package func write(_ bytes: [UInt8], timeoutMilliseconds: Int32) -> Bool {
        bytes.withUnsafeBytes { varve_socket_write(socket, $0.baseAddress, $0.count, timeoutMilliseconds) != 0 }
    }
}
