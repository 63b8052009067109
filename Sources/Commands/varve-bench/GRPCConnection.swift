import CNGHTTP2
import Glibc

/// One connection to a server's gRPC port, used by one thread: a unary call at a time, as exporters make them.
final class GRPCConnection {
    struct Response {
        var status: Int?
        var message: String
        /// Of the answer, with its prefix.
        var body: [UInt8]
        /// Whether the server says when to come again.
        var isRetryable: Bool
    }

    private let address: HTTPConnection.Address
    private var socket: Int32 = -1
    private var session: OpaquePointer?
    /// What is left to send of the call's message: its prefix, then its body.
    private var prefix: [UInt8] = []
    private var body: [UInt8] = []
    private var sent = 0
    private var isOpen = false
    private var fields: [String: String] = [:]
    private var received: [UInt8] = []
    private var piece = [UInt8](repeating: 0, count: 1 << 16)

    init(_ address: HTTPConnection.Address) { self.address = address }

    deinit { disconnect() }

    func disconnect() {
        nghttp2_session_del(session)
        session = nil
        if socket >= 0 { close(socket) }
        socket = -1
    }

    func call(_ path: String, _ body: [UInt8]) throws(BenchError) -> Response {
        try connectIfNeeded()
        self.body = body
        prefix = [0] + withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) }
        (sent, isOpen, fields, received) = (0, true, [:], [])
        try submit([
            (":method", "POST"), (":scheme", "http"), (":authority", address.description), (":path", path),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ])
        try flush()
        while isOpen {
            errno = 0
            let count = recv(socket, &piece, piece.count, 0)
            guard count > 0 else { throw failed("receive") }
            guard nghttp2_session_mem_recv(session, piece, count) == count else { throw failed("HTTP/2") }
            try flush()
        }
        return Response(
            status: fields["grpc-status"].flatMap { Int($0) }, message: fields["grpc-message"] ?? "", body: received,
            isRetryable: fields["grpc-status-details-bin"] != nil || fields["grpc-status"] == "14")
    }

    private func submit(_ headers: [(String, String)]) throws(BenchError) {
        let texts = headers.map { (Array($0.utf8), Array($1.utf8)) }
        var pairs: [nghttp2_nv] = []
        let storage = texts.map { name, value in
            let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: name.count + value.count)
            _ = memory.initialize(from: name + value)
            pairs.append(
                nghttp2_nv(
                    name: memory.baseAddress, value: memory.baseAddress.map { $0 + name.count }, namelen: name.count,
                    valuelen: value.count, flags: 0))
            return memory
        }
        defer { for memory in storage { memory.deallocate() } }
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, _, buffer, capacity, flags, _, context in
            guard let context, let buffer, let flags else { return -1 }
            return GRPCConnection.from(context).fill(
                UnsafeMutableRawBufferPointer(start: buffer, count: capacity), flags)
        }
        guard nghttp2_submit_request(session, nil, pairs, pairs.count, &provider, nil) > 0 else { throw failed("call") }
    }

    private static func from(_ context: UnsafeMutableRawPointer) -> GRPCConnection {
        Unmanaged<GRPCConnection>.fromOpaque(context).takeUnretainedValue()
    }

    private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        let head = min(max(prefix.count - sent, 0), buffer.count)
        if head > 0 { buffer.copyBytes(from: prefix[sent..<sent + head]) }
        let start = max(sent - prefix.count, 0)
        let count = min(buffer.count - head, body.count - start)
        body.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: buffer[head...]).copyBytes(from: bytes[start..<start + count])
        }
        sent += head + count
        if sent == prefix.count + body.count { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
        return head + count
    }

    private func flush() throws(BenchError) {
        while true {
            var data: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &data)
            guard count >= 0 else { throw failed("HTTP/2") }
            guard count > 0, let data else { return }
            var done = 0
            while done < count {
                errno = 0
                let written = send(socket, data + done, count - done, Int32(MSG_NOSIGNAL))
                guard written > 0 else { throw failed("send") }
                done += written
            }
        }
    }

    private func failed(_ what: String) -> BenchError {
        let text = errno == 0 ? "connection closed" : Console.explain(errno)
        disconnect()
        return .network("\(address): \(what): \(text)")
    }

    private func connectIfNeeded() throws(BenchError) {
        guard socket < 0 else { return }
        socket = try address.connect()
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        defer { nghttp2_session_callbacks_del(callbacks) }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, context in
            guard let context else { return 0 }
            let name = String(decoding: UnsafeBufferPointer(start: name, count: nameCount), as: UTF8.self)
            let value = String(decoding: UnsafeBufferPointer(start: value, count: valueCount), as: UTF8.self)
            GRPCConnection.from(context).fields[name] = value
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, _, bytes, count, context in
            guard let context else { return 0 }
            GRPCConnection.from(context).received += UnsafeBufferPointer(start: bytes, count: count)
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, _, _, context in
            if let context { GRPCConnection.from(context).isOpen = false }
            return 0
        }
        nghttp2_session_client_new(&session, callbacks, Unmanaged.passUnretained(self).toOpaque())
        nghttp2_submit_settings(session, 0, nil, 0)
    }
}
