import Glibc
import HTTP
import RawSocket
import Scheduling
import Testing

@testable import GRPC

/// Connections and calls in time: what is slow, silent or gone costs nobody else anything.
struct GRPCServerTests {
    /// Echoes, or does what the path says.
    private final class Handler: GRPCHandler {
        /// Answers that are held back, in order.
        let held = Monitor<[@Sendable () -> Void]>([])
        let noted = Monitor<[GRPCRefusal]>([])

        func admit(_ head: GRPCHead) throws(GRPCStatus) -> (messageLimit: Int, caller: (any RequestCaller)?) {
            guard head.path != "/none" else { throw GRPCStatus(.unimplemented) }
            return (1 << 20, nil)
        }

        func respond(to request: GRPCRequest, reply: @escaping @Sendable (GRPCResponse) -> Void) {
            if request.head.path == "/hold" {
                held.notifying { $0.append { reply(GRPCResponse(request.message)) } }
            } else {
                reply(GRPCResponse(request.message))
            }
        }

        func note(_ refusal: GRPCRefusal) { noted.notifying { $0.append(refusal) } }

        /// Gives the oldest answer that is held back, once there is one.
        func release() {
            let answer = held.wait(timeout: .seconds(20)) { $0.isEmpty ? nil : $0.removeFirst() }
            answer?()
        }

        /// Whether a call comes to be held back.
        func hasCall() -> Bool { held.wait(timeout: .seconds(20)) { $0.isEmpty ? nil : true } ?? false }
    }

    private func withServer(
        _ change: (inout GRPCServerConfiguration) -> Void = { _ in },
        _ body: (UInt16, Handler, GRPCServer) throws -> Void
    ) throws {
        var configuration = GRPCServerConfiguration()
        configuration.loops = 2
        change(&configuration)
        let handler = Handler()
        let server = GRPCServer(configuration: configuration, handler: handler)
        try server.start()
        defer { server.stop(graceSeconds: 5) }
        try body(server.boundAddress.port, handler, server)
    }

    private func echoes(_ port: UInt16, _ message: [UInt8] = [1, 2, 3]) throws -> Bool {
        let client = try FrameClient(port: port)
        client.open(1, path: "/echo")
        client.end(1, message)
        return try client.next(FrameClient.data)?.payload.dropFirst(5) == message[...]
    }

    @Test func `calls of many connections and streams are answered, in the order that they end in`() throws {
        try withServer { port, handler, _ in
            let client = try FrameClient(port: port)
            for stream in [1, 3, 5] as [Int32] {
                client.open(stream, path: stream == 3 ? "/hold" : "/echo")
                client.end(stream, [UInt8(stream)])
            }
            #expect(
                Set([try client.next(FrameClient.data)?.stream, try client.next(FrameClient.data)?.stream]) == [1, 5])
            for _ in 0..<20 { #expect(try echoes(port)) }
            handler.release()
            #expect(
                try client.next(FrameClient.data) == .init(type: 0, flags: 0, stream: 3, payload: [0, 0, 0, 0, 1, 3]))
            #expect(try client.next(FrameClient.headers)?.flags == 5)
        }
    }

    @Test func `a connection that does not begin is closed`() throws {
        try withServer({ $0.handshakeTimeout = .milliseconds(200) }) { port, _, server in
            #expect(try FrameClient(port: port, begins: false).next() == nil)
            let half = try FrameClient(port: port, begins: false)
            half.send(Array("PRI * HTTP/2.0\r\n".utf8))
            #expect(try half.next() == nil)
            #expect(server.statistics.ended(.silence) == 2)
            #expect(try echoes(port))
        }
    }

    @Test func `a silent connection is asked for a sign of life, and closed without one`() throws {
        try withServer({ configuration in
            configuration.keepAlive = .milliseconds(100)
            configuration.keepAliveTimeout = .milliseconds(300)
        }) { port, _, server in
            let client = try FrameClient(port: port)
            for _ in 0..<2 {
                let ping = try #require(try client.next(FrameClient.ping))
                client.send(FrameClient.ping, flags: 1, ping.payload)
            }
            #expect(try client.next(FrameClient.ping) != nil)
            #expect(try client.next(FrameClient.ping) == nil)
            #expect(server.statistics.ended(.silence) == 1)
        }
    }

    @Test func `a message that does not come is given up, and its bytes are no longer counted`() throws {
        let bodies = BodyMemory.Pool(limit: 2000)
        try withServer({ configuration in
            configuration.transferTimeout = .milliseconds(200)
            configuration.bodies = bodies
        }) { port, handler, _ in
            let client = try FrameClient(port: port)
            client.open(1, path: "/echo")
            client.send(FrameClient.data, stream: 1, [0, 0, 0, 4, 0] + [UInt8](repeating: 1, count: 1000))
            client.open(3, path: "/echo")
            client.end(3, [UInt8](repeating: 1, count: 1001))
            // Headers alone: a refusal.
            #expect(try client.next(FrameClient.headers).map { [$0.stream, Int32($0.flags)] } == [3, 5])
            #expect(try client.next(FrameClient.headers).map { [$0.stream, Int32($0.flags)] } == [1, 5])
            #expect(handler.noted.withLock { $0 } == [.body(.overloaded), .deadline])
            #expect(try echoes(port, [UInt8](repeating: 1, count: 1500)))
        }
        #expect(bodies.take(2000))
    }

    @Test func `an answer that is not taken is given up`() throws {
        try withServer({ $0.transferTimeout = .milliseconds(200) }) { port, _, _ in
            let client = try FrameClient(port: port)
            // SETTINGS_INITIAL_WINDOW_SIZE: nothing may be sent.
            client.send(FrameClient.settings, [0, 4, 0, 0, 0, 0])
            client.open(1, path: "/echo")
            client.end(1, [1])
            #expect(try client.next(FrameClient.reset)?.stream == 1)
        }
    }

    @Test func `a caller's timeout ends a call, and its answer is thrown away`() throws {
        try withServer { port, handler, _ in
            let client = try FrameClient(port: port)
            client.open(1, path: "/hold", [("grpc-timeout", "50m")])
            client.end(1, [1])
            #expect(try client.next(FrameClient.headers).map { [$0.stream, Int32($0.flags)] } == [1, 5])
            handler.release()
            client.open(3, path: "/echo")
            client.end(3, [3])
            #expect(try client.next(FrameClient.data)?.stream == 3)
            #expect(handler.noted.withLock { $0 } == [.deadline])
        }
    }

    @Test func `a client may go while its call is handled`() throws {
        try withServer { port, handler, _ in
            do {
                let client = try FrameClient(port: port)
                client.open(1, path: "/hold")
                client.end(1, [1])
                #expect(handler.hasCall())
                withExtendedLifetime(client) {}
            }
            handler.release()
            #expect(try echoes(port))
        }
    }

    @Test func `a server that stops answers what it has begun, and ends`() throws {
        try withServer { port, handler, server in
            let client = try FrameClient(port: port)
            client.open(1, path: "/hold")
            client.end(1, [7])
            #expect(handler.hasCall())
            let stopped = Monitor<Bool?>(nil)
            let thread = WorkerThread {
                let ended = server.stop(graceSeconds: 20)
                stopped.notifying { $0 = ended }
            }
            for _ in 0..<2 { #expect(try client.next(FrameClient.goaway) != nil) }
            #expect(stopped.withLock { $0 } == nil)
            handler.release()
            #expect(try client.next(FrameClient.data)?.payload.last == 7)
            #expect(try client.next(FrameClient.headers)?.flags == 5)
            #expect(try client.next() == nil)
            #expect(stopped.wait(timeout: .seconds(20), until: { $0 }) == true)
            thread.join()
            #expect(throws: RawSocket.Failure.self) { try FrameClient(port: port) }
        }
    }

    @Test func `a handler that does not end is left behind`() throws {
        try withServer { port, handler, server in
            let client = try FrameClient(port: port)
            client.open(1, path: "/hold")
            client.end(1, [7])
            #expect(handler.hasCall())
            #expect(!server.stop(graceSeconds: 0))
            withExtendedLifetime(client) {}
        }
    }

    @Test func `connections beyond the limit are closed, and others are not`() throws {
        try withServer({ $0.connectionLimit = 2 }) { port, _, server in
            let first = try FrameClient(port: port)
            let second = try FrameClient(port: port)
            for client in [first, second] { #expect(try client.next(FrameClient.settings) != nil) }
            #expect(try FrameClient(port: port).next() == nil)
            #expect(server.statistics.ended(.limit) == 1)
            first.open(1, path: "/echo")
            first.end(1, [1])
            #expect(try first.next(FrameClient.data) != nil)
        }
    }
}
