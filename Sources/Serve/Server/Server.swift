internal import API
private import GRPC
private import Glibc
private import HTTP
private import JSON
internal import Observability
private import Sockets

/// Puts the server together, runs it until it is told to stop, and takes it apart again.
package enum Server {
    /// How long requests may go on once the server has been told to stop.
    private static let graceSeconds = 10
    /// Bytes of all bodies that are being received and handled at a time: of telemetry, and of queries.
    private static let bodyMemory = 1 << 30

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
        // Enough for one body of the largest size, as received and decompressed, whatever that is.
        let bodies = BodyMemory.Pool(limit: max(bodyMemory, 2 * configuration.maxBodySize))
        let descriptors = Tally.Limited(limit: OpenFiles.connections(beside: configuration.openParts))
        let grpc = configuration.listenGRPC.map { address in
            GRPCServer(
                configuration: grpcConfiguration(address, configuration, bodies, descriptors),
                handler: composition.otlpServices,
                statistics: composition.grpcStatistics, log: log)
        }
        let otlp = HTTPServer(
            configuration: otlpConfiguration(configuration, bodies, descriptors),
            handler: Router(composition.otlpRoutes, origins: configuration.otlpCORSOrigins),
            statistics: composition.otlpStatistics, log: log)
        let http = HTTPServer(
            configuration: queryConfiguration(configuration, descriptors),
            handler: Router(
                composition.queryRoutes,
                limits: QueryLimits(
                    timeout: .nanoseconds(configuration.queryTimeout), memory: configuration.queryMemory,
                    admission: composition.admission),
                origins: configuration.corsOrigins, log: log, pages: composition.pages),
            statistics: composition.queryStatistics, log: log)
        do throws(HTTPServerError) {
            try start(otlp, http, grpc)
        } catch {
            log.error("cannot start", ["reason": .string("\(error)")])
            composition.close()
            return 1
        }
        announce(otlp: otlp, http: http, grpc: grpc, log: log)
        let signal = signals.wait()
        log.info("stopping", ["signal": .string(signal)])
        let stopped = [
            grpc?.stop(graceSeconds: graceSeconds) ?? true, otlp.stop(graceSeconds: graceSeconds),
            http.stop(graceSeconds: graceSeconds),
        ]
        if stopped.contains(false) { log.warning("requests are still running; they are left behind") }
        composition.close()
        log.info("stopped")
        return 0
    }

    /// All or none.
    private static func start(
        _ otlp: HTTPServer, _ http: HTTPServer, _ grpc: GRPCServer?
    ) throws(HTTPServerError) {
        do throws(HTTPServerError) {
            try otlp.start()
            try http.start()
            try grpc?.start()
        } catch {
            otlp.stop(graceSeconds: 0)
            http.stop(graceSeconds: 0)
            throw error
        }
    }

    private static var processors: Int { max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) }

    /// Receiving costs a small part of what is done with a request of telemetry.
    private static var loops: Int { min(max(processors / 4, 1), 8) }

    private static func otlpConfiguration(
        _ configuration: Configuration, _ bodies: BodyMemory.Pool, _ descriptors: Tally.Limited
    ) -> HTTPServerConfiguration {
        let address = configuration.listenOTLP
        var otlp = HTTPServerConfiguration(host: address.host, port: address.port)
        otlp.connectionLimit = configuration.maxConnections
        otlp.descriptors = descriptors
        otlp.bodies = bodies
        otlp.countsSenders = true
        otlp.loops = loops
        otlp.threads = max(processors, 2)
        otlp.threadGrowth = 1
        otlp.mostThreads = 64
        return otlp
    }

    private static func queryConfiguration(
        _ configuration: Configuration, _ descriptors: Tally.Limited
    ) -> HTTPServerConfiguration {
        let address = configuration.listenHTTP
        var http = HTTPServerConfiguration(host: address.host, port: address.port)
        http.connectionLimit = configuration.maxConnections
        http.descriptors = descriptors
        http.bodies = BodyMemory.Pool(limit: bodyMemory)
        // Those that wait for their turn among the queries have a thread each, and leave some to what is no query.
        http.threads = 2 * max(processors, 4)
        return http
    }

    private static func grpcConfiguration(
        _ address: ListenAddress, _ configuration: Configuration, _ bodies: BodyMemory.Pool,
        _ descriptors: Tally.Limited
    ) -> GRPCServerConfiguration {
        var grpc = GRPCServerConfiguration(host: address.host, port: address.port)
        grpc.connectionLimit = configuration.maxConnections
        grpc.descriptors = descriptors
        grpc.bodies = bodies
        grpc.loops = loops
        grpc.threads = max(processors, 2)
        return grpc
    }

    /// One line on standard output, for whoever started the server and waits for it.
    private static func announce(otlp: HTTPServer, http: HTTPServer, grpc: GRPCServer?, log: Log) {
        func text(_ address: (host: String, port: UInt16)) -> String {
            ListenAddress(host: address.host, port: address.port).description
        }
        let addresses = (
            otlp: text(otlp.boundAddress), http: text(http.boundAddress), grpc: grpc.map { text($0.boundAddress) }
        )
        var line = JSONWriter()
        line.beginObject()
        line.key("event")
        line.string("ready")
        line.key("otlp")
        line.string(addresses.otlp)
        line.key("http")
        line.string(addresses.http)
        if let address = addresses.grpc {
            line.key("grpc")
            line.string(address)
        }
        line.endObject()
        line.newline()
        StandardStream.write(line.bytes, to: .output)
        log.info(
            "ready",
            [
                "version": .string(Version.current), "otlp": .string(addresses.otlp), "http": .string(addresses.http),
                "grpc": .string(addresses.grpc ?? "none"),
            ])
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

    /// How many connections there may be, so that what is left is enough for `parts` and what else is opened.
    static func connections(beside parts: Int) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return .max }
        let most = Int(clamping: limit.rlim_cur)
        return max(most - parts - 512, most / 4)
    }
}
