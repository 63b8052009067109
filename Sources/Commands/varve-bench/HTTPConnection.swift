import Glibc

/// One keep-alive connection to a server, used by one thread.
struct HTTPConnection: ~Copyable {
    struct Response {
        var status: Int
        var body: [UInt8]
        /// Seconds until a retry, if the server asked for one.
        var retryAfter: Double?

        var text: String { String(decoding: body.prefix(400), as: UTF8.self) }
    }

    struct Address: Sendable, CustomStringConvertible {
        var host: String
        var port: UInt16

        init?(_ text: String) {
            var rest = Substring(text)
            if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
            while rest.hasSuffix("/") { rest = rest.dropLast() }
            guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else {
                return nil
            }
            host = String(rest[..<colon])
            if host == "localhost" || host.isEmpty { host = "127.0.0.1" }
            self.port = port
        }

        var description: String { "\(host):\(port)" }

        /// A socket that is connected to it, and sends small packets at once.
        func connect() throws(BenchError) -> Int32 {
            let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { throw .network("socket: \(Console.explain(errno))") }
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            target.sin_port = port.bigEndian
            guard inet_pton(AF_INET, host, &target.sin_addr) == 1 else {
                close(descriptor)
                throw .network("\(host) is no IPv4 address")
            }
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            let result = withUnsafePointer(to: &target) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else {
                let code = errno
                close(descriptor)
                throw .network("\(self): \(Console.explain(code))")
            }
            return descriptor
        }
    }

    let address: Address
    private var socket: Int32 = -1
    private var received: [UInt8] = []
    private var piece = [UInt8](repeating: 0, count: 1 << 16)

    init(_ address: Address) { self.address = address }

    deinit { if socket >= 0 { close(socket) } }

    /// - Parameter cached: whether the server may answer from results that it keeps.
    mutating func get(_ target: String, cached: Bool = true) throws(BenchError) -> Response {
        let control = cached ? "" : "Cache-Control: no-store\r\n"
        try send(head: "GET \(target) HTTP/1.1\r\nHost: \(address)\r\n\(control)\r\n", body: [])
        return try receive()
    }

    mutating func post(
        _ target: String, contentType: String, _ body: borrowing [UInt8], tenant: String? = nil
    ) throws(BenchError) -> Response {
        let head = """
            POST \(target) HTTP/1.1\r
            Host: \(address)\r
            \(tenant.map { "X-Scope-OrgID: \($0)\r\n" } ?? "")\
            Content-Type: \(contentType)\r
            Content-Length: \(body.count)\r
            \r

            """
        try send(head: head, body: body)
        return try receive()
    }

    /// Closes the connection; the next request opens a new one.
    mutating func disconnect() {
        if socket >= 0 { close(socket) }
        socket = -1
        received.removeAll(keepingCapacity: true)
    }

    private mutating func connectIfNeeded() throws(BenchError) {
        if socket < 0 { socket = try address.connect() }
    }

    private mutating func send(head: String, body: borrowing [UInt8]) throws(BenchError) {
        try connectIfNeeded()
        try send(Array(head.utf8), more: !body.isEmpty)
        try send(body, more: false)
    }

    private mutating func send(_ bytes: borrowing [UInt8], more: Bool) throws(BenchError) {
        var sent = 0
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, UnsafeRawBufferPointer(rebasing: $0[sent...]).baseAddress, $0.count - sent, flags)
            }
            guard count > 0 else { throw failed("send") }
            sent += count
        }
    }

    private mutating func failed(_ what: String) -> BenchError {
        let text = errno == 0 ? "connection closed" : Console.explain(errno)
        disconnect()
        return .network("\(address): \(what): \(text)")
    }

    private mutating func fill() throws(BenchError) {
        errno = 0
        let count = recv(socket, &piece, piece.count, 0)
        guard count > 0 else { throw failed("receive") }
        received.append(contentsOf: piece[..<count])
    }

    private mutating func receive() throws(BenchError) -> Response {
        received.removeAll(keepingCapacity: true)
        var headEnd = Self.endOfHead(in: received, from: 0)
        while headEnd == nil {
            let seen = max(0, received.count - 3)
            try fill()
            headEnd = Self.endOfHead(in: received, from: seen)
        }
        let start = headEnd ?? 0
        let lines = String(decoding: received[..<start], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, let status = Int(words[1]) else { throw failed("no status line") }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = String(
                line[line.index(after: colon)...].drop { $0 == " " })
        }
        var response = Response(status: status, body: [], retryAfter: fields["retry-after"].flatMap(Double.init))
        if fields["transfer-encoding"]?.lowercased() == "chunked" {
            response.body = try receiveChunks(from: start)
        } else if status != 204, status != 304 {
            guard let length = fields["content-length"].flatMap(Int.init), length >= 0 else {
                throw failed("no length")
            }
            while received.count - start < length { try fill() }
            response.body = Array(received[start..<start + length])
        }
        if fields["connection"]?.lowercased() == "close" { disconnect() }
        return response
    }

    private mutating func receiveChunks(from start: Int) throws(BenchError) -> [UInt8] {
        var body: [UInt8] = []
        var position = start
        while true {
            var lineEnd = received[position...].firstIndex(of: 0x0A)
            while lineEnd == nil {
                try fill()
                lineEnd = received[position...].firstIndex(of: 0x0A)
            }
            let end = lineEnd ?? position
            let digits = String(decoding: received[position..<end], as: UTF8.self)
                .prefix { $0.isHexDigit }
            guard let size = Int(digits, radix: 16) else { throw failed("bad chunk") }
            while received.count < end + 1 + size + 2 { try fill() }
            body.append(contentsOf: received[end + 1..<end + 1 + size])
            position = end + 1 + size + 2
            if size == 0 { return body }
        }
    }

    private static func endOfHead(in bytes: [UInt8], from start: Int) -> Int? {
        var i = start
        while i + 3 < bytes.count {
            if bytes[i] == 13, bytes[i + 1] == 10, bytes[i + 2] == 13, bytes[i + 3] == 10 { return i + 4 }
            i += 1
        }
        return nil
    }
}
