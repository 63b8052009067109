import API
import Compression
import Core
import GRPC
import HTTP
import Ingest
import OTLP
import Observability
import Scheduling
import Testing

/// OTLP over gRPC behind its transport: what is admitted, handed on, and answered (rules O-30 to O-33).
struct OTLPServicesTests {
    private static let export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

    private struct Client {
        let receiver: FakeReceiver
        let metrics = MetricsRegistry()
        let services: OTLPServices

        init(_ answer: Result<DecodeOutcome, OTLPRefusal> = .success(DecodeOutcome())) {
            receiver = FakeReceiver(answer)
            services = OTLPServices(
                OTLPIntake(receiver, by: .grpc, bodyLimit: 1000, metrics: metrics, now: { OTLPClient.now }))
        }

        func call(
            _ path: String = OTLPServicesTests.export, _ message: [UInt8] = [], coding: ContentCoding = .identity,
            metadata: [(String, String)] = []
        ) -> GRPCResponse {
            let head = GRPCHead(path: path, metadata: metadata.map { (name: $0.0, value: $0.1) })
            var request = GRPCRequest(head: head, message: message, coding: coding)
            do throws(GRPCStatus) { request.caller = try services.admit(head).caller } catch {
                return GRPCResponse(error)
            }
            let answer = Monitor<GRPCResponse?>(nil)
            services.respond(to: request) { response in
                answer.notifying { $0 = response }
            }
            return answer.withLock { $0 } ?? GRPCResponse(GRPCStatus(.internalError, "no answer"))
        }

        func refused(_ reason: OTLPRefusalReason) -> Int {
            let family = metrics.families.first { $0.name == "varve_ingest_refused_total" }
            let member = family?.members.first {
                $0.labels.contains { $0.name == "reason" && $0.value == reason.rawValue }
            }
            guard case .counter(let counter)? = member?.instrument else { return -1 }
            return counter.value
        }
    }

    @Test(
        arguments: [
            ("trace.v1.TraceService", .traces), ("logs.v1.LogsService", .logs), ("metrics.v1.MetricsService", .metrics),
        ] as [(String, LoggedRequest.Signal)])
    func `a service says the signal, and the message is handed on as it came (O-30)`(
        service: String, signal: LoggedRequest.Signal
    ) throws {
        let client = Client()
        let body: [UInt8] = [0x12, 0x01, 0x07]
        let packed = Gzip.compress(body, level: 1)
        let path = "/opentelemetry.proto.collector.\(service)/Export"
        #expect(client.call(path, packed, coding: .gzip, metadata: [("x-scope-orgid", "acme")]) == GRPCResponse([]))
        let received = try #require(client.receiver.all.first)
        #expect(received.request.signal == signal && received.request.tenant.name == "acme")
        #expect(received.request.coding == .gzip && received.request.body == packed)
        #expect(received.request.received == OTLPClient.now && received.protobuf == body)
        #expect(client.call("/opentelemetry.proto.collector.\(service)/Other").status.code == .unimplemented)
    }

    @Test(
        arguments: [
            (.malformed("bad"), .invalidArgument, nil, .malformed),
            (.unavailable("full"), .unavailable, 1, .unavailable),
            (.throttled("slow"), .resourceExhausted, 1, .throttled), (.readOnly, .permissionDenied, nil, .readOnly),
            (.body(.overloaded), .unavailable, 1, .overloaded),
            (.body(.tooLarge(limit: 1)), .resourceExhausted, nil, .tooLarge),
            (.body(.malformed(encoding: "gzip")), .invalidArgument, nil, .malformed),
            (.body(.unsupportedEncoding("zstd")), .unimplemented, nil, .coding),
        ] as [(OTLPRefusal, GRPCCode, Int?, OTLPRefusalReason)])
    func `the code and RetryInfo say whether to come again, as the status does over HTTP (O-6, O-31)`(
        refusal: OTLPRefusal, code: GRPCCode, retryAfter: Int?, reason: OTLPRefusalReason
    ) {
        let client = Client(.failure(refusal))
        let status = client.call().status
        #expect(status.code == code && status.retryAfter == retryAfter && !status.message.isEmpty)
        #expect(client.refused(reason) == 1)
        let http = OTLPClient(.failure(refusal)).post()
        #expect((http.header("Retry-After") != nil) == (retryAfter != nil))
        #expect((http.status == 503 || http.status == 429) == (retryAfter != nil))
    }

    @Test func `what was rejected is told in the answer (O-33)`() {
        var outcome = DecodeOutcome()
        (outcome.rejected, outcome.message) = (3, "old")
        let client = Client(.success(outcome))
        // partial_success { rejected: 3, error_message: "old" }, as over HTTP.
        let expected: [UInt8] = [0x0A, 7, 0x08, 3, 0x12, 3] + Array("old".utf8)
        #expect(client.call() == GRPCResponse(expected))
        #expect(OTLPClient(.success(outcome)).post().body == expected)
    }

    @Test(arguments: [([] as [UInt8], ContentCoding.gzip), ([1, 2, 3], .gzip), ([1, 2, 3], .zstd)])
    func `a message that is not what its coding says is refused`(message: [UInt8], coding: ContentCoding) {
        let client = Client()
        #expect(client.call(Self.export, message, coding: coding).status.code == .invalidArgument)
        #expect(client.receiver.all.isEmpty && client.refused(.malformed) == 1)
    }

    @Test func `a message may be as long when decoded as when received (O-32)`() {
        let client = Client()
        let bomb = Gzip.compress([UInt8](repeating: 0, count: 1001), level: 9)
        #expect(client.call(Self.export, bomb, coding: .gzip).status.code == .resourceExhausted)
        #expect(client.refused(.tooLarge) == 1)
        let whole = Gzip.compress([UInt8](repeating: 0, count: 1000), level: 9)
        #expect(client.call(Self.export, whole, coding: .gzip).status == .ok)
    }

    @Test(arguments: [("a/b", false), (String(repeating: "a", count: 151), false), ("", true), ("a.b-c", true)])
    func `tenants have the names that they have over HTTP`(name: String, isTaken: Bool) {
        let client = Client()
        #expect(client.call(metadata: [("x-scope-orgid", name)]).status.code == (isTaken ? .ok : .invalidArgument))
        #expect(client.refused(.tenant) == (isTaken ? 0 : 1))
        #expect((OTLPClient().post(tenant: name).status == 200) == isTaken)
    }

    @Test func `the health of known services is told`() {
        let path = "/grpc.health.v1.Health/Check"
        func asking(_ service: String) -> [UInt8] { [0x0A, UInt8(service.utf8.count)] + Array(service.utf8) }
        let client = Client()
        #expect(client.call(path) == GRPCResponse([8, 1]))
        #expect(
            client.call(path, asking("opentelemetry.proto.collector.trace.v1.TraceService")) == GRPCResponse([8, 1]))
        #expect(client.call(path, asking("other")).status.code == .notFound)
        #expect(client.call(path, [0x0A, 5]).status.code == .invalidArgument)
        #expect(client.receiver.all.isEmpty)
    }
}
