import Glibc

/// A client that sends exactly the bytes it is told to, over a socket of its own.
final class RawClient {
    struct Reply {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    struct Failure: Error { var reason: String }

    let socket: Int32
    private var pending: [UInt8] = []

    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(reason: "connect: \(errno)") }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            done += count
        }
    }

    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Whether the server closes the connection, and how long that takes.
    func waitForClose() -> Duration? {
        let start = ContinuousClock.now
        while true {
            switch receive() {
            case .some(0): return ContinuousClock.now - start
            case .none: return nil
            default: continue
            }
        }
    }

    /// Bytes added to `pending`; zero at the end; nil if nothing came in time.
    private func receive() -> Int? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &buffer, buffer.count, 0)
        if count < 0 { return errno == ECONNRESET ? 0 : nil }
        pending += buffer[..<count]
        return count
    }

    /// Takes all that comes until there are `count` bytes.
    func read(_ count: Int) throws -> [UInt8] {
        while pending.count < count {
            guard let more = receive(), more > 0 else { throw Failure(reason: "closed after \(pending.count) bytes") }
        }
        defer { pending.removeFirst(count) }
        return Array(pending[..<count])
    }

    private func readLine() throws -> String {
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                let line = try read(end + 1)
                return String(decoding: line.dropLast(line.dropLast().last == 0x0D ? 2 : 1), as: UTF8.self)
            }
            guard let more = receive(), more > 0 else { throw Failure(reason: "closed within a line") }
        }
    }

    /// One reply, by its Content-Length; a reply to HEAD has no body.
    func readReply(toHead: Bool = false) throws -> Reply {
        let words = try readLine().split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { throw Failure(reason: "no status line: \(words)") }
        var reply = Reply(status: status, headers: [], body: [])
        while true {
            let line = try readLine()
            if line.isEmpty { break }
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == " " }
            reply.headers.append((String(line[..<colon]), String(value)))
        }
        if !toHead, status >= 200, let length = reply.header("Content-Length").flatMap({ Int($0) }) {
            reply.body = try read(length)
        }
        return reply
    }

    func get(_ target: String, headers: String = "") throws -> Reply {
        send("GET \(target) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n")
        return try readReply()
    }

    func post(_ target: String, _ body: [UInt8], headers: String = "") throws -> Reply {
        send("POST \(target) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\(headers)\r\n")
        send(body)
        return try readReply()
    }
}
