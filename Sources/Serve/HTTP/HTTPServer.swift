private import CLinux
private import CMicroHTTPD
private import Glibc
package import Observability

/// An HTTP/1.1 server over libmicrohttpd: a thread for each connection, since handlers block on the disk and on queries.
///
/// `start` once, `stop` once. The C library calls back on its own threads; what they share is in `ServerCore`.
package final class HTTPServer: @unchecked Sendable {
    private let configuration: HTTPServerConfiguration
    private let core: ServerCore
    private var daemon: OpaquePointer?
    private let callbacks = UnsafeMutablePointer<varve_http_callbacks>.allocate(capacity: 1)

    /// Where the server listens, once it has started.
    package private(set) var boundAddress: (host: String, port: UInt16)

    package init(configuration: HTTPServerConfiguration, handler: any HTTPHandler, log: Log = .silent) {
        self.configuration = configuration
        core = ServerCore(configuration: configuration, handler: handler, log: log)
        boundAddress = (configuration.host, configuration.port)
        callbacks.initialize(to: varve_http_callbacks())
    }

    deinit {
        // A server that was not stopped, or whose threads would not end, still calls back.
        guard daemon == nil else { return }
        callbacks.deallocate()
    }

    package func start() throws(HTTPServerError) {
        precondition(daemon == nil, "a server starts once")
        var options = varve_http_options(
            connection_limit: UInt32(clamping: configuration.connectionLimit),
            idle_timeout_seconds: UInt32(clamping: configuration.idleTimeoutSeconds),
            connection_memory: configuration.connectionMemory, thread_stack: configuration.threadStack)
        callbacks.pointee = ServerCore.callbacks(for: core)
        var port = configuration.port
        let listener = varve_listen(configuration.host, &port, 511)
        guard listener >= 0, let started = varve_http_start(listener, &options, callbacks) else {
            let reason = String(cString: strerror(errno))
            throw .cannotListen(host: configuration.host, port: configuration.port, reason: reason)
        }
        daemon = started
        boundAddress.port = port
        let watcher = core.watcher
        DetachedThread.start { watcher.run() }
    }

    /// Accepts no more connections, lets running requests end for `graceSeconds`, then cancels queries and gives them as long.
    ///
    /// - Returns: false if a handler would not end even then: its thread is left behind.
    @discardableResult
    package func stop(graceSeconds: Int) -> Bool {
        guard let daemon else { return true }
        core.beginStopping()
        varve_http_quiesce(daemon)
        var ended = core.waitUntilIdle(seconds: graceSeconds)
        if !ended {
            core.watcher.cancelAll()
            ended = core.waitUntilIdle(seconds: max(graceSeconds, 1))
        }
        core.watcher.stop()
        guard ended else { return false }
        MHD_stop_daemon(daemon)
        self.daemon = nil
        return true
    }
}

/// A thread that nobody waits for.
enum DetachedThread {
    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ run: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(run))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, work.toOpaque())
        precondition(code == 0, "the system has no thread left")
        pthread_detach(thread)
    }
}
