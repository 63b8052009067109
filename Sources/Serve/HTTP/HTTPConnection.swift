private import CLinux
private import Scheduling
internal import Sockets

/// One connection: requests one after the other, each received whole, handled on another thread, and answered.
///
/// What is bounded, and by what:
///
/// | | |
/// |---|---|
/// | a head | `headLimit` |
/// | bytes behind a request that is handled | one reading, then nothing is read; they count among all bodies |
/// | bodies | the handler's limit, and the pool of all bodies, by bytes that have arrived |
/// | time | of silence, of a head, of a body, of a reply that is not taken; not of a handler's work |
///
/// Between requests a connection has no buffer and no parser.
final class HTTPConnection: LoopConnection {
    typealias Core = HTTPCore
    typealias Mail = Reply

    /// How much is read from one socket before others have their turn.
    private static let turn = 1 << 20
    /// How much of what a refused client still sends is thrown away, and for how long, so that it can see why.
    private static let patience = (bytes: 256 << 20, time: Duration.seconds(2))
    /// What may wait behind a request without being counted.
    private static let freeBytes = 4 << 10

    private enum Stage {
        /// Between requests.
        case idle
        case head(Incoming)
        case body(Incoming)
        /// A handler has it.
        case handled(HTTPConnectionState)
        /// The reply waits to be taken; then the connection goes on, ends, or is handed over.
        case answered(Reply)
        /// Its own side is closed, and what comes is thrown away.
        case lingering(until: ContinuousClock.Instant, left: Int)
        case closed
    }

    private struct Incoming {
        var exchange: Exchange
        var parser: RequestParser
    }

    let link: Link
    private let core: HTTPCore
    private let loop: EventLoop<HTTPConnection>
    private let sender: SenderAccount?
    private var stage = Stage.idle
    /// Bytes that have arrived and are not parsed yet.
    private var pending: [UInt8] = []
    private var pendingMemory: (share: BodyMemory, count: Int)?
    private var lastRead: ContinuousClock.Instant
    /// When the stage must be over.
    private var deadline: ContinuousClock.Instant?

    init?(_ link: Link, loop: EventLoop<HTTPConnection>) {
        self.link = link
        self.loop = loop
        core = loop.core
        sender = core.configuration.countsSenders ? SenderAccount() : nil
        lastRead = loop.now
    }

    // MARK: Receiving

    func readable() {
        var left = Self.turn
        while left > 0, isReceiving {
            switch link.receive(into: loop.input) {
            case .nothing: return
            case .end, .broken: return close()
            case .bytes(let count, let isAll):
                lastRead = loop.now
                left -= count
                take(UnsafeRawBufferPointer(rebasing: loop.input[..<count]))
                if isAll { return }
            }
        }
    }

    private var isReceiving: Bool {
        switch stage {
        case .idle, .head, .body, .lingering: true
        case .handled, .answered, .closed: false
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        if case .lingering(let until, let left) = stage {
            stage = .lingering(until: until, left: left - bytes.count)
            if left <= bytes.count { close() }
            return
        }
        if pending.isEmpty {
            let used = parse(bytes)
            if used < bytes.count, isOpen { pending = Array(bytes[used...]) }
        } else {
            pending.append(contentsOf: bytes)
            parsePending()
        }
        countPending()
    }

    private func parsePending() {
        let bytes = pending
        pending = []
        let used = bytes.withUnsafeBytes { parse($0) }
        if used < bytes.count, isOpen { pending = used == 0 ? bytes : Array(bytes[used...]) }
    }

    private var isOpen: Bool {
        switch stage {
        case .lingering, .closed: false
        default: true
        }
    }

    /// Counts what waits among all bodies.
    private func countPending() {
        guard pending.count > Self.freeBytes else {
            pendingMemory = nil
            return
        }
        var memory = pendingMemory ?? (BodyMemory(pool: core.configuration.bodies), 0)
        if pending.count > memory.count {
            guard memory.share.reserve(pending.count - memory.count) else {
                core.statistics.count(HTTPRefusal.overloaded)
                return close()
            }
            memory.count = pending.count
        }
        pendingMemory = memory
    }

    /// - Returns: how many bytes are done with.
    private func parse(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while used < bytes.count {
            switch stage {
            case .idle:
                // Lines before a request that have nothing (RFC 9112, 2.2).
                switch bytes[used] {
                case 13, 10: used += 1
                // A client of TLS begins with a handshake's first byte.
                case 22: cut(.tls)
                default: begin()
                }
            case .head(let incoming), .body(let incoming):
                let (count, goesOn) = advance(incoming, UnsafeRawBufferPointer(rebasing: bytes[used...]))
                used += count
                if !goesOn { return used }
            case .handled, .answered, .lingering, .closed: return used
            }
        }
        return used
    }

    private func begin() {
        let exchange = Exchange(memory: BodyMemory(pool: core.configuration.bodies))
        guard let parser = RequestParser(for: exchange, headLimit: core.configuration.headLimit) else { return close() }
        stage = .head(Incoming(exchange: exchange, parser: parser))
        let configuration = core.configuration
        deadline = loop.now + .seconds(min(configuration.idleTimeoutSeconds, configuration.transferTimeoutSeconds))
    }

    /// - Returns: how many bytes were consumed, and whether others can be.
    private func advance(_ incoming: Incoming, _ bytes: UnsafeRawBufferPointer) -> (consumed: Int, goesOn: Bool) {
        let (count, progress) = incoming.parser.feed(bytes)
        switch progress {
        case .needsMore:
            // Lines of chunks, and trailers, are bounded as heads are.
            if bytes.count - count > core.configuration.headLimit { refuse(incoming, .headTooLarge) }
            return (count, false)
        case .goesOn:
            if let error = incoming.exchange.refusal, !incoming.exchange.isReadToItsEnd { refuse(incoming, error) }
        case .head(let hasBody): headArrived(incoming, hasBody: hasBody)
        case .done:
            if let error = incoming.exchange.refusal {
                refuse(incoming, error, isWhole: true)
            } else {
                handle(incoming)
            }
        case .malformed(let reason):
            if case .head = stage { incoming.exchange.salvage(UnsafeRawBufferPointer(rebasing: bytes[count...])) }
            refuse(incoming, .ambiguous(reason))
        case .headTooLarge: refuse(incoming, .headTooLarge)
        }
        return (count, true)
    }

    private func headArrived(_ incoming: Incoming, hasBody: Bool) {
        let exchange = incoming.exchange
        exchange.judge(core.handler)
        // A body that is announced to be too large is refused before it is sent.
        if let error = exchange.refusal { return refuse(incoming, error) }
        guard hasBody else { return handle(incoming) }
        stage = .body(incoming)
        deadline = loop.now + .seconds(core.configuration.transferTimeoutSeconds)
        if exchange.expectsContinue {
            link.enqueue(Reply.goOn)
            send()
        }
    }

    // MARK: Answering

    private func handle(_ incoming: Incoming) {
        let state = HTTPConnectionState()
        stage = .handled(state)
        // A handler's time is its own affair.
        deadline = nil
        link.watch(VARVE_HANGUP)
        core.handle(incoming.exchange, of: sender, state, keepsAlive: incoming.parser.keepsAlive) {
            [loop, key = link.key] reply in
            loop.post(.mail(to: key, reply))
        }
    }

    /// - Parameter isWhole: whether the next request can follow.
    private func refuse(_ incoming: Incoming, _ error: HTTPBodyError, isWhole: Bool = false) {
        let request = incoming.exchange.request.head
        let reply = Reply(
            core.refusal(error, request), to: request, isVersion11: incoming.exchange.isVersion11,
            closes: !isWhole || !incoming.parser.keepsAlive || core.isStopping)
        answer(reply)
    }

    /// Takes a handler's reply; `flush` sends it.
    func take(_ reply: Reply) {
        guard case .handled(let state) = stage else { return }
        state.answered()
        stage = .answered(reply)
        deadline = loop.now + .seconds(core.configuration.transferTimeoutSeconds)
        link.enqueue(reply.head)
        link.enqueue(reply.body)
    }

    private func answer(_ reply: Reply) {
        stage = .answered(reply)
        deadline = loop.now + .seconds(core.configuration.transferTimeoutSeconds)
        link.enqueue(reply.head)
        link.enqueue(reply.body)
        send()
    }

    func flush() {
        send()
        // What came behind the request is next, and its answers after it.
        while case .idle = stage, !pending.isEmpty {
            parsePending()
            guard case .idle = stage else { return countPending() }
        }
        countPending()
    }

    /// Sends what waits, as far as the socket takes it.
    private func send() {
        switch link.send(at: loop.now) {
        case .done: sent()
        case .blocked: link.watch(isReceiving ? VARVE_READABLE | VARVE_WRITABLE : VARVE_WRITABLE)
        case .broken: close()
        }
    }

    private func sent() {
        guard case .answered(let reply) = stage else {
            if isReceiving { link.watch(VARVE_READABLE) }
            return
        }
        if let upgrade = reply.upgrade { return handOver(upgrade) }
        if reply.closes { return linger() }
        stage = .idle
        deadline = nil
        lastRead = loop.now
        link.watch(VARVE_READABLE)
    }

    func writable() { flush() }

    /// Closes its own side, and waits shortly for the other: bytes that nobody reads would make the system throw away what was sent.
    private func linger() {
        link.finishSending()
        pending = []
        pendingMemory = nil
        deadline = nil
        stage = .lingering(until: loop.now + Self.patience.time, left: Self.patience.bytes)
        link.watch(VARVE_READABLE)
    }

    private func handOver(_ upgrade: HTTPUpgrade) {
        stage = .closed
        loop.forget(self)
        core.run(upgrade, link, early: pending)
        pending = []
    }

    // MARK: Ends

    func hungUp() {
        guard case .handled(let state) = stage else { return }
        state.close()
        link.watch(0)
    }

    func close() {
        if case .closed = stage { return }
        if case .handled(let state) = stage { state.close() }
        stage = .closed
        loop.forget(self)
        core.close(link)
    }

    var isBusy: Bool { if case .lingering = stage { true } else { false } }

    func look(at now: ContinuousClock.Instant) {
        if link.isOverdue(at: now) { return close() }
        let silence = Duration.seconds(core.configuration.idleTimeoutSeconds)
        switch stage {
        case .idle:
            if now - lastRead >= silence { cut(.silence) }
        case .head(let incoming), .body(let incoming):
            if isOver(deadline, now) || now - lastRead >= silence { refuse(incoming, .tooSlow) }
        case .answered:
            if isOver(deadline, now) || isOver(link.blockedSince.map { $0 + silence }, now) { cut(.stalled) }
        case .lingering(let until, _):
            if now >= until { close() }
        case .handled, .closed: break
        }
    }

    private func isOver(_ deadline: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> Bool {
        deadline.map { now >= $0 } ?? false
    }

    private func cut(_ reason: HTTPConnectionEnd) {
        core.statistics.count(reason)
        close()
    }

    func drain() {
        if case .idle = stage { close() }
    }
}
