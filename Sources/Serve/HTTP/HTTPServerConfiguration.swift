package import Sockets

/// Where a server listens, and what it grants each connection.
package struct HTTPServerConfiguration: Sendable {
    /// A textual IPv4 or IPv6 address; `0.0.0.0` and `::` are all of the machine's.
    package var host: String
    /// Zero takes a free one.
    package var port: UInt16
    package var connectionLimit = 1024
    /// Nil: not over TLS.
    package var tls: TLSPort?
    /// Connections of all servers of the process.
    package var descriptors = Tally.Limited(limit: .max)
    /// How long a connection may be silent between requests, or within one; and how long a request's head may take to arrive.
    package var idleTimeoutSeconds = 75
    /// How long a request's body may take to arrive, and its reply to be taken, however steadily the bytes drip.
    package var transferTimeoutSeconds = 300
    /// Bytes of all bodies that are being received and handled at a time; beyond it, requests are asked to come again.
    package var bodies = BodyMemory.Pool(limit: 1 << 30)
    /// Bytes of a request's first line and headers.
    package var headLimit = 256 << 10
    /// Whether those who send much come behind queries.
    package var countsSenders = false
    /// Threads that receive and send; and that handle requests: so many at first, and `threadGrowth` more at a time, up to the last,
    /// while requests wait.
    package var loops = 1
    package var threads = 4
    package var threadGrowth = 8
    package var mostThreads = 512

    package init(host: String = "127.0.0.1", port: UInt16 = 0) {
        self.host = host
        self.port = port
    }
}

package enum HTTPServerError: Error, Hashable, Sendable, CustomStringConvertible {
    case cannotListen(host: String, port: UInt16, reason: String)

    package var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        }
    }
}
