import Foundation
import Glibc

/// A `varve serve` of this benchmark's own: started on free ports, stopped by SIGTERM.
struct ServerProcess: ~Copyable {
    let pid: pid_t
    let otlp: HTTPConnection.Address
    let http: HTTPConnection.Address
    /// Nil: it does not speak gRPC.
    let grpc: HTTPConnection.Address?
    private var output: Int32
    private var running = true

    init(binary: String, dataDirectory: String, extra: [String]) throws(BenchError) {
        var pipeEnds: [Int32] = [-1, -1]
        guard pipe(&pipeEnds) == 0 else { throw .server("pipe: \(Console.explain(errno))") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 1)
        posix_spawn_file_actions_addclose(&actions, pipeEnds[0])
        posix_spawn_file_actions_addclose(&actions, pipeEnds[1])
        let words =
            [
                binary, "serve", "--data-dir", dataDirectory, "--listen-otlp", "127.0.0.1:0", "--listen-http",
                "127.0.0.1:0",
            ] + extra
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        // A server of before gRPC knows no such flag, and warns of a variable.
        setenv("VARVE_LISTEN_GRPC", "127.0.0.1:0", 1)
        var pid: pid_t = 0
        let result = posix_spawn(&pid, binary, &actions, nil, arguments, environ)
        close(pipeEnds[1])
        guard result == 0 else {
            close(pipeEnds[0])
            throw .server("\(binary): \(Console.explain(result))")
        }
        guard let (otlp, http, grpc) = Self.readiness(from: pipeEnds[0]) else {
            close(pipeEnds[0])
            kill(pid, SIGTERM)
            waitpid(pid, nil, 0)
            throw .server("\(binary) serve ended, or was silent for a minute, before it was ready")
        }
        self.pid = pid
        self.otlp = otlp
        self.http = http
        self.grpc = grpc
        output = pipeEnds[0]
    }

    deinit {
        if running {
            kill(pid, SIGTERM)
            waitpid(pid, nil, 0)
        }
        close(output)
    }

    /// Asks the server to end, and waits for it.
    mutating func stop() throws(BenchError) {
        running = false
        kill(pid, SIGTERM)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        guard status == 0 else { throw .server("the server ended with wait status \(status)") }
    }

    private static func readiness(
        from descriptor: Int32
    ) -> (otlp: HTTPConnection.Address, http: HTTPConnection.Address, grpc: HTTPConnection.Address?)? {
        var text: [UInt8] = []
        let deadline = Clock.now() + 60
        while Clock.now() < deadline {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 1_000) > 0 else { continue }
            var piece = [UInt8](repeating: 0, count: 4_096)
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { return nil }
            text.append(contentsOf: piece[..<count])
            for line in text.split(separator: 0x0A) {
                guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
                    object["event"] as? String == "ready",
                    let otlp = (object["otlp"] as? String).flatMap(HTTPConnection.Address.init),
                    let http = (object["http"] as? String).flatMap(HTTPConnection.Address.init)
                else { continue }
                return (otlp, http, (object["grpc"] as? String).flatMap(HTTPConnection.Address.init))
            }
        }
        return nil
    }
}
