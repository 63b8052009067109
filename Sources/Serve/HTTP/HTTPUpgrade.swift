private import CLinux
internal import Sockets

/// What happens on a connection after `101 Switching Protocols`: `run` has it to itself, on a thread of its own, and the connection is
/// closed when it returns.
package struct HTTPUpgrade: Sendable {
    /// The value of the reply's `Upgrade` header.
    package var name: String
    package var run: @Sendable (HTTPSocket) -> Void

    package init(_ name: String, run: @escaping @Sendable (HTTPSocket) -> Void) {
        self.name = name
        self.run = run
    }
}

/// A connection as a stream of bytes, for the one thread that it was handed to.
package final class HTTPSocket: @unchecked Sendable {
    package enum Reading: Sendable {
        case bytes([UInt8])
        case timedOut
        case closed
    }

    private let link: Link
    /// What the client sent behind its request, before the connection was handed over.
    private var early: [UInt8]
    private let isStopping: @Sendable () -> Bool

    init(_ link: Link, early: [UInt8], isStopping: @escaping @Sendable () -> Bool) {
        self.link = link
        self.early = early
        self.isStopping = isStopping
    }

    var descriptor: Int32 { link.socket }

    func close(_ core: HTTPCore) { core.close(link) }

    /// Whether the server is about to stop: then `run` should return soon.
    package var serverIsStopping: Bool { isStopping() }

    /// The bytes that arrived, or will within `timeoutMilliseconds`; at most 64 KiB.
    package func read(timeoutMilliseconds: Int32) -> Reading {
        if !early.isEmpty {
            defer { early = [] }
            return .bytes(early)
        }
        var reading = receive()
        if case .timedOut = reading, varve_wait_for(link.socket, VARVE_READABLE, timeoutMilliseconds) != 0 {
            reading = receive()
        }
        return reading
    }

    private func receive() -> Reading {
        var isOver = false
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, filled in
            switch link.receive(into: UnsafeMutableRawBufferPointer(buffer)) {
            case .bytes(let count, _): filled = count
            case .nothing: break
            case .end, .broken: isOver = true
            }
        }
        if !bytes.isEmpty { return .bytes(bytes) }
        return isOver ? .closed : .timedOut
    }

    /// Whether all bytes could be sent, each piece of them within `timeoutMilliseconds`.
    package func write(_ bytes: [UInt8], timeoutMilliseconds: Int32) -> Bool {
        link.enqueue(bytes)
        while true {
            switch link.send(at: .now) {
            case .done: return true
            case .broken: return false
            case .blocked:
                guard varve_wait_for(link.socket, VARVE_WRITABLE, timeoutMilliseconds) != 0 else { return false }
            }
        }
    }
}
