internal import Authorization
internal import Compression
internal import HTTP
internal import Ingest
internal import OTLP

/// OTLP over HTTP (rules O-1 to O-10): `/v1/traces`, `/v1/logs`, `/v1/metrics`.
package struct OTLPRoutes: Sendable {
    private let intake: OTLPIntake

    package init(_ intake: OTLPIntake) { self.intake = intake }

    /// What exporters that were set up for Loki or Prometheus put before OTLP's own paths.
    private static let prefixes = ["", "/otlp", "/api/v1/otlp"]

    /// Requests are never cancelled: what is on its way to the disk arrives there.
    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: Self.prefixes.map { $0 + "/v1" })
        let signals: [(path: String, signal: LoggedRequest.Signal)] = [
            ("/v1/traces", .traces), ("/v1/logs", .logs), ("/v1/metrics", .metrics),
        ]
        for prefix in Self.prefixes {
            for (path, signal) in signals {
                routes.addDeferred(
                    [.post], prefix + path, bodyLimit: intake.bodyLimit, access: .needs(.ingest, signal.granted)
                ) { request, reply in
                    respond(to: request, signal, reply: reply)
                }
            }
        }
        return routes
    }

    /// Errors are in the encoding of the request (rule O-6), JSON if that is none.
    private static let dialect = Dialect("OTLP") { status, message, request in
        OTLPResponse.failure(status, message, format: format(request) ?? .json)
    }

    private func respond(
        to request: APIRequest, _ signal: LoggedRequest.Signal, reply: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        guard let format = Self.format(request.http) else {
            intake.note(.mediaType)
            return reply(
                OTLPResponse.failure(
                    415, "Content-Type must be application/x-protobuf or application/json", format: .json))
        }
        guard let coding = ContentCoding(request.http.contentCoding) else {
            intake.note(.coding)
            let error = HTTPBodyError.unsupportedEncoding(request.http.contentCoding)
            return reply(OTLPResponse.failure(error.status, error.message, format: format))
        }
        let arrival = OTLPIntake.Arrival(
            signal: signal, format: format, coding: coding, tenant: request.tenant, key: request.key,
            body: request.http.body, memory: request.http.memory)
        intake.take(arrival) { result in
            switch result {
            case .success(let outcome): reply(OTLPResponse.success(outcome, signal: signal, format: format))
            case .failure(let refusal): reply(OTLPResponse.failure(refusal, format: format))
            }
        }
    }

    private static func format(_ request: HTTPRequest) -> LoggedRequest.Format? {
        switch request.mediaType {
        case "application/x-protobuf", "application/protobuf": .protobuf
        case "application/json": .json
        default: nil
        }
    }
}
