import CNGHTTP2

/// nghttp2's callbacks and options, the same for all sessions.
final class SessionLibrary: @unchecked Sendable {
    private(set) var callbacks: OpaquePointer?
    private(set) var options: OpaquePointer?

    init() {
        nghttp2_session_callbacks_new(&callbacks)
        nghttp2_option_new(&options)
        precondition(callbacks != nil && options != nil, "out of memory")
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, beginHeaders)
        nghttp2_session_callbacks_set_on_header_callback(callbacks, takeHeader)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, takeData)
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, takeFrame)
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, noteSentFrame)
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, closeStream)
        // Streams that are closed are of no use to a server of unary calls.
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_continuations(options, 8)
    }

    deinit {
        nghttp2_session_callbacks_del(callbacks)
        nghttp2_option_del(options)
    }
}

private func connection(_ context: UnsafeMutableRawPointer) -> Connection {
    Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
}

private func beginHeaders(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context, let frame else { return 0 }
    if frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST { connection(context).begin(frame.pointee.hd.stream_id) }
    return 0
}

private func takeHeader(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ name: UnsafePointer<UInt8>?, _ nameCount: Int,
    _ value: UnsafePointer<UInt8>?, _ valueCount: Int, _ flags: UInt8, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context, let frame else { return 0 }
    connection(context).header(
        of: frame.pointee.hd.stream_id, UnsafeRawBufferPointer(start: name, count: nameCount),
        UnsafeRawBufferPointer(start: value, count: valueCount))
    return 0
}

private func takeData(
    _ session: OpaquePointer?, _ flags: UInt8, _ stream: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return 0 }
    connection(context).data(of: stream, UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}

private func takeFrame(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context, let frame else { return 0 }
    connection(context).frame(frame.pointee.hd)
    return 0
}

private func noteSentFrame(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context, let frame else { return 0 }
    connection(context).sent(frame.pointee.hd)
    return 0
}

private func closeStream(
    _ session: OpaquePointer?, _ stream: Int32, _ code: UInt32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return 0 }
    connection(context).streamClosed(stream)
    return 0
}

/// The next bytes of an answer.
func readOutput(
    _ session: OpaquePointer?, _ stream: Int32, _ buffer: UnsafeMutablePointer<UInt8>?, _ capacity: Int,
    _ flags: UnsafeMutablePointer<UInt32>?, _ source: UnsafeMutablePointer<nghttp2_data_source>?,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
    return connection(context).output(
        of: stream, into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity), flags)
}
