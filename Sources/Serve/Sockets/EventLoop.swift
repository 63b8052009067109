private import CLinux
private import Glibc
package import Observability
package import Scheduling
private import Synchronization

/// A thread that receives and sends for many connections, and never waits for anything but them.
///
/// Other threads reach it by `post` alone. The first loop of a server has the listening socket, and hands connections to all loops in turn.
package final class EventLoop<Connection: LoopConnection>: @unchecked Sendable {
    package enum Message {
        case adopt(Int32)
        case mail(to: UInt64, Connection.Mail)
        case drain
        case hangUp
        case end
    }

    private var listenerKey: UInt64 { 0 }
    private var wakeupKey: UInt64 { 1 }
    /// How often connections are looked at that are busy, and that are not.
    private let looks = (busy: Duration.milliseconds(100), idle: Duration.seconds(1))

    package let core: Connection.Core
    /// Where bytes arrive, whosever they are.
    package let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    package private(set) var now = ContinuousClock.now
    private let epoll = varve_epoll_create()
    private let wakeup = varve_wakeup_create()
    private let mailbox = Mutex<[Message]>([])
    private let log: Log

    // What only the loop's own thread touches.
    private var connections: [UInt64: Connection] = [:]
    private var nextKey: UInt64 = 2
    private var listener: Int32 = -1
    /// Set while the process has no descriptor left for another connection.
    private var isDeaf = false
    private var others: [EventLoop<Connection>] = []
    private var turn = 0
    private var lastLook = ContinuousClock.now
    private var lastWholeLook = ContinuousClock.now
    private var isDraining = false
    private var isOver = false

    package init?(_ core: Connection.Core, log: Log) {
        self.core = core
        self.log = log
        guard epoll >= 0, wakeup >= 0, varve_epoll_watch(epoll, wakeup, wakeupKey, VARVE_READABLE, 0) == 0 else {
            return nil
        }
    }

    deinit {
        input.deallocate()
        if epoll >= 0 { close(epoll) }
        if wakeup >= 0 { close(wakeup) }
    }

    /// Starts the loop's thread, which ends by `.end`.
    package func start() -> WorkerThread { WorkerThread { [self] in run() } }

    /// Accepts connections for all of these loops; before `start`.
    package func listen(_ socket: Int32, for loops: [EventLoop<Connection>]) {
        listener = socket
        others = loops
        varve_epoll_watch(epoll, socket, listenerKey, VARVE_READABLE, 0)
    }

    package func post(_ message: Message) {
        let wasEmpty = mailbox.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if wasEmpty { varve_wakeup_signal(wakeup) }
    }

    // MARK: The loop

    private func run() {
        var events = [varve_event](repeating: varve_event(), count: 64)
        while !isOver {
            let count = Int(varve_epoll_wait(epoll, &events, Int32(events.count), timeout))
            now = .now
            for event in events[..<count] { handle(event) }
            takeMessages()
            if now - lastLook >= looks.busy { look() }
        }
        others = []
    }

    /// Milliseconds until connections are to be looked at again.
    private var timeout: Int32 {
        if connections.isEmpty, !isDeaf { return -1 }
        let isBusy = isDeaf || isDraining || core.isBusy
        return isBusy ? 100 : 1000
    }

    private func handle(_ event: varve_event) {
        switch event.key {
        case listenerKey: accept()
        case wakeupKey: varve_wakeup_clear(wakeup)
        default:
            guard let connection = connections[event.key] else { return }
            if event.events & VARVE_WRITABLE != 0 {
                // A handshake that waits for room goes on as it does when something arrives.
                if connection.link.isHandshaking { connection.readable() } else { connection.writable() }
            }
            if event.events & VARVE_READABLE != 0 { connection.readable() }
            if event.events & VARVE_HANGUP != 0 { connection.hungUp() }
            if event.events & VARVE_BROKEN != 0 { connection.close() }
        }
    }

    private func takeMessages() {
        let messages = mailbox.withLock { messages in
            defer { messages = [] }
            return messages
        }
        var addressed: [UInt64: Connection] = [:]
        for message in messages {
            switch message {
            case .adopt(let socket): adopt(socket)
            case .mail(let key, let mail):
                guard let connection = connections[key] else { continue }
                connection.take(mail)
                addressed[key] = connection
            case .drain: drain()
            case .hangUp: for connection in Array(connections.values) { connection.hungUp() }
            case .end: end()
            }
        }
        for connection in addressed.values { connection.flush() }
    }

    private func look() {
        lastLook = now
        core.growIfStuck()
        if isDeaf {
            isDeaf = false
            varve_epoll_watch(epoll, listener, listenerKey, VARVE_READABLE, 0)
        }
        let isWhole = isDraining || now - lastWholeLook >= looks.idle
        if isWhole { lastWholeLook = now }
        for connection in connections.values.filter({ isWhole || $0.isBusy }) {
            if isDraining { connection.drain() }
            connection.look(at: now)
        }
    }

    // MARK: Connections

    private func accept() {
        while listener >= 0 {
            let socket = varve_accept(listener)
            guard socket >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                if errno != EAGAIN { stopListeningForAWhile() }
                return
            }
            guard core.connections.value < core.connectionLimit, core.descriptors.take() else {
                core.refusedConnection()
                close(socket)
                continue
            }
            core.connections.add(1)
            turn += 1
            let loop = others[turn % others.count]
            if loop === self { adopt(socket) } else { loop.post(.adopt(socket)) }
        }
    }

    /// Without descriptors there is nothing to accept with, and the listener would be readable all the time.
    private func stopListeningForAWhile() {
        log.warning("no connection can be accepted", ["reason": .string(String(cString: strerror(errno)))])
        isDeaf = true
        varve_epoll_forget(epoll, listener)
    }

    private func adopt(_ socket: Int32) {
        let link = Link(socket, key: nextKey, epoll: epoll, tls: core.tls, at: now)
        nextKey += 1
        guard let connection = Connection(link, loop: self),
            varve_epoll_watch(epoll, socket, link.key, VARVE_READABLE, 0) == 0
        else {
            close(socket)
            core.connections.add(-1)
            core.descriptors.giveBack()
            return
        }
        connections[link.key] = connection
        core.connected(1)
        if isDraining { connection.drain() }
    }

    /// Lets go of a connection, whose link is closed next or belongs to somebody else.
    package func forget(_ connection: Connection) {
        connection.link.unwatch()
        if connections.removeValue(forKey: connection.link.key) != nil { core.connected(-1) }
    }

    private func drain() {
        isDraining = true
        stopListening()
        for connection in Array(connections.values) { connection.drain() }
    }

    private func stopListening() {
        guard listener >= 0 else { return }
        if !isDeaf { varve_epoll_forget(epoll, listener) }
        isDeaf = false
        close(listener)
        listener = -1
    }

    private func end() {
        stopListening()
        for connection in Array(connections.values) { connection.close() }
        isOver = true
    }
}
