import API
import HTTP
import Ingest
import OTLP
import Testing

/// OTLP over HTTP: the headers that say how a body is coded.
struct OTLPReviewTests {
    /// Takes everything.
    private struct Receiver: OTLPReceiver {
        func receive(
            _ request: LoggedRequest, protobuf: [UInt8],
            settled: @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void
        ) {
            settled(.success(DecodeOutcome()))
        }
    }

    private func post(_ headers: [(name: String, value: String)]) -> HTTPResponse {
        let routes = OTLPRoutes(OTLPIntake(Receiver(), by: .http, bodyLimit: 1 << 20, now: { 0 })).routes
        let request = HTTPRequest(
            method: .post, path: "/v1/logs", segments: ["v1", "logs"], parameters: [], headers: headers, body: [])
        return Router([routes]).respond(to: request, connection: .none)
    }

    @Test(arguments: [
        (["identity"], 200), (["Identity, identity"], 200), ([""], 200), (["identity", "identity"], 200), (["br"], 415),
        (["gzip, gzip"], 415), (["gzip", "zstd"], 415), (["identity, gzip"], 400), (["X-GZIP"], 400),
    ])
    func `codings are taken one at a time, of all headers together (O-3)`(codings: [String], status: Int) {
        // An empty body is no gzip stream.
        let headers = [(name: "Content-Type", value: "application/x-protobuf")]
        #expect(post(headers + codings.map { ("Content-Encoding", $0) }).status == status)
    }
}
