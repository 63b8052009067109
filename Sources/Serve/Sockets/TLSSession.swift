internal import CGnuTLS
private import CLinux
private import Glibc
private import Observability

/// TLS on one connection, by GnuTLS, over a socket that does not block. Used by one thread at a time.
final class TLSSession {
    enum Step {
        case done
        case wantsToRead
        case wantsToWrite
        case failed
    }

    private let session: gnutls_session_t
    private let port: TLSPort
    /// Of this session, whatever is read later.
    private let credentials: TLSCredentials
    private(set) var isOpen = false

    init?(_ port: TLSPort, _ socket: Int32) {
        self.port = port
        credentials = port.identity.credentials
        var session: gnutls_session_t?
        let needsClient: Int32 = port.identity.needsClientCertificate ? 1 : 0
        guard varve_tls_begin(&session, credentials.pointer, needsClient, port.name, socket) == 0, let session else {
            return nil
        }
        self.session = session
    }

    deinit { gnutls_deinit(session) }

    func handshake() -> Step {
        var code: Int32 = 0
        switch UInt32(bitPattern: varve_tls_handshake(session, &code)) {
        case VARVE_TLS_DONE.rawValue:
            isOpen = true
            port.handshakes.add()
            return .done
        case VARVE_TLS_WANTS_READ.rawValue: return .wantsToRead
        case VARVE_TLS_WANTS_WRITE.rawValue: return .wantsToWrite
        case VARVE_TLS_LEFT.rawValue: port.count(.left)
        case VARVE_TLS_NO_CERTIFICATE.rawValue: port.count(.certificate)
        default: port.count(.handshake)
        }
        return .failed
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Link.Reception {
        let count = varve_tls_receive(session, buffer.baseAddress, buffer.count)
        // A record at a time: whether the socket has more is not known.
        if count > 0 { return .bytes(count, isAll: false) }
        switch Int32(count) {
        case 0: return .end
        case GNUTLS_E_AGAIN: return .nothing
        case GNUTLS_E_REHANDSHAKE:
            port.count(.renegotiation)
            gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION)
        case GNUTLS_E_PULL_ERROR, GNUTLS_E_FATAL_ALERT_RECEIVED: break
        default:
            port.count(.record)
            gnutls_alert_send_appropriate(session, Int32(count))
        }
        return .broken
    }

    /// - Returns: how many bytes were taken; 0 if none can be now, and nil if none ever will.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = varve_tls_send(session, bytes.baseAddress, bytes.count)
        if count > 0 { return count }
        return count == 0 || Int32(count) == GNUTLS_E_AGAIN ? 0 : nil
    }

    /// Says that nothing more will be sent.
    func finishSending() {
        if isOpen { gnutls_bye(session, GNUTLS_SHUT_WR) }
    }
}

extension TLSPort {
    /// Handshakes begin with this byte; what begins with another is no TLS.
    private static let handshakeByte: UInt8 = 22

    /// Whether the other side speaks something else, which it is told then if it may understand it.
    func isPlaintext(_ socket: Int32) -> Bool {
        var first: UInt8 = 0
        guard recv(socket, &first, 1, Int32(MSG_PEEK)) == 1, first != Self.handshakeByte else { return false }
        count(.plaintext)
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else { return true }
        let text = "this port speaks TLS\n"
        let reply = """
            HTTP/1.1 400 Bad Request\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(text.utf8.count)\r
            Connection: close\r
            \r
            \(text)
            """
        // What is not read would make the system throw away the reply.
        var rest = [UInt8](repeating: 0, count: 64 << 10)
        _ = recv(socket, &rest, rest.count, 0)
        _ = Array(reply.utf8).withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        return true
    }
}
