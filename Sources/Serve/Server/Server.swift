internal import API
private import Glibc
private import HTTP
private import JSON
internal import Observability

/// Puts the server together, runs it until it is told to stop, and takes it apart again.
package enum Server {
    /// How long requests may go on once the server has been told to stop.
    private static let graceSeconds = 10

    /// - Returns: the process's exit status.
    package static func run(_ configuration: Configuration, warnings: [String] = []) -> Int32 {
        let signals = TerminationSignals()
        let log = JSONLog.standardError(level: configuration.logLevel)
        for warning in warnings { log.warning(warning) }
        OpenFiles.raiseLimit()

        let composition: Composition
        do throws(EngineError) {
            composition = try Composition(configuration, log: log)
        } catch {
            log.error("cannot start", ["reason": .string(error.description)])
            return 1
        }
        let otlp = HTTPServer(
            configuration: httpConfiguration(configuration.listenOTLP, configuration),
            handler: Router(composition.otlpRoutes, origins: configuration.otlpCORSOrigins), log: log)
        let http = HTTPServer(
            configuration: httpConfiguration(configuration.listenHTTP, configuration),
            handler: Router(
                composition.queryRoutes,
                limits: QueryLimits(
                    timeout: .nanoseconds(configuration.queryTimeout), memory: configuration.queryMemory,
                    admission: composition.admission),
                origins: configuration.corsOrigins, log: log, pages: composition.pages),
            log: log)
        do throws(HTTPServerError) {
            try otlp.start()
            do throws(HTTPServerError) {
                try http.start()
            } catch {
                otlp.stop(graceSeconds: 0)
                throw error
            }
        } catch {
            log.error("cannot start", ["reason": .string("\(error)")])
            composition.close()
            return 1
        }
        announce(otlp: otlp, http: http, log: log)
        let signal = signals.wait()
        log.info("stopping", ["signal": .string(signal)])
        let stopped = [otlp, http].map { $0.stop(graceSeconds: graceSeconds) }
        if stopped.contains(false) { log.warning("requests are still running; they are left behind") }
        composition.close()
        log.info("stopped")
        return 0
    }

    private static func httpConfiguration(
        _ address: ListenAddress, _ configuration: Configuration
    ) -> HTTPServerConfiguration {
        var http = HTTPServerConfiguration(host: address.host, port: address.port)
        http.connectionLimit = configuration.maxConnections
        // Enough for one body of the largest size, as received and decompressed, whatever that is.
        http.bodyMemory = max(http.bodyMemory, 2 * configuration.maxBodySize)
        return http
    }

    /// One line on standard output, for whoever started the server and waits for it.
    private static func announce(otlp: HTTPServer, http: HTTPServer, log: Log) {
        func text(_ server: HTTPServer) -> String {
            ListenAddress(host: server.boundAddress.host, port: server.boundAddress.port).description
        }
        var line = JSONWriter()
        line.beginObject()
        line.key("event")
        line.string("ready")
        line.key("otlp")
        line.string(text(otlp))
        line.key("http")
        line.string(text(http))
        line.endObject()
        line.newline()
        StandardStream.write(line.bytes, to: .output)
        log.info(
            "ready", ["version": .string(Version.current), "otlp": .string(text(otlp)), "http": .string(text(http))])
    }
}

/// SIGTERM and SIGINT, kept from all threads that are started later, and taken by the one that waits.
struct TerminationSignals {
    private var set = sigset_t()

    init() {
        signal(SIGPIPE, SIG_IGN)
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGTERM)
        unsafe sigaddset(&set, SIGINT)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for the first; the second ends the process at once.
    func wait() -> String {
        var set = set
        var number: Int32 = 0
        while unsafe sigwait(&set, &number) != 0 {}
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        return number == SIGINT ? "SIGINT" : "SIGTERM"
    }
}

/// Connections and parts are files; the usual soft limit of 1024 is too few for both.
enum OpenFiles {
    static func raiseLimit() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        unsafe setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}
