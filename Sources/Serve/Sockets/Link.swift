private import CLinux
private import Glibc

/// A socket that does not block, watched by an epoll, and what waits to be sent by it. Used by one thread at a time.
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

    package init(_ socket: Int32, key: UInt64, epoll: Int32) {
        self.socket = socket
        self.key = key
        self.epoll = epoll
    }

    package func watch(_ events: UInt32) {
        guard watched != events else { return }
        watched = events
        varve_epoll_watch(epoll, socket, key, events, 1)
    }

    /// No epoll watches it any more.
    package func unwatch() { varve_epoll_forget(epoll, socket) }

    package func close() { Glibc.close(socket) }

    /// Ends the own direction.
    package func finishSending() { Glibc.shutdown(socket, Int32(SHUT_WR)) }

    // MARK: Receiving

    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> Reception {
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
            let flags = Int32(MSG_NOSIGNAL) | (next + 1 < outbox.count ? Int32(MSG_MORE) : 0)
            let sent = outbox[next].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, flags) }
            if sent < 0, errno == EINTR { continue }
            if sent < 0, errno == EAGAIN {
                if blockedSince == nil { blockedSince = now }
                return .blocked
            }
            guard sent > 0 else { return .broken }
            blockedSince = nil
            outbox[next].removeFirst(sent)
            if outbox[next].isEmpty { next += 1 }
        }
        outbox = []
        next = 0
        blockedSince = nil
        return .done
    }
}
