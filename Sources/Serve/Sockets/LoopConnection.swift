private import Synchronization

/// A connection that an event loop serves. Only its loop's thread touches it.
package protocol LoopConnection: AnyObject, SendableMetatype {
    /// What all connections of a server share.
    associatedtype Core: LoopCore
    /// What other threads send to a connection, by its loop.
    associatedtype Mail: Sendable

    /// - Returns: nil if there is no memory.
    init?(_ link: Link, loop: EventLoop<Self>)

    var link: Link { get }
    /// Whether it is to be looked at often.
    var isBusy: Bool { get }

    func readable()
    func writable()
    /// The other side has ended its direction, and the link is not watched for what it sent.
    func hungUp()
    /// Lets go of it: tells the loop to forget it, and closes the link.
    func close()
    func take(_ mail: Mail)
    /// Sends what `take` made, after all mail of a turn.
    func flush()
    /// Now and then: ends what takes too long.
    func look(at now: ContinuousClock.Instant)
    /// Takes no more requests; what is under way ends.
    func drain()
}

/// What the loops of a server share.
package protocol LoopCore: AnyObject, Sendable {
    var connectionLimit: Int { get }
    /// Connections of all loops of the server.
    var connections: Tally { get }
    /// Connections of all servers of the process, of which each takes a descriptor.
    var descriptors: Tally.Limited { get }
    /// Nil: not over TLS.
    var tls: TLSPort? { get }
    /// Whether connections wait for something that has a deadline.
    var isBusy: Bool { get }

    /// A connection was accepted, or is gone.
    func connected(_ change: Int)
    /// One was refused, since there are as many as there may be.
    func refusedConnection()
    /// Called ten times a second while it `isBusy`.
    func growIfStuck()
}

extension LoopCore {
    /// Closes the socket of a connection that its loop has forgotten.
    package func close(_ link: Link) {
        link.close()
        connections.add(-1)
        descriptors.giveBack()
    }
}

/// A count that threads share.
package final class Tally: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package var value: Int { count.load(ordering: .acquiring) }

    @discardableResult
    package func add(_ change: Int) -> Int { count.add(change, ordering: .acquiringAndReleasing).newValue }

    /// One that may not grow beyond a limit.
    package final class Limited: Sendable {
        private let tally = Tally()
        private let limit: Int

        package init(limit: Int) { self.limit = limit }

        package func take() -> Bool {
            if tally.add(1) <= limit { return true }
            tally.add(-1)
            return false
        }

        package func giveBack() { tally.add(-1) }
    }
}
