internal import CGnuTLS
private import Glibc
package import Observability
private import Synchronization

/// What a server shows of itself over TLS, and whom it lets in: read from files, and again when those have changed.
package final class TLSIdentity: Sendable {
    /// Files in PEM.
    package struct Files: Hashable, Sendable {
        /// The server's certificate, and those between it and one that clients know.
        package var certificate: String
        package var key: String
        /// Of those who sign clients' certificates, which are required then.
        package var clientCA: String?

        package init(certificate: String, key: String, clientCA: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientCA = clientCA
        }
    }

    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    private struct State {
        var credentials: TLSCredentials
        /// Of the files when they were read last, whatever came of it.
        fileprivate var stamps: [FileStamp?]
    }

    private let files: Files
    private let log: Log
    private let state: Mutex<State>

    package init(_ files: Files, log: Log) throws(Failure) {
        self.files = files
        self.log = log
        let stamps = Self.stamps(files)
        state = Mutex(State(credentials: try TLSCredentials(files), stamps: stamps))
    }

    var needsClientCertificate: Bool { files.clientCA != nil }

    /// What a new connection is served with.
    var credentials: TLSCredentials { state.withLock { $0.credentials } }

    /// When the certificate expires, in seconds since the epoch.
    package var expiry: Int { credentials.expiry }

    /// Reads the files if they have changed. What is wrong with them is logged, and those from before are kept.
    ///
    /// - Parameter isForced: whether they are read in any case.
    package func refresh(isForced: Bool = false) {
        let stamps = Self.stamps(files)
        guard isForced || state.withLock({ $0.stamps != stamps }) else { return }
        do throws(Failure) {
            let credentials = try TLSCredentials(files)
            state.withLock { $0 = State(credentials: credentials, stamps: stamps) }
            log.info("the certificate was read again", ["expires": .int(credentials.expiry)])
        } catch {
            state.withLock { $0.stamps = stamps }
            log.warning(
                "the certificate cannot be read again; the one from before is kept",
                ["reason": .string(error.description)])
        }
    }

    private static func stamps(_ files: Files) -> [FileStamp?] {
        [files.certificate, files.key, files.clientCA].map { $0.flatMap(FileStamp.init) }
    }
}

/// By which a file is known to be another one, or written again.
private struct FileStamp: Hashable {
    var device: UInt
    var inode: UInt
    var size: Int
    var seconds: Int
    var nanoseconds: Int

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}

/// GnuTLS's own form of an identity; sessions share it, and it lives as long as they.
final class TLSCredentials: @unchecked Sendable {
    let pointer: gnutls_certificate_credentials_t
    let expiry: Int

    init(_ files: TLSIdentity.Files) throws(TLSIdentity.Failure) {
        for path in [files.certificate, files.key, files.clientCA].compactMap(\.self) where access(path, R_OK) != 0 {
            throw TLSIdentity.Failure(description: "\(path): \(String(cString: strerror(errno)))")
        }
        var pointer: gnutls_certificate_credentials_t?
        let code = varve_tls_load(&pointer, files.certificate, files.key, files.clientCA)
        guard code == 0, let pointer else {
            let reason = String(cString: gnutls_strerror(code))
            let names = [files.certificate, files.key, files.clientCA].compactMap(\.self).joined(separator: ", ")
            throw TLSIdentity.Failure(description: "\(names): \(reason)")
        }
        self.pointer = pointer
        expiry = varve_tls_expiry(pointer)
    }

    deinit { gnutls_certificate_free_credentials(pointer) }
}

/// Why a connection over TLS was ended.
package enum TLSFailure: String, CaseIterable, Sendable {
    /// It does not speak TLS.
    case plaintext
    /// No version, cipher or protocol in common; or what is no handshake.
    case handshake
    /// The client has no certificate, or none that is known.
    case certificate
    /// The client left within the handshake.
    case left
    /// The handshake took too long.
    case slow
    /// The client wanted another handshake.
    case renegotiation
    /// Records that cannot be read.
    case record
}

/// TLS on one port.
package final class TLSPort: Sendable {
    package let identity: TLSIdentity
    /// By which the protocol is known in a handshake (RFC 7301).
    let name: String
    package let handshakes = Counter()
    private let failures = TLSFailure.allCases.map { _ in Counter() }

    package init(_ identity: TLSIdentity, protocolName: String) {
        self.identity = identity
        name = protocolName
    }

    package func failures(_ reason: TLSFailure) -> Int {
        zip(TLSFailure.allCases, failures).first { $0.0 == reason }?.1.value ?? 0
    }

    func count(_ reason: TLSFailure) {
        for (known, counter) in zip(TLSFailure.allCases, failures) where known == reason { counter.add() }
    }
}
