internal import GRPC
internal import HTTP
internal import Observability

/// What the servers of the ports say of their connections.
extension Composition {
    static func register(_ grpc: GRPCStatistics, in metrics: MetricsRegistry) {
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

    static func register(_ http: HTTPStatistics, of port: String, in metrics: MetricsRegistry) {
        metrics.computed("varve_http_connections", help: "Connections over HTTP/1.1.", labels: ["port": port]) {
            Double(http.connections.value)
        }
        for reason in HTTPConnectionEnd.allCases {
            metrics.computed(
                "varve_http_connections_ended_total",
                help: "Connections that the server ended or refused, and requests that no handler was asked about.",
                labels: ["port": port, "reason": reason.rawValue], monotonic: true
            ) { Double(http.ended(reason)) }
        }
    }
}
