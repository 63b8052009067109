private import CLinux
private import Glibc

/// A socket that does not block, watched by an epoll, and what waits to be sent by it; TLS between them, if the port has it. Used by one
/// thread at a time.
package final class Link {
    package enum Reception {
        /// So many bytes; `isAll` if the socket had no more.
        case bytes(Int, isAll: Bool)
        /// Nothing has arrived since.
        case nothing
        /// The other side sends no more.
        case end
        case broken
    }

    package enum Sending {
        /// All of it is with the system.
        case done
        case blocked
        case broken
    }

    package let key: UInt64
    package let socket: Int32
    private let epoll: Int32
    private var watched: UInt32 = VARVE_READABLE
    /// What waits to be sent, in order, from `next` on.
    private var outbox: [ArraySlice<UInt8>] = []
    private var next = 0
    /// Since when nothing of what waits was taken.
    package private(set) var blockedSince: ContinuousClock.Instant?

    /// How long a handshake of TLS may take.
    private static let handshakeTime = Duration.seconds(10)

    private let port: TLSPort?
    /// Made when the first bytes are there.
    private var session: TLSSession?
    private let opened: ContinuousClock.Instant

    package init(_ socket: Int32, key: UInt64, epoll: Int32, tls port: TLSPort?, at now: ContinuousClock.Instant) {
        self.socket = socket
        self.key = key
        self.epoll = epoll
        self.port = port
        opened = now
    }

    package func watch(_ events: UInt32) {
        guard watched != events else { return }
        watched = events
        varve_epoll_watch(epoll, socket, key, events, 1)
    }

    /// No epoll watches it any more.
    package func unwatch() { varve_epoll_forget(epoll, socket) }

    package func close() {
        if port != nil { leaveInOrder() }
        Glibc.close(socket)
    }

    /// Bytes that nobody reads would make the system throw away an alert that says why.
    private func leaveInOrder() {
        Glibc.shutdown(socket, Int32(SHUT_WR))
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { rest in
            for _ in 0..<16 where recv(socket, rest.baseAddress, rest.count, 0) <= 0 { return }
        }
    }

    /// Ends the own direction.
    package func finishSending() {
        session?.finishSending()
        Glibc.shutdown(socket, Int32(SHUT_WR))
    }

    // MARK: TLS

    /// Whether nothing can be said before the other side has.
    package var isHandshaking: Bool { port != nil && session?.isOpen != true }

    /// Whether the handshake has taken too long: to be closed.
    package func isOverdue(at now: ContinuousClock.Instant) -> Bool {
        guard let port, isHandshaking, now - opened >= Self.handshakeTime else { return false }
        port.count(.slow)
        return true
    }

    /// - Returns: nil once the connection is open.
    private func handshake(_ port: TLSPort) -> Reception? {
        if session == nil {
            guard !port.isPlaintext(socket) else { return .broken }
            session = TLSSession(port, socket)
        }
        guard let session else { return .broken }
        switch session.handshake() {
        case .done:
            watch(VARVE_READABLE)
            return nil
        case .wantsToRead: watch(VARVE_READABLE)
        case .wantsToWrite: watch(VARVE_READABLE | VARVE_WRITABLE)
        case .failed: return .broken
        }
        return .nothing
    }

    // MARK: Receiving

    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Reception {
        if let port {
            if isHandshaking, let outcome = handshake(port) { return outcome }
            return session?.receive(into: buffer) ?? .broken
        }
        while true {
            let count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count, isAll: count < buffer.count) }
            if count == 0 { return .end }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .nothing : .broken
        }
    }

    // MARK: Sending

    package var hasOutput: Bool { next < outbox.count }

    package func enqueue(_ bytes: [UInt8]) {
        if !bytes.isEmpty { outbox.append(bytes[...]) }
    }

    package func send(at now: ContinuousClock.Instant) -> Sending {
        while hasOutput {
            if let session {
                guard let sent = outbox[next].withUnsafeBytes({ session.send($0) }) else { return .broken }
                guard sent > 0 else {
                    if blockedSince == nil { blockedSince = now }
                    return .blocked
                }
                took(sent)
                continue
            }
            let flags = Int32(MSG_NOSIGNAL) | (next + 1 < outbox.count ? Int32(MSG_MORE) : 0)
            let sent = outbox[next].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, flags) }
            if sent < 0, errno == EINTR { continue }
            if sent < 0, errno == EAGAIN {
                if blockedSince == nil { blockedSince = now }
                return .blocked
            }
            guard sent > 0 else { return .broken }
            took(sent)
        }
        outbox = []
        next = 0
        blockedSince = nil
        return .done
    }

    private func took(_ count: Int) {
        blockedSince = nil
        outbox[next].removeFirst(count)
        if outbox[next].isEmpty { next += 1 }
    }
}
