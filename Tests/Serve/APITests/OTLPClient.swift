import API
import HTTP
import Ingest
import Limits
import OTLP
import Synchronization

/// Keeps what it is given, and answers as it is told.
final class FakeReceiver: OTLPReceiver {
    typealias Received = (request: LoggedRequest, protobuf: [UInt8])

    private let received = Mutex<[Received]>([])
    private let answer: Result<DecodeOutcome, OTLPRefusal>

    init(_ answer: Result<DecodeOutcome, OTLPRefusal> = .success(DecodeOutcome())) { self.answer = answer }

    var all: [Received] { received.withLock { $0 } }

    func receive(
        _ request: LoggedRequest, protobuf: [UInt8], settled: @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void
    ) {
        received.withLock { $0.append((request, protobuf)) }
        settled(answer)
    }
}

/// The OTLP routes before a fake receiver.
struct OTLPClient {
    static let now: Int64 = 1_700_000_000_000_000_001

    let receiver: FakeReceiver
    private let router: Router

    init(
        _ answer: Result<DecodeOutcome, OTLPRefusal> = .success(DecodeOutcome()), bodyLimit: Int = 1 << 20,
        limiter: Limiter? = nil
    ) {
        let receiver = FakeReceiver(answer)
        self.receiver = receiver
        let intake = OTLPIntake(receiver, by: .http, bodyLimit: bodyLimit, limiter: limiter, now: { Self.now })
        router = Router([OTLPRoutes(intake).routes])
    }

    static func request(
        _ path: String, type: String?, coding: String? = nil, tenant: String? = nil, method: HTTPMethod = .post,
        _ body: [UInt8]
    ) -> HTTPRequest {
        let headers = [("Content-Type", type), ("Content-Encoding", coding), ("X-Scope-OrgID", tenant)]
        return HTTPRequest(
            method: method, path: path, segments: PercentCoding.segments(ofPath: path.utf8), parameters: [],
            headers: headers.compactMap { name, value in value.map { (name: name, value: $0) } }, body: body)
    }

    func send(_ request: HTTPRequest) -> HTTPResponse { router.respond(to: request, connection: .none) }

    func post(
        _ path: String = "/v1/traces", type: String? = "application/x-protobuf", coding: String? = nil,
        tenant: String? = nil, _ body: [UInt8] = []
    ) -> HTTPResponse {
        send(Self.request(path, type: type, coding: coding, tenant: tenant, body))
    }

    func post(json: String, _ path: String = "/v1/traces") -> HTTPResponse {
        post(path, type: "application/json", Array(json.utf8))
    }
}

extension HTTPResponse {
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
