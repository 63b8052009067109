import Glibc
import RawSocket

/// A client of HTTP/1.1 that sends exactly the bytes it is told to, over a socket of its own.
final class RawClient {
    struct Reply {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let connection: RawSocket

    init(port: UInt16) throws { connection = try RawSocket(port: port) }

    var socket: Int32 { connection.descriptor }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) { connection.send(bytes) }

    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Whether the server closes the connection, and how long that takes.
    func waitForClose() -> Duration? {
        let start = ContinuousClock.now
        while true {
            switch connection.receive() {
            case .some(0): return ContinuousClock.now - start
            case .none: return nil
            default: continue
            }
        }
    }

    /// Takes all that comes until there are `count` bytes.
    func read(_ count: Int) throws -> [UInt8] {
        while connection.pending.count < count {
            guard let more = connection.receive(), more > 0 else {
                throw RawSocket.Failure(reason: "closed after \(connection.pending.count) bytes")
            }
        }
        return connection.take(count)
    }

    private func readLine() throws -> String {
        while true {
            if let end = connection.pending.firstIndex(of: 0x0A) {
                let line = try read(end + 1)
                return String(decoding: line.dropLast(line.dropLast().last == 0x0D ? 2 : 1), as: UTF8.self)
            }
            guard let more = connection.receive(), more > 0 else {
                throw RawSocket.Failure(reason: "closed within a line")
            }
        }
    }

    /// One reply, by its Content-Length; a reply to HEAD has no body.
    func readReply(toHead: Bool = false) throws -> Reply {
        let words = try readLine().split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else {
            throw RawSocket.Failure(reason: "no status line: \(words)")
        }
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
