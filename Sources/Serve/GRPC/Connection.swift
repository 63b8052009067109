import CLinux
import CNGHTTP2
internal import Scheduling
internal import Sockets
import Synchronization

/// One connection: a session of nghttp2, which knows frames, header compression and flow control, over a socket that does not block.
/// Only its loop's thread touches it.
///
/// What is bounded, and by what:
///
/// | | |
/// |---|---|
/// | calls at a time, also such as the client has reset | `callLimit` |
/// | calls that stay open until the server stops | `watchLimit`, of all connections |
/// | a call's metadata | `metadataLimit`, and sixteen times that ends the connection |
/// | messages | the pool of all bodies, by bytes that have arrived |
/// | resets, and frames that carry nothing | `Strikes` |
/// | what waits to be sent | nothing is read while the client does not take what was sent before |
/// | time | of the handshake, of silence, of each call's way in and its answer's way out |
final class Connection: LoopConnection {
    /// How much is read from one socket before others have their turn.
    private static let turn = 1 << 20
    /// What is gathered before it is sent.
    private static let packet = 64 << 10
    /// RFC 9113's first windows of 64 KiB would stop a sender after each; what arrives is taken at once.
    private static let window: Int32 = 1 << 20
    /// How much of what a refused client still sends is thrown away, and for how long, so that it can see why.
    private static let patience = (bytes: 16 << 20, time: Duration.seconds(2))

    typealias Core = GRPCCore
    /// A handler's answer to one of its calls.
    typealias Mail = (call: Int32, response: GRPCResponse)

    /// After so long without a call or another frame an idle connection gives memory back.
    private static let rest = Duration.milliseconds(500)

    let link: Link
    let core: GRPCCore
    let loop: EventLoop<Connection>
    private(set) var session: OpaquePointer?
    private let memory: SessionMemory
    /// Whether memory was given back since something arrived last.
    private var isAtRest = false
    var calls: [Int32: Call] = [:]
    /// Calls that a handler has, also of streams that are gone.
    var handled = 0
    let sender = SenderAccount()
    var strikes = Strikes()
    /// Whether the client's first settings are there.
    var hasBegun = false
    private var lastRead: ContinuousClock.Instant
    private var pinged: ContinuousClock.Instant?
    private(set) var isDraining = false
    /// Of the calls, those that stay open until the server stops.
    private var watching = 0
    private var hasSaidGoodbye = false
    /// Why the server ends it, once it does.
    private var ending: GRPCConnectionEnd?
    /// Set when all was sent and the rest is thrown away.
    private var lingering: (until: ContinuousClock.Instant, left: Int)?
    private(set) var isClosed = false

    init?(_ link: Link, loop: EventLoop<Connection>) {
        self.link = link
        self.loop = loop
        core = loop.core
        lastRead = loop.now
        memory = SessionMemory(core.pages)
    }

    deinit { if session != nil { nghttp2_session_del(session) } }

    /// Makes the session, once something has arrived: a connection that says nothing has none.
    private func open() -> Bool {
        let context = Unmanaged.passUnretained(self).toOpaque()
        var allocator = memory.allocator()
        let (callbacks, options) = (core.library.callbacks, core.library.options)
        guard nghttp2_session_server_new3(&session, callbacks, context, options, &allocator) == 0 else { return false }
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(clamping: core.configuration.callLimit)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(Self.window)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: core.configuration.metadataLimit)),
        ]
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &settings, settings.count)
        nghttp2_session_set_local_window_size(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, 4 * Self.window)
        return true
    }

    // MARK: The socket

    func readable() {
        if lingering != nil { return discard() }
        var left = Self.turn
        while left > 0, !link.hasOutput, !isClosed, lingering == nil {
            switch link.receive(into: loop.input) {
            case .nothing: return
            case .end, .broken: return close()
            case .bytes(let count, let isAll):
                lastRead = loop.now
                pinged = nil
                left -= count
                take(count)
                if isAll { return }
            }
        }
    }

    /// Hands bytes that have arrived to the session, and sends what it has to say.
    private func take(_ count: Int) {
        guard session != nil || open() else { return close() }
        isAtRest = false
        let taken = nghttp2_session_mem_recv(session, loop.input.baseAddress, count)
        if taken < 0 {
            // A client of TLS begins with a handshake's first byte.
            if !hasBegun, loop.input[0] == 22 { return cut(.tls) }
            end(Self.reason(taken), by: Self.code(taken))
        }
        if ending == .plainHTTP { return refusePlainHTTP() }
        // Nothing is said to a client before it has shown that it would understand it.
        if hasBegun || ending != nil { flush() }
    }

    private static func reason(_ error: Int) -> GRPCConnectionEnd {
        switch Int32(clamping: error) {
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: .plainHTTP
        case NGHTTP2_ERR_FLOODED.rawValue: .flood
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: .headers
        default: .protocolError
        }
    }

    private static func code(_ error: Int) -> nghttp2_error_code {
        reason(error) == .protocolError ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM
    }

    /// Ends the connection with GOAWAY, which is sent at the next `flush`.
    func end(_ reason: GRPCConnectionEnd, by code: nghttp2_error_code) {
        guard ending == nil else { return }
        ending = reason
        core.statistics.count(reason)
        nghttp2_session_terminate_session(session, code.rawValue)
    }

    private func refusePlainHTTP() {
        let text = "this port speaks gRPC, over HTTP/2; OTLP over HTTP/1.1 has a port of its own\n"
        let head = """
            HTTP/1.1 400 Bad Request\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(text.utf8.count)\r
            Connection: close\r
            \r

            """
        link.enqueue(Array((head + text).utf8))
        if send() { linger() }
    }

    /// Sends all that the session has to say, as far as the socket takes it.
    func flush() {
        guard !isClosed, lingering == nil else { return }
        while send() {
            var packet: [UInt8] = []
            while packet.count < Self.packet {
                var data: UnsafePointer<UInt8>?
                let count = nghttp2_session_mem_send(session, &data)
                guard count >= 0 else { return close() }
                guard count > 0 else { break }
                packet.append(contentsOf: UnsafeBufferPointer(start: data, count: count))
            }
            guard !packet.isEmpty else { return finishIfDone() }
            link.enqueue(packet)
        }
    }

    /// - Returns: whether nothing waits to be sent.
    private func send() -> Bool {
        switch link.send(at: loop.now) {
        case .done:
            link.watch(VARVE_READABLE)
            return true
        case .blocked: link.watch(VARVE_WRITABLE)
        case .broken: close()
        }
        return false
    }

    func writable() {
        if ending == .plainHTTP {
            if send() { linger() }
        } else {
            flush()
        }
    }

    func hungUp() {}

    private func finishIfDone() {
        let isOver = nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
        if isOver || (hasSaidGoodbye && calls.isEmpty) { linger() }
    }

    /// Closes its own side, and waits shortly for the other: bytes that nobody reads would make the system throw away what was sent.
    private func linger() {
        guard lingering == nil, !isClosed else { return }
        link.finishSending()
        forgetCalls()
        lingering = (loop.now + Self.patience.time, Self.patience.bytes)
        link.watch(VARVE_READABLE)
    }

    private func discard() {
        while var lingering {
            switch link.receive(into: loop.input) {
            case .nothing: return
            case .end, .broken: return close()
            case .bytes(let count, _):
                lingering.left -= count
                if lingering.left <= 0 { return close() }
                self.lingering = lingering
            }
        }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        forgetCalls()
        loop.forget(self)
        core.close(link)
    }

    /// Counts calls that stay open.
    func watching(_ change: Int) {
        watching += change
        core.watching.add(change, ordering: .relaxed)
    }

    private func forgetCalls() {
        watching(-watching)
        core.open.subtract(calls.count, ordering: .releasing)
        calls = [:]
    }

    // MARK: Time

    func look(at now: ContinuousClock.Instant) {
        if link.isOverdue(at: now) { return close() }
        let configuration = core.configuration
        if let lingering {
            if now >= lingering.until { close() }
            return
        }
        strikes.forgive(at: now)
        if let blockedSince = link.blockedSince, now - blockedSince >= configuration.transferTimeout {
            return cut(.stalled)
        }
        if !hasBegun {
            if now - lastRead >= configuration.handshakeTimeout { cut(.silence) }
            return
        }
        if let pinged {
            if now - pinged >= configuration.keepAliveTimeout { return cut(.silence) }
        } else if now - lastRead >= configuration.keepAlive {
            pinged = now
            nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        }
        for call in calls.values { look(at: call, now) }
        if nghttp2_session_want_write(session) != 0 {
            isAtRest = false
            flush()
        } else if !isAtRest, calls.isEmpty, !link.hasOutput, now - lastRead >= Self.rest {
            isAtRest = true
            memory.release()
        }
    }

    /// Whether it is to be looked at often.
    var isBusy: Bool { calls.count > watching || lingering != nil || isDraining }

    private func look(at call: Call, _ now: ContinuousClock.Instant) {
        if let expiry = call.expiry, now >= expiry {
            call.expiry = nil
            core.handler.note(.deadline)
            return answer(call, GRPCResponse(GRPCStatus(.deadlineExceeded, "the call took longer than it may")))
        }
        guard let deadline = call.deadline, now >= deadline else { return }
        call.deadline = now + core.configuration.transferTimeout
        if case .answered = call.stage {
            nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), call.id, NGHTTP2_CANCEL.rawValue)
        } else {
            core.handler.note(.deadline)
            answer(call, GRPCResponse(GRPCStatus(.deadlineExceeded, "the message took too long to arrive")))
        }
    }

    private func cut(_ reason: GRPCConnectionEnd) {
        if ending == nil { core.statistics.count(reason) }
        close()
    }

    /// Says that no more calls are taken; those that are under way are answered.
    func drain() {
        guard lingering == nil, !isClosed else { return }
        guard hasBegun else { return close() }
        if !isDraining {
            isDraining = true
            sayFarewell()
            nghttp2_submit_shutdown_notice(session)
        } else if !hasSaidGoodbye {
            hasSaidGoodbye = true
            let last = nghttp2_session_get_last_proc_stream_id(session)
            nghttp2_submit_goaway(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, NGHTTP2_NO_ERROR.rawValue, nil, 0)
        }
        flush()
    }
}
