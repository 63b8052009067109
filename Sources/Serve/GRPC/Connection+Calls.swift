import CNGHTTP2
internal import Sockets
import Synchronization

/// What a connection's session reports, and the way of calls to their handler and back.
extension Connection {
    // MARK: What the session reports

    func begin(_ id: Int32) {
        guard calls[id] == nil else { return }
        calls[id] = Call(id: id, deadline: loop.now + core.configuration.transferTimeout)
        core.open.add(1, ordering: .relaxed)
    }

    func header(of id: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard let call = calls[id] else { return }
        let limit = core.configuration.metadataLimit
        call.add(name, value, limit: limit)
        if call.metadataBytes > 16 * limit { end(.headers, by: NGHTTP2_ENHANCE_YOUR_CALM) }
    }

    func data(of id: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let call = calls[id], case .message(var reader) = call.stage else { return }
        // The reader has the only reference to its bytes while it appends to them.
        call.stage = .handled
        do throws(MessageReader.Failure) {
            try reader.read(bytes)
            call.stage = .message(reader)
        } catch {
            core.handler.note(error.refusal)
            answer(call, GRPCResponse(error.status))
        }
    }

    func frame(_ header: nghttp2_frame_hd) {
        let hasEnded = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_HEADERS:
            guard let call = calls[header.stream_id] else { return }
            if case .head = call.stage { open(call) }
            if hasEnded { finish(call) }
        case NGHTTP2_DATA:
            if header.length == 0, !hasEnded { strike() }
            if hasEnded, let call = calls[header.stream_id] { finish(call) }
        case NGHTTP2_RST_STREAM:
            if strikes.reset() { end(.resets, by: NGHTTP2_ENHANCE_YOUR_CALM) }
        case NGHTTP2_SETTINGS:
            hasBegun = true
            strike()
        default:
            strike()
        }
    }

    private func strike() {
        if strikes.emptyFrame() { end(.flood, by: NGHTTP2_ENHANCE_YOUR_CALM) }
    }

    func streamClosed(_ id: Int32) {
        guard let call = calls.removeValue(forKey: id) else { return }
        if call.farewell != nil { watching(-1) }
        core.open.subtract(1, ordering: .releasing)
    }

    /// After an answer to a call that the client is still sending: it need not (RFC 9113, 8.1).
    func sent(_ header: nghttp2_frame_hd) {
        guard header.type == UInt8(NGHTTP2_HEADERS.rawValue),
            header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0,
            let call = calls[header.stream_id], !call.hasEnded
        else { return }
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), call.id, NGHTTP2_NO_ERROR.rawValue)
    }

    // MARK: Calls

    private func open(_ call: Call) {
        do throws(Call.Refusal) {
            let configuration = core.configuration
            try call.open(core.handler, metadataLimit: configuration.metadataLimit, bodies: configuration.bodies)
        } catch {
            if let reason = error.reason { core.handler.note(reason) }
            answer(call, GRPCResponse(error.status), http: error.http)
        }
    }

    private func finish(_ call: Call) {
        call.hasEnded = true
        guard case .message(let reader) = call.stage else { return }
        call.stage = .handled
        let request: GRPCRequest?
        do throws(MessageReader.Failure) {
            request = try call.request(reader)
        } catch {
            core.handler.note(error.refusal)
            return answer(call, GRPCResponse(error.status))
        }
        guard let request else {
            core.handler.note(.framing)
            let status = GRPCStatus(.internalError, "a message is compressed, and no grpc-encoding says how")
            return answer(call, GRPCResponse(status))
        }
        guard handled < core.configuration.callLimit else {
            // Streams that were reset are not counted by the library, but their calls are still handled.
            let code = NGHTTP2_REFUSED_STREAM.rawValue
            nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), call.id, code)
            return
        }
        handled += 1
        call.deadline = nil
        core.handle(request, of: sender, until: call.expiry) { [loop, key = link.key, id = call.id] response in
            loop.post(.mail(to: key, (id, response)))
        }
    }

    /// Takes a handler's answer; the call may be gone.
    func take(_ mail: Mail) {
        handled -= 1
        strikes.reward()
        guard let call = calls[mail.call], case .handled = call.stage else { return }
        answer(call, mail.response)
    }

    func answer(_ call: Call, _ response: GRPCResponse, http: Int = 200) {
        call.end()
        call.deadline = loop.now + core.configuration.transferTimeout
        var response = response
        if response.farewell != nil, core.watching.load(ordering: .relaxed) >= core.configuration.watchLimit {
            response = GRPCResponse(
                GRPCStatus(.resourceExhausted, "too many calls wait for the server to stop", retryAfter: 60))
        }
        guard let message = response.message, response.status.code == .ok else {
            let head = [(name: ":status", value: String(http)), StatusFields.type, StatusFields.accepted]
            let fields = Fields(head + StatusFields.trailers(response.status))
            withExtendedLifetime(fields) {
                _ = nghttp2_submit_response(session, call.id, fields.first, fields.count, nil)
            }
            return
        }
        call.send(message)
        if let farewell = response.farewell { keep(call, open: farewell) }
        var provider = nghttp2_data_provider()
        provider.read_callback = readOutput
        nghttp2_submit_response(session, call.id, Self.success.first, Self.success.count, &provider)
    }

    /// Lets a call stay open until the server stops, if it does not already.
    private func keep(_ call: Call, open farewell: [UInt8]) {
        guard !isDraining else { return call.send(farewell) }
        call.farewell = farewell
        call.deadline = nil
        watching(1)
    }

    /// Ends the calls that have waited for the server to stop.
    func sayFarewell() {
        for call in calls.values {
            guard let farewell = call.farewell else { continue }
            call.farewell = nil
            watching(-1)
            call.send(farewell)
            call.deadline = loop.now + core.configuration.transferTimeout
            nghttp2_session_resume_data(session, call.id)
        }
    }

    private static let success = Fields(
        [(name: ":status", value: "200"), StatusFields.type, StatusFields.accepted], isKept: true)
    private static let successTrailers = Fields(StatusFields.trailers(.ok), isKept: true)

    /// Puts the next bytes of an answer's message into a frame, and the trailers behind the last.
    func output(of id: Int32, into buffer: UnsafeMutableRawBufferPointer, _ flags: UnsafeMutablePointer<UInt32>) -> Int
    {
        guard let call = calls[id] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        if call.output.isEmpty, call.farewell != nil { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        let count = min(buffer.count, call.output.count)
        buffer.copyBytes(from: call.output.prefix(count))
        call.output.removeFirst(count)
        if call.output.isEmpty, call.farewell == nil {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            nghttp2_submit_trailer(session, id, Self.successTrailers.first, Self.successTrailers.count)
        }
        return count
    }
}
