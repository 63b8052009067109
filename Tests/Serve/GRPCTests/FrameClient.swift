import Glibc

/// A client that sends frames of HTTP/2 as it is told, and tells what frames come.
final class FrameClient {
    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8
        var stream: Int32
        var payload: [UInt8]
    }

    struct Failure: Error { var reason: String }

    static let (data, headers, reset, settings, ping, goaway): (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (
        0, 1, 3, 4, 6, 7
    )

    private let socket: Int32
    private var pending: [UInt8] = []

    /// - Parameter begins: whether it sends the preface, and settings.
    init(port: UInt16, begins: Bool = true) throws {
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
        if begins {
            send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
            send(Self.settings)
        }
    }

    deinit { close(socket) }

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

    func send(_ type: UInt8, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []) {
        let length = withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0.dropFirst()) }
        send(length + [type, flags] + withUnsafeBytes(of: stream.bigEndian) { Array($0) } + payload)
    }

    /// Begins a call: literal headers that no table keeps (RFC 7541, 6.2.2).
    func open(_ stream: Int32, path: String, _ metadata: [(String, String)] = []) {
        let fields = [
            (":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", path),
            ("content-type", "application/grpc"),
        ]
        var block: [UInt8] = []
        for (name, value) in fields + metadata {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
            block += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        send(Self.headers, flags: 4, stream: stream, block)
    }

    func end(_ stream: Int32, _ message: [UInt8]) {
        let length = withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) }
        send(Self.data, flags: 1, stream: stream, [0] + length + message)
    }

    /// The next frame; nil at the end.
    func next() throws -> Frame? {
        guard try fill(9) else { return nil }
        let length = Int(pending[0]) << 16 | Int(pending[1]) << 8 | Int(pending[2])
        guard try fill(9 + length) else { return nil }
        defer { pending.removeFirst(9 + length) }
        let stream = pending[5..<9].reduce(Int32(0)) { $0 << 8 | Int32($1) }
        return Frame(type: pending[3], flags: pending[4], stream: stream, payload: Array(pending[9..<9 + length]))
    }

    /// The next frame of a type, beyond others, not counting acknowledgements; nil if the end comes first.
    func next(_ type: UInt8) throws -> Frame? {
        while let frame = try next() {
            if frame.type == type, type == Self.data || type == Self.headers || frame.flags & 1 == 0 { return frame }
        }
        return nil
    }

    private func fill(_ count: Int) throws -> Bool {
        while pending.count < count {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let received = recv(socket, &buffer, buffer.count, 0)
            if received < 0, errno == EINTR { continue }
            if received == 0 || (received < 0 && errno == ECONNRESET) { return false }
            guard received > 0 else { throw Failure(reason: "nothing came in time") }
            pending += buffer[..<received]
        }
        return true
    }
}
