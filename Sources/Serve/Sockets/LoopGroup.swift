private import CLinux
private import Glibc
package import Observability
private import Scheduling

/// The loops of a server: started and stopped together.
package final class LoopGroup<Connection: LoopConnection> {
    private let core: Connection.Core
    private let log: Log
    private var loops: [EventLoop<Connection>] = []
    private var threads: [WorkerThread] = []

    package init(_ core: Connection.Core, log: Log) {
        self.core = core
        self.log = log
    }

    package var isRunning: Bool { !loops.isEmpty }

    /// - Returns: the port that is listened on, or nil with `errno` set.
    package func start(host: String, port: UInt16, loops count: Int) -> UInt16? {
        var port = port
        let listener = varve_listen(host, &port, 4096)
        guard listener >= 0 else { return nil }
        let loops = (0..<max(count, 1)).compactMap { _ in EventLoop<Connection>(core, log: log) }
        guard varve_set_nonblocking(listener) == 0, let first = loops.first else {
            let reason = errno
            close(listener)
            errno = reason
            return nil
        }
        first.listen(listener, for: loops)
        self.loops = loops
        threads = loops.map { $0.start() }
        return port
    }

    /// Accepts no more connections, and lets what is under way end.
    package func drain() {
        for loop in loops { loop.post(.drain) }
    }

    /// Treats all connections as if the other side had left.
    package func hangUp() {
        for loop in loops { loop.post(.hangUp) }
    }

    /// Closes all connections and waits for the threads.
    package func end() {
        for loop in loops { loop.post(.end) }
        for thread in threads { thread.join() }
        threads = []
        loops = []
    }
}
