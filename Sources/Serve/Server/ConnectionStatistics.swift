internal import GRPC
internal import HTTP
internal import Observability
internal import Sockets

/// What the servers of the ports count of their connections.
struct ConnectionStatistics {
    let grpc = GRPCStatistics()
    let otlp = HTTPStatistics()
    let queries = HTTPStatistics()
    let admin = HTTPStatistics()

    func register(in metrics: MetricsRegistry, hasAdmin: Bool) {
        Self.register(grpc, in: metrics)
        Self.register(otlp, of: "otlp", in: metrics)
        Self.register(queries, of: "query", in: metrics)
        if hasAdmin { Self.register(admin, of: "admin", in: metrics) }
    }

    private static func register(_ grpc: GRPCStatistics, in metrics: MetricsRegistry) {
        metrics.computed("varve_grpc_connections", help: "Connections of OTLP over gRPC.") {
            Double(grpc.connections.value)
        }
        for reason in GRPCConnectionEnd.allCases {
            metrics.computed(
                "varve_grpc_connections_ended_total", help: "Connections that the server ended or refused.",
                labels: ["reason": reason.rawValue], monotonic: true
            ) { Double(grpc.ended(reason)) }
        }
    }

    static func register(_ tls: TLSPort, of port: String, in metrics: MetricsRegistry) {
        metrics.computed(
            "varve_tls_handshakes_total", help: "Connections over TLS that were opened.", labels: ["port": port],
            monotonic: true
        ) { Double(tls.handshakes.value) }
        for reason in TLSFailure.allCases {
            metrics.computed(
                "varve_tls_failures_total", help: "Connections over TLS that were ended.",
                labels: ["port": port, "reason": reason.rawValue], monotonic: true
            ) { Double(tls.failures(reason)) }
        }
    }

    static func register(_ identity: TLSIdentity, in metrics: MetricsRegistry) {
        metrics.computed(
            "varve_tls_certificate_expiry_seconds", help: "When the certificate expires, in seconds since the epoch."
        ) { Double(identity.expiry) }
    }

    private static func register(_ http: HTTPStatistics, of port: String, in metrics: MetricsRegistry) {
        metrics.computed("varve_http_connections", help: "Connections over HTTP/1.1.", labels: ["port": port]) {
            Double(http.connections.value)
        }
        for reason in HTTPConnectionEnd.allCases {
            metrics.computed(
                "varve_http_connections_ended_total", help: "Connections that the server ended or refused.",
                labels: ["port": port, "reason": reason.rawValue], monotonic: true
            ) { Double(http.ended(reason)) }
        }
        for reason in HTTPRefusal.allCases {
            metrics.computed(
                "varve_http_refused_total", help: "Requests that were answered without asking their handler.",
                labels: ["port": port, "reason": reason.rawValue], monotonic: true
            ) { Double(http.refused(reason)) }
        }
    }
}
