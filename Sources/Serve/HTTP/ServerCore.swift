import CMicroHTTPD
import Observability
import Synchronization

/// What the callbacks of the C library share: the handler, and who is at work.
final class ServerCore: Sendable {
    let configuration: HTTPServerConfiguration
    let handler: any HTTPHandler
    let watcher = ConnectionWatcher()
    private let log: Log
    /// Requests that a handler works on, and connections that were taken over.
    private let running = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)

    init(configuration: HTTPServerConfiguration, handler: any HTTPHandler, log: Log) {
        self.configuration = configuration
        self.handler = handler
        self.log = log
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    func beginStopping() { stopping.store(true, ordering: .relaxed) }

    func waitUntilIdle(seconds: Int) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while running.load(ordering: .acquiring) > 0 {
            if ContinuousClock.now >= end { return false }
            varve_sleep_milliseconds(10)
        }
        return true
    }

    /// The table of callbacks, whose context holds `core` for ever: the library may call until the process ends.
    static func callbacks(for core: ServerCore) -> varve_http_callbacks {
        varve_http_callbacks(
            context: Unmanaged.passRetained(core).toOpaque(), begin: beginRequest, handle: handleRequest,
            completed: completeRequest, connection: noticeConnection, report: reportMessage)
    }

    fileprivate func report(_ message: String) {
        log.debug("http", ["message": .string(message)])
    }

    // MARK: A request's way

    fileprivate func begin(_ target: UnsafePointer<CChar>, _ connection: OpaquePointer) -> Exchange {
        watcher.setDeadline(varve_http_socket(connection), seconds: configuration.transferTimeoutSeconds)
        return Exchange(target: target, memory: BodyMemory(pool: configuration.bodies))
    }

    fileprivate func answer(_ exchange: Exchange, _ connection: OpaquePointer) -> MHD_Result {
        let socket = varve_http_socket(connection)
        running.add(1, ordering: .relaxed)
        defer { running.subtract(1, ordering: .releasing) }
        // A handler's time is its own affair; the idle time begins anew when the reply is there.
        watcher.removeDeadline(socket)
        varve_http_set_timeout(connection, 0)
        let response = respond(exchange, HTTPConnectionState(socket: socket, watcher: watcher))
        varve_http_set_timeout(connection, UInt32(clamping: configuration.idleTimeoutSeconds))
        watcher.setDeadline(socket, seconds: configuration.transferTimeoutSeconds)
        exchange.stage = .answered
        return queue(response, for: exchange.request, connection)
    }

    private func respond(_ exchange: Exchange, _ state: HTTPConnectionState) -> HTTPResponse {
        do throws(HTTPBodyError) {
            if case .refusing(let error) = exchange.stage { throw error }
            try exchange.readForm()
            return handler.respond(to: exchange.request, connection: state)
        } catch {
            return refusal(error, exchange.request)
        }
    }

    private func refusal(_ error: HTTPBodyError, _ request: HTTPRequest) -> HTTPResponse {
        var response = handler.refuse(request, status: error.status, error.message)
        if error == .overloaded, !response.headers.contains(where: { $0.name == "Retry-After" }) {
            response.headers.append(("Retry-After", "1"))
        }
        // What follows may be the rest of this request, or another one.
        if case .ambiguous = error { response.headers.append(("Connection", "close")) }
        return response
    }

    private func queue(_ response: HTTPResponse, for request: HTTPRequest, _ connection: OpaquePointer) -> MHD_Result {
        if let upgrade = response.upgrade { return queueUpgrade(upgrade, response, connection) }
        var response = response
        ResponseCompression.apply(to: &response, for: request)
        let reply = response.body.withUnsafeBytes { bytes in
            MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
        }
        guard let reply else { return .NO }
        defer { MHD_destroy_response(reply) }
        for header in response.headers { MHD_add_response_header(reply, header.name, header.value) }
        if isStopping { MHD_add_response_header(reply, "Connection", "close") }
        return MHD_queue_response(connection, UInt32(clamping: response.status), reply)
    }

    // MARK: Connections that are taken over

    private func queueUpgrade(_ upgrade: HTTPUpgrade, _ response: HTTPResponse, _ connection: OpaquePointer)
        -> MHD_Result
    {
        let work = Unmanaged.passRetained(UpgradeWork(upgrade: upgrade, core: self))
        guard let reply = MHD_create_response_for_upgrade(runUpgrade, work.toOpaque()) else {
            work.release()
            return .NO
        }
        defer { MHD_destroy_response(reply) }
        MHD_add_response_header(reply, "Upgrade", upgrade.name)
        for header in response.headers { MHD_add_response_header(reply, header.name, header.value) }
        let queued = MHD_queue_response(connection, 101, reply)
        if queued != .YES { work.release() }
        return queued
    }

    fileprivate func run(_ upgrade: HTTPUpgrade, socket: Int32, early: [UInt8]) {
        running.add(1, ordering: .relaxed)
        defer { running.subtract(1, ordering: .releasing) }
        watcher.upgraded(socket)
        upgrade.run(HTTPSocket(socket: socket, early: early) { [self] in isStopping })
    }
}

private final class UpgradeWork {
    let upgrade: HTTPUpgrade
    let core: ServerCore

    init(upgrade: HTTPUpgrade, core: ServerCore) {
        self.upgrade = upgrade
        self.core = core
    }
}

private func core(_ context: UnsafeMutableRawPointer) -> ServerCore {
    Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue()
}

private func beginRequest(
    _ context: UnsafeMutableRawPointer?, _ target: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let context, let target, let connection else { return nil }
    return Unmanaged.passRetained(core(context).begin(target, connection)).toOpaque()
}

/// Called once with the head, then with each piece of the body, then once without one.
private func handleRequest(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ bytes: UnsafePointer<CChar>?,
    _ count: UnsafeMutablePointer<Int>?, _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context, let connection, let method, let count, let pointer = request?.pointee else { return .NO }
    let core = core(context)
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    if case .head = exchange.stage {
        exchange.readHead(method: method, version: version, connection: connection, handler: core.handler)
        // A body that is announced to be too large is refused before it is sent.
        if case .refusing = exchange.stage { return core.answer(exchange, connection) }
        return .YES
    }
    if case .answered = exchange.stage {
        count.pointee = 0
        return .YES
    }
    guard count.pointee > 0 else { return core.answer(exchange, connection) }
    let goesOn = exchange.receive(UnsafeRawBufferPointer(start: bytes, count: count.pointee))
    count.pointee = 0
    return goesOn ? .YES : .NO
}

private func completeRequest(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ code: MHD_RequestTerminationCode
) {
    guard let pointer = request?.pointee else { return }
    request?.pointee = nil
    Unmanaged<Exchange>.fromOpaque(pointer).release()
    guard let context, let connection else { return }
    let core = core(context)
    // The library itself ends a connection that is silent between requests; this ends one that drips its next head.
    let seconds = core.configuration.idleTimeoutSeconds + core.configuration.transferTimeoutSeconds
    core.watcher.setDeadline(varve_http_socket(connection), seconds: seconds)
}

private func noticeConnection(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ own: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ code: MHD_ConnectionNotificationCode
) {
    guard let context, let connection else { return }
    let core = core(context)
    let socket = varve_http_socket(connection)
    if code == .CONNECTION_NOTIFY_STARTED {
        core.watcher.opened(socket, timeoutSeconds: core.configuration.transferTimeoutSeconds)
    } else {
        core.watcher.closed(socket)
    }
}

private func reportMessage(_ context: UnsafeMutableRawPointer?, _ message: UnsafePointer<CChar>?) {
    guard let context, let message else { return }
    core(context).report(String(cString: message))
}

private func runUpgrade(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ request: UnsafeMutableRawPointer?,
    _ early: UnsafePointer<CChar>?, _ earlyCount: Int, _ socket: Int32, _ handle: OpaquePointer?
) {
    guard let context, let handle else { return }
    let work = Unmanaged<UpgradeWork>.fromOpaque(context).takeRetainedValue()
    let bytes = Array(UnsafeRawBufferPointer(start: early, count: early == nil ? 0 : earlyCount))
    work.core.run(work.upgrade, socket: socket, early: bytes)
    varve_http_close_upgrade(handle)
}
