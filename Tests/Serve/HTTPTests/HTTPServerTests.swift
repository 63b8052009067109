import Compression
import Glibc
import HTTP
import RawSocket
import Synchronization
import Testing

/// Echoes what it was asked, or does what the path says.
private final class EchoHandler: HTTPHandler {
    let cancelled = Atomic<Int>(0)
    let closedSeen = Atomic<Int>(0)

    func bodyLimit(for head: HTTPRequest) -> Int { head.segments.first == "big" ? 64 << 20 : 1 << 20 }

    func refuse(_ request: HTTPRequest, status: Int, _ message: String) -> HTTPResponse {
        .text(message + "\n", status: status)
    }

    func respond(
        to request: HTTPRequest, connection: HTTPConnectionState, reply: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        reply(response(to: request, connection))
    }

    private func response(to request: HTTPRequest, _ connection: HTTPConnectionState) -> HTTPResponse {
        switch request.segments.first {
        case "size": return .text(String(repeating: "x", count: Int(request.segments[1]) ?? 0))
        case "sleep":
            usleep(UInt32(Int(request.segments[1]) ?? 0) * 1000)
            return .text("slept")
        case "wait":
            connection.onClose { self.cancelled.add(1, ordering: .relaxed) }
            for _ in 0..<500 where cancelled.load(ordering: .relaxed) == 0 { usleep(10_000) }
            if connection.isClosed { closedSeen.add(1, ordering: .relaxed) }
            return .text("waited")
        case "decoded", "big":
            do throws(HTTPBodyError) {
                let body = try request.decodedBody(limit: bodyLimit(for: request))
                return .text("\(request.body.count) \(body.count) \(body.prefix(5))")
            } catch {
                return .text(error.message, status: error.status)
            }
        case "bad-header": return HTTPResponse(status: 200, headers: [("X-Bad", "a\r\nX-Injected: 1")])
        case "upgrade":
            var response = HTTPResponse(status: 101)
            response.upgrade = HTTPUpgrade("echo") { socket in
                while !socket.serverIsStopping {
                    switch socket.read(timeoutMilliseconds: 100) {
                    case .bytes(let bytes): _ = socket.write(bytes, timeoutMilliseconds: 1000)
                    case .timedOut: continue
                    case .closed: return
                    }
                }
            }
            return response
        default:
            let parameters = request.parameters.map { "\($0.name)=\($0.value)" }
            return .text(
                ([request.method.rawValue] + request.segments + parameters + ["\(request.body.count)"]).joined(
                    separator: "|"))
        }
    }
}

/// A server on a free port, stopped with the scope.
private func withServer<Result>(
    _ change: (inout HTTPServerConfiguration) -> Void = { _ in },
    _ body: (UInt16, EchoHandler, HTTPServer) throws -> Result
) throws -> Result {
    var configuration = HTTPServerConfiguration()
    change(&configuration)
    let handler = EchoHandler()
    let server = HTTPServer(configuration: configuration, handler: handler)
    try server.start()
    defer { server.stop(graceSeconds: 2) }
    return try body(server.boundAddress.port, handler, server)
}

/// Rules G-4, G-6, G-8, G-9, G-12, O-3, O-7 and O-8 over real sockets.
struct HTTPServerTests {
    @Test func `requests share a connection`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            for i in 0..<20 {
                let reply = try client.get("/a/\(i)")
                #expect(reply.status == 200 && reply.text == "GET|a|\(i)|0")
            }
            // Two at once: the second waits in the socket.
            client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            #expect(try client.readReply().text == "GET|1|0")
            #expect(try client.readReply().text == "POST|2|3")
        }
    }

    @Test(arguments: [
        ("/a%2Fb/c%20d?x=1&y=%C3%BC&x=a+b&z", "GET|a/b|c d|x=1|y=ü|x=a b|z=|0"),
        ("/%zz/%4?a=%&%=b&=c&&a=b=c", "GET|%zz|%4|a=%|%=b|=c|a=b=c|0"), ("/%ff%00", "GET|\u{FFFD}\0|0"),
        ("/a+b/", "GET|a+b|0"), ("//a//b", "GET||a||b|0"), ("/?", "GET|0"),
    ])
    func `targets are decoded segment by segment and never refused`(target: String, expected: String) throws {
        try withServer { port, _, _ in
            let reply = try RawClient(port: port).get(target)
            #expect(reply.text == expected)
        }
    }

    @Test func `form parameters come before the query's, compressed or not`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            let type = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
            let form = Array("a=1+2&b=%2B".utf8)
            #expect(try client.post("/f?a=3", form, headers: type).text == "POST|f|a=1 2|b=+|a=3|11")
            let packed = Gzip.compress(form, level: 1)
            let reply = try client.post("/f", packed, headers: type + "Content-Encoding: gzip\r\n")
            #expect(reply.text == "POST|f|a=1 2|b=+|\(packed.count)")
            #expect(try client.post("/f?a=3", [], headers: type).text == "POST|f|a=3|0")
            #expect(try client.post("/f", [1, 2], headers: type + "Content-Encoding: gzip\r\n").status == 400)
            #expect(try client.post("/f", form, headers: "Content-Type: text/plain\r\n").text == "POST|f|11")
        }
    }

    @Test func `chunked bodies arrive whole, however they are cut`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("POST /decoded HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in ["1\r\na\r", "\n3;x=y\r\nb", "cd\r\n", "0\r\n", "\r\n"] {
                client.send(piece)
                usleep(20_000)
            }
            #expect(try client.readReply().text == "4 4 [97, 98, 99, 100]")
            #expect(try client.get("/again").text == "GET|again|0")
        }
    }

    @Test func `a client that waits for 100 Continue is told to go on, or that its body is too large`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("POST /decoded HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.readReply().status == 100)
            client.send("abc")
            #expect(try client.readReply().text == "3 3 [97, 98, 99]")
            let second = try RawClient(port: port)
            second.send("POST /decoded HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
            #expect(try second.readReply().status == 413)
        }
    }

    @Test(arguments: ["gzip", "x-gzip", "GZIP", "zstd", "deflate"])
    func `compressed bodies are kept and decoded`(encoding: String) throws {
        let plain = [UInt8](repeating: 65, count: 100_000)
        var packed = Gzip.compress(plain, level: 1)
        if encoding == "zstd" {
            packed = [UInt8](repeating: 0, count: Zstd.bound(plain.count))
            packed = plain.withUnsafeBytes { bytes in
                var output: [UInt8] = []
                _ = Zstd.compress(bytes, level: 1, into: &output)
                return output
            }
        }
        // What is between a gzip member's header and its trailer is a raw deflate stream.
        if encoding == "deflate" { packed = Array(packed[10..<(packed.count - 8)]) }
        try withServer { port, _, _ in
            let reply = try RawClient(port: port).post("/decoded", packed, headers: "Content-Encoding: \(encoding)\r\n")
            #expect(reply.text == "\(packed.count) 100000 [65, 65, 65, 65, 65]")
        }
    }

    @Test func `bodies that would unpack beyond the limit are 413, unknown encodings 415, broken ones 400`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            let bomb = Gzip.compress([UInt8](repeating: 0, count: 32 << 20), level: 6)
            #expect(bomb.count < 1 << 20)
            #expect(try client.post("/decoded", bomb, headers: "Content-Encoding: gzip\r\n").status == 413)
            #expect(try client.post("/decoded", [1], headers: "Content-Encoding: br\r\n").status == 415)
            #expect(try client.post("/decoded", [1], headers: "Content-Encoding: gzip\r\n").status == 400)
            #expect(try client.post("/decoded", [1], headers: "Content-Encoding: zstd\r\n").status == 400)
            #expect(try client.post("/decoded", [1], headers: "Content-Encoding: identity\r\n").text == "1 1 [1]")
        }
    }

    @Test func `chunked bodies beyond the limit are 413`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("POST /decoded HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("100000\r\n".utf8) + [UInt8](repeating: 1, count: 1 << 20) + Array("\r\n".utf8)
            for _ in 0..<3 { client.send(chunk) }
            client.send("0\r\n\r\n")
            #expect(try client.readReply().status == 413)
        }
    }

    @Test func `a chunked body without end is cut off`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("POST /decoded HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("100000\r\n".utf8) + [UInt8](repeating: 1, count: 1 << 20) + Array("\r\n".utf8)
            for _ in 0..<64 { client.send(chunk) }
            #expect(client.waitForClose() != nil)
        }
    }

    @Test(arguments: ["99999999999999999999999999", "18446744073709551615", "-1", "abc", "1e3", "4294967296"])
    func `absurd lengths are refused`(length: String) throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("POST /decoded HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n")
            let status = try client.readReply().status
            #expect(status == 400 || status == 413)
            #expect(try RawClient(port: port).get("/alive").status == 200)
        }
    }

    @Test func `bodies of many megabytes arrive`() throws {
        try withServer { port, _, _ in
            let body = [UInt8](repeating: 7, count: 20 << 20)
            let reply = try RawClient(port: port).post("/big", body)
            #expect(reply.text == "20971520 20971520 [7, 7, 7, 7, 7]")
        }
    }

    @Test func `when all bodies together take too much memory, clients are asked to come again`() throws {
        try withServer({ $0.bodies = BodyMemory.Pool(limit: 1 << 20) }) { port, _, _ in
            let client = try RawClient(port: port)
            let reply = try client.post("/big", [UInt8](repeating: 7, count: 2 << 20))
            #expect(reply.status == 503 && reply.header("Retry-After") == "1")
            #expect(try client.post("/big", [UInt8](repeating: 7, count: 1000)).status == 200)
        }
    }

    @Test func `targets of 64 KiB are taken, and endless ones refused`() throws {
        try withServer { port, _, _ in
            let long = String(repeating: "a", count: 65_000)
            #expect(try RawClient(port: port).get("/q?query=\(long)").text == "GET|q|query=\(long)|0")
            let tooLong = String(repeating: "a", count: 2 << 20)
            let client = try RawClient(port: port)
            client.send("GET /\(tooLong) HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect([414, 431].contains(try client.readReply().status))
            let headers = try RawClient(port: port)
            headers.send("GET / HTTP/1.1\r\nHost: h\r\nX: \(tooLong)\r\n\r\n")
            #expect([413, 431].contains(try headers.readReply().status))
            #expect(try RawClient(port: port).get("/alive").status == 200)
        }
    }

    @Test func `HEAD has the length and no body`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("HEAD /size/5000 HTTP/1.1\r\nHost: h\r\n\r\n")
            let reply = try client.readReply(toHead: true)
            #expect(reply.status == 200 && reply.header("Content-Length") == "5000")
            #expect(try client.get("/after").text == "GET|after|0")
        }
    }

    @Test(arguments: [
        ("gzip", true), ("deflate, gzip, br", true), ("GZIP;q=0.5", true), ("*", true), ("*;q=0, gzip", true),
        ("", false), ("identity", false), ("gzip;q=0", false), ("gzip; q=0.000", false), ("br, deflate", false),
        ("*, gzip;q=0", false), ("gzip;q", true), (";;,,", false),
    ])
    func `replies are compressed for those who take it`(offer: String, expected: Bool) throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            let reply = try client.get("/size/5000", headers: "Accept-Encoding: \(offer)\r\n")
            #expect((reply.header("Content-Encoding") == "gzip") == expected)
            #expect(reply.header("Vary") == "Accept-Encoding")
            let body = expected ? try Gzip.decompress(reply.body, limit: 10_000) : reply.body
            #expect(body == [UInt8](repeating: 0x78, count: 5000))
            #expect(
                try client.get("/size/100", headers: "Accept-Encoding: \(offer)\r\n").header("Content-Encoding") == nil)
        }
    }

    @Test func `a client that sends no more is still answered`() throws {
        try withServer { port, _, _ in
            let client = try RawClient(port: port)
            client.send("GET /sleep/100 HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            #expect(try client.readReply().text == "slept")
            #expect(client.waitForClose() != nil)
        }
    }

    @Test func `silent and slow clients are cut off, and hold up nobody`() throws {
        try withServer({ ($0.idleTimeoutSeconds, $0.transferTimeoutSeconds) = (1, 2) }) { port, _, _ in
            let silent = try RawClient(port: port)
            let half = try RawClient(port: port)
            half.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
            let dripping = try RawClient(port: port)
            dripping.send("GET / HTTP/1.1\r\n")
            let drip = try Dripper(dripping)
            let quick = try RawClient(port: port).get("/quick")
            #expect(quick.status == 200)
            #expect(try #require(silent.waitForClose()) < .seconds(5))
            #expect(try #require(half.waitForClose()) < .seconds(5))
            #expect(try #require(dripping.waitForClose()) < .seconds(6))
            drip.stop()
        }
    }

    @Test func `a handler may take longer than a connection may be idle`() throws {
        try withServer({ ($0.idleTimeoutSeconds, $0.transferTimeoutSeconds) = (1, 1) }) { port, _, _ in
            let client = try RawClient(port: port)
            #expect(try client.get("/sleep/3000").text == "slept")
            #expect(try client.get("/again").status == 200)
        }
    }

    @Test func `handlers learn that their client has gone`() throws {
        try withServer { port, handler, _ in
            do {
                let client = try RawClient(port: port)
                client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
                usleep(200_000)
                #expect(handler.cancelled.load(ordering: .relaxed) == 0)
            }
            for _ in 0..<300 where handler.closedSeen.load(ordering: .relaxed) == 0 { usleep(10_000) }
            #expect(handler.cancelled.load(ordering: .relaxed) == 1)
            #expect(handler.closedSeen.load(ordering: .relaxed) == 1)
        }
    }

    @Test func `more connections than the limit do not break those that are there`() throws {
        try withServer({ $0.connectionLimit = 4 }) { port, _, _ in
            let clients = try (0..<4).map { _ in try RawClient(port: port) }
            for client in clients { #expect(try client.get("/a").status == 200) }
            let extra = try RawClient(port: port)
            extra.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
            for client in clients { #expect(try client.get("/c").status == 200) }
        }
    }

    @Test func `garbage is refused and harms nobody`() throws {
        try withServer { port, _, _ in
            for bytes in [
                [0, 1, 2, 13, 10, 13, 10], Array("\r\n\r\n\r\n".utf8), Array("GET\r\n\r\n".utf8),
                Array("GET / HTTP/9.9\r\n\r\n".utf8),
            ] {
                let client = try RawClient(port: port)
                client.send(bytes)
                client.finishSending()
                _ = client.waitForClose()
            }
            #expect(try RawClient(port: port).get("/alive").status == 200)
            let reply = try RawClient(port: port).get("/bad-header")
            #expect(reply.header("X-Injected") == nil)
            let odd = try RawClient(port: port)
            odd.send("BREW / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try odd.readReply().text == "|0")
        }
    }

    @Test func `a connection can be taken over`() throws {
        try withServer { port, _, server in
            let client = try RawClient(port: port)
            client.send("GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
            let reply = try client.readReply()
            #expect(reply.status == 101 && reply.header("Upgrade") == "echo")
            #expect(try client.read(5) == Array("early".utf8))
            client.send("later")
            #expect(try client.read(5) == Array("later".utf8))
            #expect(server.stop(graceSeconds: 5))
            #expect(client.waitForClose() != nil)
        }
    }

    @Test func `stopping lets requests end, and accepts no more`() throws {
        try withServer { port, _, server in
            let client = try RawClient(port: port)
            client.send("GET /sleep/500 HTTP/1.1\r\nHost: h\r\n\r\n")
            usleep(100_000)
            #expect(server.stop(graceSeconds: 5))
            #expect(try client.readReply().text == "slept")
            #expect(throws: RawSocket.Failure.self) { try RawClient(port: port) }
        }
    }

    @Test func `a port that is taken is an error that says so`() throws {
        try withServer { port, handler, _ in
            let second = HTTPServer(configuration: HTTPServerConfiguration(port: port), handler: handler)
            let error = #expect(throws: HTTPServerError.self) { try second.start() }
            #expect(error?.description == "cannot listen on 127.0.0.1:\(port): Address already in use")
            let third = HTTPServer(configuration: HTTPServerConfiguration(host: "nowhere"), handler: handler)
            #expect(throws: HTTPServerError.self) { try third.start() }
        }
    }

    @Test func `many clients at once are all answered`() throws {
        try withServer { port, _, _ in
            let answered = Atomic<Int>(0)
            let threads = 16
            try withThreads(threads) {
                guard let client = try? RawClient(port: port) else { return }
                for i in 0..<50 {
                    let body = [UInt8](repeating: 1, count: i * 1000)
                    if (try? client.post("/decoded", body))?.text.hasPrefix("\(i * 1000) ") == true {
                        answered.add(1, ordering: .relaxed)
                    }
                }
            }
            #expect(answered.load(ordering: .relaxed) == threads * 50)
        }
    }
}

/// Sends a byte every 300 ms.
private final class Dripper: Sendable {
    private let stopped = Atomic<Bool>(false)

    init(_ client: RawClient) throws {
        let socket = dup(client.socket)
        let thread = PosixThread { [self] in
            while !stopped.load(ordering: .relaxed) {
                var byte: UInt8 = 0x41
                if send(socket, &byte, 1, Int32(MSG_NOSIGNAL)) < 0 { break }
                usleep(300_000)
            }
            close(socket)
        }
        thread.start()
    }

    func stop() { stopped.store(true, ordering: .relaxed) }
}
