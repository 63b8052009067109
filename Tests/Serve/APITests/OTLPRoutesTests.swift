import API
import Compression
import Core
import Ingest
import OTLP
import Testing

@testable import HTTP

/// OTLP over HTTP: what is received, and what is answered byte by byte (contract §8.1).
struct OTLPRoutesTests {
    private static let protobuf = "application/x-protobuf"
    private static let json = "application/json"

    /// `google.rpc.Status` in protobuf.
    private func status(_ code: UInt8, _ message: String) -> [UInt8] {
        [0x08, code, 0x12, UInt8(message.utf8.count)] + Array(message.utf8)
    }

    // MARK: Content types and codings

    @Test(
        arguments: [
            ("application/x-protobuf", "p"), ("APPLICATION/X-Protobuf", "p"),
            ("application/x-protobuf; charset=utf-8", "p"),
            ("application/protobuf", "p"), ("application/json", "j"), ("Application/JSON;charset=UTF-8", "j"),
            ("  application/json ; a=b; c=\"d\"", "j"), ("text/plain", "415"), ("application/x-protobuf2", "415"),
            ("application/grpc", "415"), ("json", "415"), ("", "415"), (nil, "415"),
        ] as [(String?, String)])
    func `the media type alone decides what a body is (O-2)`(type: String?, expected: String) {
        let client = OTLPClient()
        let response = client.post(type: type, expected == "j" ? Array("{}".utf8) : [])
        switch expected {
        case "p":
            #expect(response.status == 200 && response.header("Content-Type") == Self.protobuf)
            #expect(client.receiver.all.map(\.request.format) == [.protobuf])
        case "j":
            #expect(response.status == 200 && response.header("Content-Type") == Self.json)
            #expect(client.receiver.all.map(\.request.format) == [.json])
        default:
            let message = "Content-Type must be application/x-protobuf or application/json"
            #expect(response.status == 415 && response.text == #"{"code":3,"message":"\#(message)"}"#)
            #expect(client.receiver.all.isEmpty)
        }
    }

    @Test(
        arguments: [
            ("/v1/traces", .traces), ("/v1/logs", .logs), ("/v1/metrics", .metrics),
        ] as [(String, LoggedRequest.Signal)])
    func `the path says the signal, and the request is handed on as it came (O-1)`(
        path: String, signal: LoggedRequest.Signal
    ) throws {
        let client = OTLPClient()
        let body: [UInt8] = [0x12, 0x01, 0x07]
        let packed = Gzip.compress(body, level: 1)
        #expect(client.post(path, coding: "gzip", tenant: "acme", packed).status == 200)
        let received = try #require(client.receiver.all.first)
        #expect(received.request.signal == signal && received.request.tenant.name == "acme")
        #expect(received.request.coding == .gzip && received.request.body == packed)
        #expect(received.request.received == OTLPClient.now && received.protobuf == body)
    }

    @Test(arguments: ["GET", "HEAD", "PUT", "DELETE"])
    func `other methods are 405 with what is allowed (O-2)`(name: String) throws {
        let method = try #require(HTTPMethod(rawValue: name))
        let client = OTLPClient()
        let response = client.send(OTLPClient.request("/v1/logs", type: Self.json, method: method, []))
        #expect(response.status == 405 && response.header("Allow") == "POST, OPTIONS")
        #expect(response.text == #"{"code":12,"message":"method not allowed"}"#)
        #expect(client.receiver.all.isEmpty)
    }

    @Test(arguments: ["/v1/profiles", "/v1", "/v1/traces/x"])
    func `unknown paths are 404, never HTML (G-8)`(path: String) {
        let response = OTLPClient().post(path, type: Self.json)
        #expect(response.status == 404)
        #expect(response.text == #"{"code":12,"message":"not found: \#(path)"}"#)
    }

    @Test(arguments: ["", "identity", "IDENTITY", "gzip", " GZip ", "x-gzip", "zstd", "deflate", "deflate raw"])
    func `bodies are decoded by their coding (O-3)`(coding: String) throws {
        let body = (0..<3000).map { UInt8(truncatingIfNeeded: $0 % 7) }
        let client = OTLPClient()
        let sent =
            switch coding.lowercased().filter({ $0 != " " }) {
            case "gzip", "x-gzip": Gzip.compress(body, level: 6)
            case "zstd": zstd(body)
            case "deflate": zlib(body)
            case "deflateraw": stored(body)
            default: body
            }
        #expect(client.post(coding: coding == "deflate raw" ? "deflate" : coding, sent).status == 200)
        let received = try #require(client.receiver.all.first)
        #expect(received.protobuf == body && received.request.body == sent)
        let expected: LoggedRequest.Coding =
            coding.hasPrefix("deflate")
            ? .deflate
            : coding == "zstd"
                ? .zstd
                : coding.lowercased().contains("gzip") ? .gzip : .identity
        #expect(received.request.coding == expected)
    }

    @Test func `the log has a body without a coding that it does not know`() throws {
        let (client, body) = (OTLPClient(), [UInt8]([10, 0]))
        // Two bytes, as a literal.
        #expect(client.post(coding: "snappy", [2, 1 << 2] + body).status == 200)
        let received = try #require(client.receiver.all.first)
        #expect(received.protobuf == body && received.request.body == body && received.request.coding == .identity)
    }

    @Test(arguments: ["snappy, lz4", "lz4hc", "br", "compress", "gzip, gzip", "gzip;q=1"])
    func `an unknown coding is 415 in the encoding of the request (O-3)`(coding: String) {
        let client = OTLPClient()
        let message = "unsupported Content-Encoding: \(coding)"
        let response = client.post(coding: coding, [1])
        #expect(response.status == 415 && response.body == status(3, message))
        let other = client.post(type: Self.json, coding: coding.uppercased(), [1])
        #expect(other.status == 415 && other.text == #"{"code":3,"message":"\#(message)"}"#)
        #expect(client.receiver.all.isEmpty)
    }

    @Test(arguments: ["gzip", "zstd", "deflate"])
    func `a body that is not what its coding says is 400, and nothing is handed on`(coding: String) {
        let body = Array("a body that is long enough to be cut".utf8)
        let whole = coding == "gzip" ? Gzip.compress(body, level: 6) : coding == "zstd" ? zstd(body) : zlib(body)
        let client = OTLPClient()
        for broken in [[], [0x1F], Array(whole.dropLast(5)), Array(whole[..<10]), body, whole + [7]] {
            let response = client.post(coding: coding, broken)
            #expect(
                response.status == 400 && response.body == status(3, "the body is not valid \(coding)"), "\(broken)")
        }
        #expect(client.receiver.all.isEmpty)
    }

    @Test(arguments: ["gzip", "zstd", "identity"])
    func `a body may be as long as the limit, and no byte longer, before and after decoding (O-7)`(coding: String) {
        let limit = 100_000
        let client = OTLPClient(bodyLimit: limit)
        for length in [limit, limit + 1, 64 * limit] {
            let body = [UInt8](repeating: 0, count: length)
            let sent = coding == "gzip" ? Gzip.compress(body, level: 6) : coding == "zstd" ? zstd(body) : body
            let response = client.post(coding: coding, sent)
            let other = client.post(type: Self.json, coding: coding, sent)
            if length == limit {
                #expect(response.status == 200)
            } else {
                let message = "the body exceeds \(limit) bytes"
                #expect(response.status == 413 && response.body == status(8, message))
                #expect(other.status == 413 && other.text == #"{"code":8,"message":"\#(message)"}"#)
            }
        }
        #expect(client.receiver.all.map(\.protobuf.count) == [limit])
    }

    @Test func `a deflate bomb is stopped at the limit`() {
        let bomb = zlibOfZeros(count: 8 << 20)
        #expect(bomb.count < 64 << 10)
        #expect(OTLPClient(bodyLimit: 1 << 20).post(coding: "deflate", bomb).status == 413)
        #expect(OTLPClient(bodyLimit: 8 << 20).post(coding: "deflate", bomb).status == 200)
    }

    @Test func `when all bodies together take too much memory the client is told to come back (O-6)`() {
        var request = OTLPClient.request(
            "/v1/traces", type: Self.protobuf, coding: "gzip", Gzip.compress([1, 2, 3], level: 1))
        request.memory = BodyMemory(pool: BodyMemory.Pool(limit: 2))
        let client = OTLPClient()
        let response = client.send(request)
        #expect(response.status == 503 && response.header("Retry-After") == "1")
        #expect(response.body == status(14, "too many requests are being received; try again"))
        #expect(client.receiver.all.isEmpty)
    }

    // MARK: Answers

    @Test func `full success is nothing in protobuf and an empty object in JSON (O-4)`() {
        var outcome = DecodeOutcome()
        outcome.accepted = 12
        for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
            let client = OTLPClient(.success(outcome))
            let response = client.post(path)
            #expect(response.status == 200 && response.body.isEmpty)
            #expect(response.header("Content-Type") == Self.protobuf)
            for json in ["{}", #"{"resourceSpans":[],"resourceLogs":null}"#] {
                #expect(client.post(json: json, path).status == 200)
                #expect(client.post(json: json, path).text == "{}")
            }
        }
    }

    @Test(arguments: [
        ("/v1/traces", "rejectedSpans"), ("/v1/logs", "rejectedLogRecords"), ("/v1/metrics", "rejectedDataPoints"),
    ])
    func `partial success says how many were rejected, and why of one (O-5)`(path: String, key: String) {
        var outcome = DecodeOutcome()
        outcome.accepted = 1
        outcome.rejected = 300
        outcome.message = "bad \"id\""
        let client = OTLPClient(.success(outcome))
        let response = client.post(path)
        #expect(response.status == 200 && response.header("Content-Type") == Self.protobuf)
        // 1: { 1: 300, 2: "bad "id"" }, 300 being AC 02.
        #expect(response.body == [0x0A, 13, 0x08, 0xAC, 0x02, 0x12, 8] + Array("bad \"id\"".utf8))
        let json = client.post(json: "{}", path)
        #expect(json.status == 200 && json.header("Content-Type") == Self.json)
        #expect(json.text == #"{"partialSuccess":{"\#(key)":"300","errorMessage":"bad \"id\""}}"#)
    }

    @Test func `a long message has a length of two bytes at each level`() {
        var outcome = DecodeOutcome()
        outcome.rejected = 1
        outcome.message = String(repeating: "é", count: 100)
        let response = OTLPClient(.success(outcome)).post()
        // 2 bytes of count, 1 tag, 2 of length, 200 of text: 205 = CD 01; 200 = C8 01.
        #expect(response.body == [0x0A, 0xCD, 0x01, 0x08, 1, 0x12, 0xC8, 0x01] + Array(outcome.message.utf8))
    }

    @Test func `what is malformed is 400, and not to be sent again (O-6)`() {
        let client = OTLPClient(.failure(.malformed("not a request")))
        let response = client.post("/v1/traces", [1])
        #expect(response.status == 400 && response.body == status(3, "not a request"))
        #expect(response.header("Content-Type") == Self.protobuf && response.header("Retry-After") == nil)
        let json = client.post(json: "{}")
        #expect(json.status == 400 && json.text == #"{"code":3,"message":"not a request"}"#)
        #expect(json.header("Content-Type") == Self.json)
    }

    @Test func `what cannot be stored now is 503 with Retry-After (O-6)`() {
        let client = OTLPClient(.failure(.unavailable("the disk is full")))
        let response = client.post("/v1/traces", [1])
        #expect(response.status == 503 && response.body == status(14, "the disk is full"))
        #expect(response.header("Retry-After") == "1" && response.header("Content-Type") == Self.protobuf)
        let json = client.post(json: "{}")
        #expect(json.status == 503 && json.text == #"{"code":14,"message":"the disk is full"}"#)
        #expect(json.header("Retry-After") == "1")
    }

    @Test func `a tenant that sends too fast gets 429 with Retry-After (O-6)`() {
        let client = OTLPClient(.failure(.throttled("too many parts are waiting to be merged")))
        let response = client.post("/v1/logs", [1])
        #expect(response.status == 429 && response.body == status(8, "too many parts are waiting to be merged"))
        #expect(response.header("Retry-After") == "1" && response.header("Content-Type") == Self.protobuf)
        let json = client.post(json: "{}")
        #expect(json.status == 429 && json.text == #"{"code":8,"message":"too many parts are waiting to be merged"}"#)
    }

    @Test func `a tenant that cannot be is 400`() {
        let response = OTLPClient().post(tenant: "../x")
        #expect(response.status == 400 && response.header("Content-Type") == Self.protobuf)
        #expect(response.text.contains("invalid X-Scope-OrgID"))
    }

    @Test func `an empty protobuf body is an empty request, an empty JSON body is none (O-4, O-6)`() {
        let client = OTLPClient()
        #expect(client.post("/v1/traces", []).status == 200)
        let response = client.post(json: "")
        #expect(response.status == 400)
        #expect(response.text == #"{"code":3,"message":"unexpected end of JSON input at offset 0"}"#)
        #expect(client.receiver.all.map(\.protobuf) == [[]])
    }

    // MARK: Coders

    private func zstd(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { _ = Zstd.compress($0, level: 3, into: &output) }
        return output
    }

    /// A deflate stream of one stored block (RFC 1951 §3.2.4).
    private func stored(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt16(bytes.count)
        let lengths = [count, ~count].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        return [1] + lengths + bytes
    }

    /// A zlib stream (RFC 1950): header, deflate, Adler-32.
    private func zlib(_ bytes: [UInt8]) -> [UInt8] { [0x78, 0x01] + stored(bytes) + adler(bytes) }

    private func adler(_ bytes: [UInt8]) -> [UInt8] {
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return [b >> 8, b & 0xFF, a >> 8, a & 0xFF].map { UInt8(truncatingIfNeeded: $0) }
    }

    /// A zlib stream made of a gzip member's deflate stream, whose header has ten bytes and whose trailer has eight.
    private func zlibOfZeros(count: Int) -> [UInt8] {
        let member = Gzip.compress([UInt8](repeating: 0, count: count), level: 9)
        // Of zeros alone a stays 1, and b counts them.
        let b = UInt32(count % 65_521)
        let checksum = [UInt8(truncatingIfNeeded: b >> 8), UInt8(truncatingIfNeeded: b), 0, 1]
        return [0x78, 0x01] + member[10..<(member.count - 8)] + checksum
    }
}
