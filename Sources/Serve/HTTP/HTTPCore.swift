private import CLinux
private import Glibc
internal import Observability
internal import Scheduling
internal import Sockets
private import Synchronization

/// What the loops of a server share: the handler, its threads, and who is at work.
final class HTTPCore: LoopCore {
    let configuration: HTTPServerConfiguration
    let handler: any HTTPHandler
    let statistics: HTTPStatistics
    let connections = Tally()
    /// Requests that a handler works on, and connections that were taken over.
    private let running = Tally()
    private let stopping = Atomic<Bool>(false)
    /// Sockets of connections that were taken over.
    private let tunnels = Mutex<Set<Int32>>([])
    private let pools: CallPools

    init(_ configuration: HTTPServerConfiguration, handler: any HTTPHandler, statistics: HTTPStatistics) {
        self.configuration = configuration
        self.handler = handler
        self.statistics = statistics
        pools = CallPools(
            threads: configuration.threads, most: configuration.mostThreads, growth: configuration.threadGrowth)
    }

    var connectionLimit: Int { configuration.connectionLimit }
    var descriptors: Tally.Limited { configuration.descriptors }
    var tls: TLSPort? { configuration.tls }
    var isBusy: Bool { running.value > 0 }
    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    func connected(_ change: Int) { statistics.connections.add(change) }

    func refusedConnection() { statistics.count(.limit) }

    func growIfStuck() { pools.growIfStuck() }

    func beginStopping() { stopping.store(true, ordering: .relaxed) }

    func stopPools() { pools.stop() }

    // MARK: Requests

    func handle(
        _ exchange: Exchange, of sender: SenderAccount?, _ state: HTTPConnectionState, keepsAlive: Bool,
        reply: @escaping @Sendable (Reply) -> Void
    ) {
        running.add(1)
        let (request, isVersion11, limit) = (exchange.request, exchange.isVersion11, exchange.bodyLimit)
        pools.add(of: sender) { [self] in
            let head = request.head
            let finish: @Sendable (HTTPResponse) -> Void = { [self] response in
                reply(Reply(response, to: head, isVersion11: isVersion11, closes: !keepsAlive || isStopping))
                running.add(-1)
            }
            var request = request
            do throws(HTTPBodyError) {
                try request.readForm(limit: limit)
            } catch {
                return finish(refusal(error, head))
            }
            handler.respond(to: request, connection: state, reply: finish)
        }
    }

    func refusal(_ error: HTTPBodyError, _ request: HTTPRequest) -> HTTPResponse {
        if let reason = HTTPRefusal(error) { statistics.count(reason) }
        var response = handler.refuse(request, status: error.status, error.message)
        if error == .overloaded, !response.headers.contains(where: { $0.name == "Retry-After" }) {
            response.headers.append(("Retry-After", "1"))
        }
        return response
    }

    // MARK: Connections that are taken over

    func run(_ upgrade: HTTPUpgrade, _ link: Link, early: [UInt8]) {
        running.add(1)
        let socket = HTTPSocket(link, early: early) { [self] in isStopping }
        tunnels.withLock { _ = $0.insert(socket.descriptor) }
        DetachedThread.start { [self] in
            upgrade.run(socket)
            tunnels.withLock { _ = $0.remove(socket.descriptor) }
            socket.close(self)
            running.add(-1)
        }
    }

    // MARK: Stopping

    /// Nobody is at work.
    var isIdle: Bool { running.value == 0 }

    func shutTunnels() {
        tunnels.withLock { for socket in $0 { varve_shut_down(socket) } }
    }
}

/// A thread that nobody waits for.
enum DetachedThread {
    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ run: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(run))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, work.toOpaque())
        precondition(code == 0, "the system has no thread left")
        pthread_detach(thread)
    }
}
