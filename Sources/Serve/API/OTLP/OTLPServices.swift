package import Authorization
internal import Compression
internal import Core
package import GRPC
package import HTTP
internal import Ingest
internal import Limits
internal import OTLP
internal import Telemetry

/// OTLP over gRPC (rules O-30 to O-33): `Export` of the three services, and gRPC's health checks.
package struct OTLPServices: GRPCHandler {
    private static let methods: [String: LoggedRequest.Signal] = [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export": .traces,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export": .logs,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": .metrics,
    ]
    private static let health = "/grpc.health.v1.Health/Check"
    private static let healthWatch = "/grpc.health.v1.Health/Watch"
    /// Of a health check: the name of a service.
    private static let healthLimit = 4 << 10

    private let intake: OTLPIntake
    /// Nil: everybody may send.
    private let authorizer: Authorizer?

    package init(_ intake: OTLPIntake, authorizer: Authorizer? = nil) {
        self.intake = intake
        self.authorizer = authorizer
    }

    package func admit(_ head: GRPCHead) throws(GRPCStatus) -> (messageLimit: Int, caller: (any RequestCaller)?) {
        if head.path == Self.health || head.path == Self.healthWatch { return (Self.healthLimit, nil) }
        guard let signal = Self.methods[head.path] else {
            intake.note(.unknownMethod)
            throw GRPCStatus(.unimplemented, "unknown method \(head.path.prefix(200))")
        }
        return (intake.bodyLimit, try caller(of: head, signal))
    }

    private func caller(of head: GRPCHead, _ signal: LoggedRequest.Signal) throws(GRPCStatus) -> Caller {
        let sent = head.value(TenantID.header)
        let tenant = TenantID(sent: sent)
        var caller = Caller(tenant: tenant)
        if let authorizer {
            do throws(Denial) {
                let admitted = try authorizer.authorize(
                    Credential { name in head.metadata.filter { $0.name == name }.map(\.value) },
                    Authorizer.Access(.ingest, signal.granted), tenant: sent?.isEmpty == false ? tenant : nil)
                caller = Caller(tenant: admitted.tenant, key: admitted.key)
            } catch {
                intake.note(.denied)
                throw GRPCStatus(error.isForbidden ? .permissionDenied : .unauthenticated, error.message)
            }
        }
        guard tenant != nil else {
            intake.note(.tenant)
            throw GRPCStatus(.invalidArgument, TenantID.refusal)
        }
        return caller
    }

    package func respond(to request: GRPCRequest, reply: @escaping @Sendable (GRPCResponse) -> Void) {
        guard let signal = Self.methods[request.head.path] else { return reply(Self.checkHealth(request)) }
        guard let caller = request.caller as? Caller, let tenant = caller.tenant else {
            return reply(GRPCResponse(GRPCStatus(.internalError, "the call was not admitted")))
        }
        let arrival = OTLPIntake.Arrival(
            signal: signal, coding: request.coding, tenant: tenant, key: caller.key, body: request.message,
            memory: request.memory)
        intake.take(arrival) { result in
            switch result {
            case .success(let outcome): reply(GRPCResponse(OTLPResponse.message(outcome)))
            case .failure(let refusal): reply(GRPCResponse(GRPCStatus(refusal)))
            }
        }
    }

    package func note(_ refusal: GRPCRefusal) {
        switch refusal {
        case .mediaType: intake.note(.mediaType)
        case .metadata: intake.note(.metadata)
        case .framing: intake.note(.framing)
        case .body(let error): intake.note(OTLPRefusal.body(error).reason)
        case .deadline: intake.note(.deadline)
        }
    }

    /// `HealthCheckRequest { 1: service }` and `HealthCheckResponse { 1: status }`; a server that can be asked serves (1) until it stops:
    /// who watches is told that it does not (2). Of a service that there is not, it is told so (3).
    private static func checkHealth(_ request: GRPCRequest) -> GRPCResponse {
        guard request.coding == .identity, let service = service(request.message) else {
            return GRPCResponse(GRPCStatus(.invalidArgument, "the message is no HealthCheckRequest"))
        }
        let known = methods.keys.contains { $0.dropFirst().prefix { $0 != "/" } == service }
        if request.head.path == healthWatch {
            let isKnown = service.isEmpty || known
            return GRPCResponse([1 << 3, isKnown ? 1 : 3], farewell: [1 << 3, isKnown ? 2 : 3])
        }
        guard service.isEmpty || known else {
            return GRPCResponse(GRPCStatus(.notFound, "unknown service \(service.prefix(200))"))
        }
        return GRPCResponse([1 << 3, 1])
    }

    private static func service(_ message: [UInt8]) -> String? {
        unsafe message.withUnsafeBytes { bytes in
            var reader = unsafe ProtobufReader(ProtobufSlice(bytes))
            var service = ""
            do throws(ProtobufError) {
                while !reader.isAtEnd {
                    let tag = try reader.tag()
                    if tag == 1 << 3 | 2 { service = try reader.bytes().string } else { try reader.skip(tag) }
                }
            } catch {
                return nil
            }
            return service
        }
    }
}

extension GRPCStatus {
    init(_ refusal: OTLPRefusal) {
        switch refusal {
        case .malformed: self.init(.invalidArgument, refusal.message)
        case .body(let error): self.init(error)
        case .unavailable: self.init(.unavailable, refusal.message, retryAfter: refusal.retryAfter)
        case .throttled, .limited: self.init(.resourceExhausted, refusal.message, retryAfter: refusal.retryAfter)
        case .readOnly: self.init(.permissionDenied, refusal.message)
        }
    }
}

extension LoggedRequest.Signal {
    /// As a key allows it.
    var granted: Grant.Signals {
        switch self {
        case .traces: .traces
        case .logs: .logs
        case .metrics: .metrics
        }
    }
}
