package import HTTP
package import Observability
package import Sockets

/// Where a server listens, and what it grants each connection.
package struct GRPCServerConfiguration: Sendable {
    /// A textual IPv4 or IPv6 address; `0.0.0.0` and `::` are all of the machine's.
    package var host: String
    /// Zero takes a free one.
    package var port: UInt16
    package var connectionLimit = 1024
    /// Nil: not over TLS.
    package var tls: TLSPort?
    /// Connections of all servers of the process.
    package var descriptors = Tally.Limited(limit: .max)
    /// Calls of a connection at a time.
    package var callLimit = 128
    /// Calls of all connections that stay open until the server stops.
    package var watchLimit = 1024
    /// Bytes of a call's metadata, names and values and 32 for each pair (RFC 9113, 6.5.2).
    package var metadataLimit = 16 << 10
    /// How long a connection may take until its first settings are there.
    package var handshakeTimeout = Duration.seconds(10)
    /// After so long a silence the other side is asked for a sign of life …
    package var keepAlive = Duration.seconds(75)
    /// … and has so long for it.
    package var keepAliveTimeout = Duration.seconds(20)
    /// How long a call may take to arrive, and its answer to be taken, however steadily the bytes drip.
    package var transferTimeout = Duration.seconds(300)
    /// Bytes of all messages that are being received and handled at a time; beyond it, calls are asked to come again.
    package var bodies = BodyMemory.Pool(limit: 1 << 30)
    /// Threads that receive and send; and that handle calls: so many at first, and more, up to the last, while those wait.
    package var loops = 1
    package var threads = 2
    package var mostThreads = 64

    package init(host: String = "127.0.0.1", port: UInt16 = 0) {
        self.host = host
        self.port = port
    }
}

/// Why a connection was ended by the server.
package enum GRPCConnectionEnd: String, CaseIterable, Sendable {
    /// It does not speak HTTP/2.
    case plainHTTP = "http1"
    /// It speaks TLS, where there is none.
    case tls
    /// It broke the rules of HTTP/2.
    case protocolError = "protocol"
    /// Calls were reset faster than anybody has to (CVE-2023-44487).
    case resets
    /// Frames that carry nothing: pings, settings, empty data.
    case flood
    /// Headers without end.
    case headers
    /// It did not begin, or gave no sign of life.
    case silence
    /// What was sent to it was not taken in time.
    case stalled
    /// There were as many connections as there may be.
    case limit
}

/// What a server counts.
package final class GRPCStatistics: Sendable {
    package let connections = Gauge()
    private let ended = GRPCConnectionEnd.allCases.map { _ in Counter() }

    package init() {}

    package func ended(_ reason: GRPCConnectionEnd) -> Int {
        zip(GRPCConnectionEnd.allCases, ended).first { $0.0 == reason }?.1.value ?? 0
    }

    func count(_ reason: GRPCConnectionEnd) {
        for (known, counter) in zip(GRPCConnectionEnd.allCases, ended) where known == reason { counter.add() }
    }
}
