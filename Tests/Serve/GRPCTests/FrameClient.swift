import RawSocket

/// A client that sends frames of HTTP/2 as it is told, and tells what frames come.
final class FrameClient {
    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8
        var stream: Int32
        var payload: [UInt8]
    }

    static let (data, headers, reset, settings, ping, goaway): (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (
        0, 1, 3, 4, 6, 7
    )

    private let connection: RawSocket

    /// - Parameter begins: whether it sends the preface, and settings.
    init(port: UInt16, begins: Bool = true) throws {
        connection = try RawSocket(port: port)
        if begins {
            send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
            send(Self.settings)
        }
    }

    func send(_ bytes: [UInt8]) { connection.send(bytes) }

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
        let length = connection.pending[..<3].reduce(0) { $0 << 8 | Int($1) }
        guard try fill(9 + length) else { return nil }
        let frame = connection.take(9 + length)
        let stream = frame[5..<9].reduce(Int32(0)) { $0 << 8 | Int32($1) }
        return Frame(type: frame[3], flags: frame[4], stream: stream, payload: Array(frame[9...]))
    }

    /// The next frame of a type, beyond others, not counting acknowledgements; nil if the end comes first.
    func next(_ type: UInt8) throws -> Frame? {
        while let frame = try next() {
            if frame.type == type, type == Self.data || type == Self.headers || frame.flags & 1 == 0 { return frame }
        }
        return nil
    }

    /// - Returns: false at the end.
    private func fill(_ count: Int) throws -> Bool {
        while connection.pending.count < count {
            guard let more = connection.receive() else { throw RawSocket.Failure(reason: "nothing came in time") }
            if more == 0 { return false }
        }
        return true
    }
}
