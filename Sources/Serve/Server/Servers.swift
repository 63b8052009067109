private import API
private import GRPC
private import Glibc
internal import HTTP
private import JSON
internal import Observability
internal import Sockets

/// The servers of all ports.
struct Servers {
    private enum Server {
        case http(HTTPServer)
        case grpc(GRPCServer)
    }

    /// By the names that the line has for them.
    private let servers: [(name: String, server: Server)]
    /// Nil: no port has TLS.
    let identity: TLSIdentity?

    /// What the ports have in common.
    private struct Ports {
        var configuration: Configuration
        var metrics: MetricsRegistry
        var identity: TLSIdentity?
        var descriptors: Tally.Limited

        func tls(_ name: String, speaking protocolName: String) -> TLSPort? {
            guard let identity else { return nil }
            let port = TLSPort(identity, protocolName: protocolName)
            ConnectionStatistics.register(port, of: name, in: metrics)
            return port
        }

        func http(_ name: String, _ address: ListenAddress, _ bodies: BodyMemory.Pool) -> HTTPServerConfiguration {
            var http = HTTPServerConfiguration(host: address.host, port: address.port)
            http.connectionLimit = configuration.maxConnections
            http.descriptors = descriptors
            http.bodies = bodies
            http.tls = tls(name, speaking: "http/1.1")
            return http
        }

        func grpc(_ address: ListenAddress, _ bodies: BodyMemory.Pool) -> GRPCServerConfiguration {
            var grpc = GRPCServerConfiguration(host: address.host, port: address.port)
            grpc.connectionLimit = configuration.maxConnections
            grpc.descriptors = descriptors
            grpc.bodies = bodies
            grpc.tls = tls("grpc", speaking: "h2")
            grpc.loops = Servers.loops
            grpc.threads = max(Servers.processors, 2)
            return grpc
        }
    }

    init(_ configuration: Configuration, _ composition: Composition, log: Log) throws(TLSIdentity.Failure) {
        let identity = try Self.identity(configuration, log)
        self.identity = identity
        if let identity { ConnectionStatistics.register(identity, in: composition.metrics) }
        let ports = Ports(
            configuration: configuration, metrics: composition.metrics, identity: identity,
            descriptors: Tally.Limited(limit: OpenFiles.connections(beside: configuration.openParts)))
        let (bodies, otherBodies) = (composition.memory.bodies, composition.memory.otherBodies)

        var otlp = ports.http("otlp", configuration.listenOTLP, bodies)
        otlp.countsSenders = true
        otlp.loops = Self.loops
        otlp.threads = max(Self.processors, 2)
        otlp.threadGrowth = 1
        otlp.mostThreads = 64
        let otlpRouter = Router(
            composition.otlpRoutes, origins: configuration.otlpCORSOrigins, authorizer: composition.access.authorizer,
            statistics: composition.connections.otlp)
        var queries = ports.http("query", configuration.listenHTTP, otherBodies)
        // Those that wait for their turn among the queries have a thread each, and leave some to what is no query.
        queries.threads = 2 * max(Self.processors, 4)
        let queryRouter = Self.queryRouter(configuration, composition, log)

        func server(_ http: HTTPServerConfiguration, _ router: Router, _ statistics: HTTPStatistics) -> Server {
            .http(HTTPServer(configuration: http, handler: router, statistics: statistics, log: log))
        }
        var servers = [
            (name: "otlp", server: server(otlp, otlpRouter, composition.connections.otlp)),
            (name: "http", server: server(queries, queryRouter, composition.connections.queries)),
        ]
        if let address = configuration.listenAdmin {
            let adminRouter = Router(
                composition.adminRoutes, authorizer: composition.access.authorizer,
                statistics: composition.connections.admin)
            let admin = ports.http("admin", address, otherBodies)
            servers.append(("admin", server(admin, adminRouter, composition.connections.admin)))
        }
        if let address = configuration.listenGRPC {
            let grpc = GRPCServer(
                configuration: ports.grpc(address, bodies), handler: composition.otlpServices,
                statistics: composition.connections.grpc, log: log)
            servers.append(("grpc", .grpc(grpc)))
        }
        self.servers = servers
    }

    private static func identity(_ configuration: Configuration, _ log: Log) throws(TLSIdentity.Failure) -> TLSIdentity?
    {
        guard let certificate = configuration.tlsCertificate, let key = configuration.tlsKey else { return nil }
        return try TLSIdentity(
            TLSIdentity.Files(certificate: certificate, key: key, clientCA: configuration.tlsClientCA), log: log)
    }

    private static func queryRouter(_ configuration: Configuration, _ composition: Composition, _ log: Log) -> Router {
        Router(
            composition.queryRoutes,
            limits: QueryLimits(
                timeout: .nanoseconds(configuration.queryTimeout),
                memory: min(configuration.queryMemory, composition.memory.queries),
                admission: composition.admission, limiter: composition.access.limiter),
            origins: configuration.corsOrigins, log: log, authorizer: composition.access.authorizer,
            statistics: composition.connections.queries,
            pages: composition.pages)
    }

    private static var processors: Int { max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) }

    /// Receiving costs a small part of what is done with a request of telemetry.
    private static var loops: Int { min(max(processors / 4, 1), 8) }

    /// All or none.
    func start() throws(HTTPServerError) {
        do throws(HTTPServerError) {
            for (_, server) in servers {
                switch server {
                case .http(let server): try server.start()
                case .grpc(let server): try server.start()
                }
            }
        } catch {
            _ = stop(graceSeconds: 0)
            throw error
        }
    }

    /// Ends telemetry before queries.
    ///
    /// - Returns: false if requests are left behind.
    func stop(graceSeconds: Int) -> Bool {
        let order = ["grpc", "otlp", "http", "admin"]
        let sorted = servers.sorted { order.firstIndex(of: $0.name) ?? 0 < order.firstIndex(of: $1.name) ?? 0 }
        let stopped = sorted.map { _, server in
            switch server {
            case .http(let server): server.stop(graceSeconds: graceSeconds)
            case .grpc(let server): server.stop(graceSeconds: graceSeconds)
            }
        }
        return !stopped.contains(false)
    }

    /// One line on standard output, for whoever started the server and waits for it.
    func announce(_ log: Log) {
        let addresses = servers.map { name, server in
            let bound =
                switch server {
                case .http(let server): server.boundAddress
                case .grpc(let server): server.boundAddress
                }
            return (name, ListenAddress(host: bound.host, port: bound.port).description)
        }
        var line = JSONWriter()
        line.beginObject()
        line.key("event")
        line.string("ready")
        for (name, address) in addresses {
            line.key(name)
            line.string(address)
        }
        line.endObject()
        line.newline()
        StandardStream.write(line.bytes, to: .output)
        func address(_ name: String) -> Log.Value { .string(addresses.first { $0.0 == name }?.1 ?? "none") }
        log.info(
            "ready",
            [
                "version": .string(Version.current), "otlp": address("otlp"), "http": address("http"),
                "grpc": address("grpc"), "admin": address("admin"), "tls": .bool(identity != nil),
            ])
    }
}
